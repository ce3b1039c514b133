/** Goes to places of the timeline as fast as somebody drags: seen frames at once, the server when it can. */

/** @typedef {import("./timeline.js").Place} Place */

export class Scrubber {
  /**
   * @param {import("./session.js").Session} session
   * @param {(picture: CanvasImageSource) => void} show draws a frame that is known already.
   * @param {() => void} arrive is called once the server is where it was wanted, or has said why not.
   * @param {(error: unknown) => void} fail
   */
  constructor(session, show, arrive, fail) {
    this._session = session;
    this._show = show;
    this._arrive = arrive;
    this._fail = fail;
    /** @type {Place | null} where to go once the server has answered. */
    this._wanted = null;
    this._going = this._pausing = false;
    this._glances = 0;
    /** Whether somebody is dragging, so that frames of the server would only flicker. */
    this.dragging = false;
  }

  /**
   * Looks at a place without going there.
   *
   * @param {Place} place
   */
  async glance(place) {
    this.dragging = true;
    const turn = ++this._glances;
    this._stop();
    const picture = await this._session.seen(place.branch, place.tick);
    if (picture === null) this.go(place);
    else {
      if (turn === this._glances && this.dragging) this._show(picture);
      picture.close();
    }
  }

  /** Whether the server is not yet where it was wanted last: frames from elsewhere must not move the handle. */
  get pending() {
    return this._going;
  }

  /** Stops the world, as long as somebody looks elsewhere. */
  async _stop() {
    if (this._session.paused || this._pausing) return;
    this._pausing = true;
    await this._session.pause().catch(this._fail);
    this._pausing = false;
  }

  /**
   * Goes to a place; of several wishes at once only the last is met.
   *
   * @param {Place} place
   */
  async go(place) {
    this._wanted = place;
    if (this._going) return;
    this._going = true;
    try {
      while (this._wanted !== null) {
        const next = this._wanted;
        this._wanted = null;
        await this._session.seek(next.branch, next.tick);
      }
    } catch (error) {
      this._wanted = null;
      this._fail(error);
    } finally {
      this._going = false;
      this._arrive();
    }
  }

  /** @param {Place} place where dragging ended. */
  drop(place) {
    this.dragging = false;
    return this.go(place);
  }
}
