/** A session as the page knows it: what the server last said, and what may be asked of it. */

import { Connection } from "./connection.js";
import { Pictures, jpegOf } from "./picture.js";
import { KIND } from "./frame.js";
import * as rest from "./rest.js";
import { Seen } from "./seen.js";
import { Signal } from "./signal.js";
import { ownerOf } from "./tree.js";

/** @typedef {import("./frame.js").Frame} Frame */
/** @typedef {import("./messages.js").Hello} Hello */
/** @typedef {import("./messages.js").Readouts} Readouts */
/** @typedef {import("./messages.js").Status} Status */
/** @typedef {import("./tree.js").Branch} Branch */

export class Session {
  /**
   * @param {string} id
   * @param {"player" | "spectator"} role
   */
  constructor(id, role) {
    this.id = id;
    this.role = role;
    /** @type {Signal<Hello>} each time the stream begins, also after it was lost. */
    this.began = new Signal();
    /** @type {Signal<{frame: Frame, picture: CanvasImageSource}>} frames of both lanes, to be drawn at once. */
    this.frames = new Signal();
    /** @type {Signal<Status>} */
    this.changed = new Signal();
    /** @type {Signal<readonly Branch[]>} branches or labels came or went. */
    this.timeline = new Signal();
    /** @type {Signal<Readouts>} */
    this.readouts = new Signal();
    /** @type {Signal<import("./messages.js").Story>} a story that the server tells has come further. */
    this.story = new Signal();
    /** @type {Signal<Error>} */
    this.trouble = new Signal();
    /** @type {import("./messages.js").WorldCard | null} */
    this.world = null;
    /** @type {readonly string[]} */
    this.codecs = [];
    /** @type {Status | null} */
    this.status = null;
    /** @type {readonly Branch[]} */
    this.branches = [];
    /** The place that is shown, by the newest frame. */
    this.place = { branch: "main", tick: 0 };
    this.connection = new Connection(id, role);
    this._seen = new Seen();
    this._lanes = [0, 1].map(
      () =>
        new Pictures(
          (frame, picture) => this._draw(frame, picture),
          (fault) => this.trouble.tell(fault),
        ),
    );
    this.connection.frames.listen((frame) => this._lanes[frame.lane]?.take(frame));
    this.connection.events.listen((event) => this._hear(event));
  }

  /** Leaves the session; the server pauses it. */
  close() {
    this.connection.close();
    for (const lane of this._lanes) lane.restart();
  }

  /** @param {import("./held.js").Input} input */
  input(input) {
    if (this.role === "player") this.connection.input(input);
  }

  pause() {
    return this._ask("pause");
  }

  resume() {
    return this._ask("resume");
  }

  step() {
    return this._ask("step");
  }

  reset() {
    return this._ask("reset");
  }

  /** @param {number} factor of the world's own pace. */
  rate(factor) {
    return this._ask("rate", { factor });
  }

  /**
   * @param {string} branch
   * @param {number} tick
   */
  async seek(branch, tick) {
    const status = await this._ask("seek", { branch, tick });
    this.place = { branch: status.branch, tick: status.tick };
  }

  /** @param {string | null} name of the branch that begins now; the server finds one where it is null. */
  branch(name) {
    return this._ask("branch", name ? { at: this.place.tick, name } : { at: this.place.tick });
  }

  /** @param {string} branch */
  hop(branch) {
    return this._ask("hop", { branch });
  }

  /** @param {string | null} branch */
  compare(branch) {
    return this._ask("compare", { branch });
  }

  /**
   * @param {number} tick of the present branch.
   * @param {string} text
   */
  label(tick, text) {
    return this._ask("label", { tick, text });
  }

  /** @param {string} name of what shall happen with the next tick. */
  event(name) {
    return this._ask("event", { name });
  }

  /** @param {string | null} text of a story that shall be told from now on, null to end the one that is told. */
  tell(text) {
    return this._ask("story", { text });
  }

  /** @param {number} seconds */
  extend(seconds) {
    return this._ask("extend", { seconds });
  }

  /** @param {boolean} on */
  sayReadouts(on) {
    return this._ask("readouts", { on });
  }

