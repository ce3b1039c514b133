/** Something that happens again and again, and those who want to know of it. */

/** @template T */
export class Signal {
  constructor() {
    /** @type {Set<(value: T) => void>} */
    this._listeners = new Set();
  }

  /**
   * Calls `listener` whenever it happens.
   *
   * @param {(value: T) => void} listener
   * @returns {() => void} a function that ends it.
   */
  listen(listener) {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  /** @param {T} value */
  tell(value) {
    for (const listener of [...this._listeners]) listener(value);
  }
}
