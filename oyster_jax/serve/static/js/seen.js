/** Pictures that have been seen, kept as they came, so that scrubbing over them needs no server. */

/** Bytes that are kept; a picture of 64×64 pixels takes about 3 kB, so that an hour fits. */
const BUDGET = 96 * 1024 * 1024;
/** What a kept picture costs beside its bytes. */
const OVERHEAD = 200;

export class Seen {
  constructor() {
    /** @type {Map<string, Blob>} in the order in which they were seen */
    this._pictures = new Map();
    this._bytes = 0;
  }

  /**
   * @param {number} branch number of the branch that lived the tick.
   * @param {number} tick
   * @param {Blob} picture a whole one, not the change to another.
   */
  add(branch, tick, picture) {
    const key = `${branch}:${tick}`;
    if (this._pictures.has(key)) return;
    this._pictures.set(key, picture);
    this._bytes += picture.size + OVERHEAD;
    for (const [oldest, old] of this._pictures) {
      if (this._bytes <= BUDGET) break;
      this._pictures.delete(oldest);
      this._bytes -= old.size + OVERHEAD;
    }
  }

  /**
   * @param {number} branch number of the branch that lived the tick.
   * @param {number} tick
   * @returns {Blob | null}
   */
  get(branch, tick) {
    return this._pictures.get(`${branch}:${tick}`) ?? null;
  }
}
