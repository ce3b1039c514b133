/** Recording: two marks in the life of a session; the server lives what lies between again and writes it to files. */

import { openDialog } from "./dialog.js";
import { element, icon } from "./element.js";
import { ownerOf } from "./tree.js";

/** @typedef {import("./messages.js").Recording} Recording */
/** @typedef {{branch: string, start: number}} Tape */
/** @typedef {{name: string, ticks: number, video: Recording, events: Recording}} Clip */

export class Recorder {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this._session = session;
    /** @type {Tape | null} */
    this.tape = null;
  }

  begin() {
    this.tape = { branch: this._session.place.branch, start: this._session.place.tick };
  }

  /** @returns {number} ticks that have been recorded; 0 where time went back beyond the first mark. */
  get ticks() {
    const { tape } = this;
    return tape === null ? 0 : Math.max(0, this._session.place.tick - tape.start);
  }

  /**
   * Sets the second mark.
   *
   * @returns {Promise<Clip>} what was recorded, once the server has written it.
   */
  async finish() {
    const { tape } = this;
    const { branch, tick } = this._session.place;
    this.tape = null;
    if (tape === null || tick <= tape.start)
      throw new Error("Nothing was recorded: no tick has been lived since the recording began.");
    const video = await this._session.export("mp4", branch, tape.start, tick);
    const events = await this._session.export("jsonl", branch, tape.start, tick);
    const name = `oyster-${this._session.world?.name ?? "world"}-${branch}-${tape.start}-${tick}`;
    return { name, ticks: tick - tape.start, video, events };
  }

  /** @returns {Tape | null} the recording as the timeline shows it: the branch may be another by now. */
  get shown() {
    if (this.tape === null) return null;
    const { branch, tick } = this._session.place;
    const owner = ownerOf(this._session.branches, branch, tick);
    return {
      branch: owner?.name ?? branch,
      start: Math.max(this.tape.start, owner?.parent === null ? 0 : (owner?.at ?? 0)),
    };
  }
}

/**
 * Shows a recording, with its files.
 *
 * @param {Clip} clip
 * @param {number} rate ticks a second.
 */
export function openClip(clip, rate) {
  const link = (/** @type {Recording} */ recording, /** @type {string} */ text, /** @type {string} */ kind) =>
    element(
      `a.${kind}`,
      { href: recording.url, download: `${clip.name}.${recording.format}`, "data-format": recording.format },
      icon("download"),
      element("span", {}, `${text} · ${size(recording.bytes)}`),
    );
  const video = element("video.clip", {
    src: clip.video.url,
    autoplay: true,
    loop: true,
    muted: true,
    controls: true,
    playsInline: true,
  });
  openDialog(
    "Your recording",
    video,
    element("p.dim", {}, `${clip.ticks} ticks, ${(clip.ticks / rate).toFixed(1)} s of world time.`),
    element("div.dialog-end", {}, link(clip.events, "Events", "secondary"), link(clip.video, "Clip", "primary")),
  );
}

/**
 * @param {number} bytes
 * @returns {string} as in `1.2 MB`.
 */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
