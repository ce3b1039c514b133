/** Running figures of the newest samples. */

/** The newest samples, at most `size` of them. */
export class Recent {
  /** @param {number} size */
  constructor(size) {
    this._size = size;
    /** @type {number[]} */
    this.samples = [];
  }

  /** @param {number} value */
  add(value) {
    this.samples.push(value);
    if (this.samples.length > this._size) this.samples.shift();
  }

  clear() {
    this.samples.length = 0;
  }

  /**
   * @param {number} share 0.5 for the median.
   * @returns {number | null} null without samples.
   */
  quantile(share) {
    if (!this.samples.length) return null;
    const sorted = [...this.samples].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  }
}

/** How often something happens, and how much it weighs, in the last two seconds. */
export class Rate {
  constructor() {
    /** @type {Array<[number, number]>} time and weight */
    this._events = [];
  }

  /**
   * @param {number} now in milliseconds.
   * @param {number} [weight]
   */
  add(now, weight = 1) {
    this._events.push([now, weight]);
    this._drop(now);
  }

  clear() {
    this._events.length = 0;
  }

  /**
   * @param {number} now in milliseconds.
   * @returns {number} weight a second.
   */
  at(now) {
    this._drop(now);
    if (this._events.length < 2) return 0;
    const [[first], [last]] = [this._events[0], this._events[this._events.length - 1]];
    const weight = this._events.slice(1).reduce((sum, [, each]) => sum + each, 0);
    return last > first ? (1000 * weight) / (last - first) : 0;
  }

  /** @param {number} now */
  _drop(now) {
    while (this._events.length && this._events[0][0] < now - 2000) this._events.shift();
  }
}