  /**
   * @param {"mp4" | "jsonl"} format
   * @param {string} branch
   * @param {number} start
   * @param {number} stop
   * @returns {Promise<import("./messages.js").Recording>}
   */
  export(format, branch, start, stop) {
    return this._ask("export", { format, branch, start, stop });
  }

  /** @param {"jpeg" | "h264"} codec */
  async codec(codec) {
    const answer = await this._ask("codec", { codec });
    for (const lane of this._lanes) lane.expect(codec === "h264" ? answer.decoder : null);
  }

  /**
   * @param {string} branch
   * @param {number} tick
   * @returns {Promise<ImageBitmap> | null} the frame as it was first seen, null where this page has not seen it.
   */
  seen(branch, tick) {
    const owner = ownerOf(this.branches, branch, tick);
    const kept = owner && this._seen.get(owner.number, tick);
    return kept ? createImageBitmap(kept) : null;
  }

  /**
   * @param {string} branch
   * @param {number} tick
   * @returns {Promise<ImageBitmap>} the frame, from the server where this page has not seen it.
   */
  async frameAt(branch, tick) {
    return (await this.seen(branch, tick)) ?? createImageBitmap(await rest.frame(this.id, branch, tick));
  }

  /** @returns {number} ticks of world time a second, at the world's own pace. */
  get tickRate() {
    return this.world?.rate ?? 15;
  }

  get paused() {
    return this.status?.phase !== "running";
  }

  /**
   * @param {string} method
   * @param {Record<string, any>} [params]
   * @returns {Promise<any>}
   */
  async _ask(method, params) {
    const result = await this.connection.request(method, params);
    if (result && typeof result === "object" && "phase" in result) this._update(result);
    return result;
  }

  /** @param {Record<string, any>} event */
  _hear(event) {
    switch (event.event) {
      case "hello":
        this.world = event.world;
        this.codecs = event.codecs;
        for (const lane of this._lanes) lane.restart();
        this._branch(event.branches);
        this._update(event.status);
        this.place = { branch: event.status.branch, tick: event.status.tick };
        this.began.tell(/** @type {any} */ (event));
        break;
      case "status":
        this._update(event.status);
        break;
      case "timeline":
        this._branch(event.branches);
        break;
      case "story":
        this.story.tell(/** @type {any} */ (event));
        break;
      case "readouts":
        this.readouts.tell(/** @type {any} */ (event));
        break;
    }
  }

  /** @param {Status} status */
  _update(status) {
    this.status = status;
    this._lived(status.number, status.ticks);
    this.changed.tell(status);
  }

  /** @param {readonly Branch[]} branches */
  _branch(branches) {
    // A frame may have been quicker than the list that knows its branch.
    const ends = new Map(this.branches.map((branch) => [branch.number, branch.end]));
    this.branches = branches;
    for (const [number, end] of ends) this._lived(number, end);
    this.timeline.tell(branches);
  }

  /**
   * @param {number} number of a branch.
   * @param {number} tick that it has reached.
   */
  _lived(number, tick) {
    const branch = this.branches.find((each) => each.number === number);
    if (branch && tick > branch.end) branch.end = tick;
  }

  /**
   * @param {Frame} frame
   * @param {CanvasImageSource} picture
   */
  _draw(frame, picture) {
    this._lived(frame.branch, frame.tick);
    const branch = this.branches.find(({ number }) => number === frame.branch);
    if (frame.lane === 0 && branch) this.place = { branch: branch.name, tick: frame.tick };
    const owner = branch && ownerOf(this.branches, branch.name, frame.tick);
    if (frame.kind === KIND.jpeg && owner) this._seen.add(owner.number, frame.tick, jpegOf(frame));
    this.frames.tell({ frame, picture });
    this.connection.acknowledge(frame.frame);
    this._follow(frame, branch);
  }

  /**
   * Learns from a frame where the session is; whether it runs is told by messages alone, which may overtake frames.
   *
   * @param {Frame} frame
   * @param {Branch | undefined} branch
   */
  _follow(frame, branch) {
    const { status } = this;
    if (!status || frame.lane !== 0) return;
    const moved = status.number !== frame.branch;
    Object.assign(status, { tick: frame.tick, remaining: frame.remaining, number: frame.branch });
    if (branch) Object.assign(status, { branch: branch.name, ticks: branch.end });
    if (moved) this.changed.tell(status);
  }
}
