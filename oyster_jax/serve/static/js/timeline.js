/** The timeline: every branch a line in time; drag along it to go to any tick, choose another line to hop. */

import { drawing, element } from "./element.js";
import { Signal } from "./signal.js";
import { clock, layOut, ownerOf, pathTo, written } from "./tree.js";

/** @typedef {import("./tree.js").Branch} Branch */
/** @typedef {{branch: string, tick: number}} Place */

const ROW = 20;
const TOP = 12;
/** Room at both ends of the lines, so that the handle is never cut, and for a time in numbers. */
const SIDE = 10;
const NUMBER = 34;
/** The least that is shown, in seconds, and by how much the axis grows when it is full. */
const LEAST = 20;
const GROWTH = 1.3;
/** Pixels within which a mark is pointed at. */
const REACH = 6;

export class Timeline {
  /** @param {{rate: number, picture: (place: Place) => Promise<ImageBitmap> | null}} about ticks a second, and what is
   *   known of how a place looked. */
  constructor(about) {
    this._about = about;
    /** @type {Signal<Place>} a place that somebody drags over. */
    this.scrubbed = new Signal();
    /** @type {Signal<Place>} a place that somebody chose. */
    this.chosen = new Signal();
    /** @type {readonly Branch[]} */
    this._branches = [];
    /** @type {Place} */
    this._place = { branch: "main", tick: 0 };
    /** @type {{branch: string, start: number} | null} */
    this._recording = null;
    this._span = LEAST * about.rate;
    this._width = 0;
    this._dragging = false;
    this._lines = drawing("g");
    this._path = drawing("g", { class: "path" });
    this._marks = drawing("g");
    this._tape = drawing("rect", { class: "tape", height: 8, rx: 4, visibility: "hidden" });
    this._handle = drawing("g", { class: "handle" }, drawing("line", { y1: 0, y2: 0 }), drawing("circle", { r: 6.5 }));
    this._picture = drawing("svg", { class: "tracks" }, this._lines, this._path, this._tape, this._marks, this._handle);
    this._glance = element("canvas", { width: 64, height: 64 });
    this._told = element("strong", {});
    this._tip = element(
      "div.tip",
      { "aria-hidden": "true", hidden: true },
      this._glance,
      this._told,
      element("span", {}),
    );
    this._tracks = element(
      "div.timeline-tracks",
      {
        tabIndex: 0,
        role: "slider",
        "aria-label": "Moment of the session",
        "aria-valuemin": "0",
        onkeydown: (/** @type {KeyboardEvent} */ event) => this._key(event),
        onpointerdown: (/** @type {PointerEvent} */ event) => this._grab(event),
        onpointermove: (/** @type {PointerEvent} */ event) => this._move(event),
        onpointerup: (/** @type {PointerEvent} */ event) => this._drop(event),
        onpointercancel: () => (this._dragging = false),
        onpointerleave: () => (this._tip.hidden = true),
      },
      this._picture,
    );
    this.element = element("div.timeline", {}, this._tracks, this._tip);
    this._watch = new ResizeObserver(() => this._resize());
    this._watch.observe(this._tracks);
  }

  close() {
    this._watch.disconnect();
  }

  /** @param {readonly Branch[]} branches */
  show(branches) {
    this._branches = branches;
    this._render();
  }

  /** @returns {Place} what the handle points at. */
  get place() {
    return this._place;
  }

  /** @param {Place} place that is shown now. */
  moveTo(place) {
    if (this._dragging) return;
    const hopped = place.branch !== this._place.branch;
    this._place = place;
    if (hopped || this._longest() > this._span) this._render();
    else this._point();
  }

  /** @param {{branch: string, start: number} | null} recording that is being made. */
  tape(recording) {
    this._recording = recording;
    this._point();
  }

  _longest() {
    return Math.max(...this._branches.map((branch) => branch.end), 0);
  }

  _resize() {
    if (this._tracks.clientWidth === this._width) return;
    this._width = this._tracks.clientWidth;
    this._render();
  }

  /** Draws all branches anew. */
  _render() {
    while (this._span < this._longest()) this._span *= GROWTH;
    const laid = layOut(this._branches);
    const height = TOP + Math.max(1, laid.length) * ROW;
    this._picture.setAttribute("width", String(this._width));
    this._picture.setAttribute("height", String(height));
    this._rows = new Map(laid.map(({ branch, row }) => [branch.name, row]));
    this._lines.replaceChildren(...this._seconds(height), ...laid.flatMap((line) => this._line(line)));
    this._marks.replaceChildren(...laid.flatMap((line) => this._marked(line)));
    this._point();
  }

  /**
   * Marks of time, not too close to each other.
   *
   * @param {number} height
   * @returns {SVGElement[]}
   */
  _seconds(height) {
    const seconds = this._span / this._about.rate;
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((each) => (this._width * each) / seconds > 64) ?? 1200;
    const marks = [];
    for (let second = step; second < seconds; second += step) {
      const x = this._x(second * this._about.rate);
      marks.push(drawing("line", { class: "mark", x1: x, x2: x, y1: 0, y2: height }));
      if (x + NUMBER > this._width) continue;
      const text = drawing("text", { class: "mark", x: x + 4, y: 9 });
      text.textContent = clock(second, 1);
      marks.push(text);
    }
    return marks;
  }

  /**
   * @param {import("./tree.js").Line} line
   * @returns {SVGElement[]}
   */
  _line({ branch, row, parentRow }) {
    const y = this._y(row);
    const [from, to] = [this._x(branch.at), this._x(branch.end)];
    const made = [drawing("line", { class: "branch", "data-branch": branch.name, x1: from, x2: to, y1: y, y2: y })];
    if (branch.parent !== null) {
      const above = this._y(parentRow);
      made.push(
        drawing("path", { class: "fork", d: `M${from} ${above}V${y}` }),
        drawing("circle", { class: "fork", cx: from, cy: above, r: 3 }),
      );
    }
    return made;
  }

  /**
   * Flags of labels, and diamonds where something was done to the world.
   *
   * @param {import("./tree.js").Line} line
   * @returns {SVGElement[]}
   */
  _marked({ branch, row }) {
    const y = this._y(row);
    const mark = (/** @type {string} */ kind, /** @type {string} */ d, /** @type {string} */ said) => {
      const text = drawing("title");
      text.textContent = said;
      return drawing("path", { class: kind, d }, text);
    };
    return [
      ...branch.labels.map(({ tick, text }) =>
        mark("flag", `M${this._x(tick)} ${y - 2}v-9h7l-2 2.5 2 2.5h-6`, `${text} (tick ${tick})`),
      ),
      ...branch.done.map(({ tick, kind, text }) =>
        mark("done", `M${this._x(tick)} ${y - 6}l5 6-5 6-5-6z`, `${kind}: ${written(text)} (tick ${tick})`),
      ),
    ];
  }

  /**
   * @param {Place} place
   * @param {number} reach in ticks.
   * @returns {string} what was done or written there, or nothing.
   */
  _said({ branch, tick }, reach) {
    const owner = ownerOf(this._branches, branch, tick);
    const marks = [...(owner?.done ?? []), ...(owner?.labels ?? [])];
    return marks
      .filter((one) => Math.abs(one.tick - tick) <= reach)
      .map(({ text }) => written(text))
      .join(", ");
  }

  /** Moves the handle, and colours the way that led to it. */
  _point() {
    const { branch, tick } = this._place;
    const owner = ownerOf(this._branches, branch, tick);
    const y = this._y(this._rows?.get(owner?.name ?? branch) ?? 0);
    const height = Number(this._picture.getAttribute("height") ?? 0);
    this._handle.setAttribute("transform", `translate(${this._x(tick)} ${y})`);
    const line = this._handle.firstElementChild;
    line?.setAttribute("y1", String(-y));
    line?.setAttribute("y2", String(height - y));
    this._way(branch, tick);
    this._showTape();
    const rate = this._about.rate;
    this._tracks.setAttribute("aria-valuenow", String(tick));
    this._tracks.setAttribute("aria-valuemax", String(this._end(branch)));
    const said = this._said(this._place, 0);
    const where = `${clock(tick, rate, true)}, tick ${tick} of branch ${branch}`;
    this._tracks.setAttribute("aria-valuetext", said ? `${where}: ${said}` : where);
  }

  /**
   * @param {string} branch
   * @param {number} tick
   */
  _way(branch, tick) {
    const here = this._branches.find((each) => each.name === branch);
    const path = pathTo(this._branches, branch, tick);
    if (here && here.end > tick)
      path.push(...pathTo(this._branches, branch, here.end).map((part) => ({ ...part, ahead: true })));
    const parts = path.map((part) => {
      const y = this._y(this._rows?.get(part.branch.name) ?? 0);
      return { ...part, y, ahead: "ahead" in part };
    });
    const lines = parts
      .reverse()
      .map(({ from, to, y, ahead }) =>
        drawing("line", { class: ahead ? "ahead" : "lived", x1: this._x(from), x2: this._x(to), y1: y, y2: y }),
      );
    this._path.replaceChildren(...lines);
  }

  _showTape() {
    const tape = this._recording;
    this._tape.setAttribute("visibility", tape ? "visible" : "hidden");
    if (!tape) return;
    const [from, to] = [this._x(tape.start), this._x(Math.max(tape.start, this._place.tick))];
    const y = this._y(this._rows?.get(tape.branch) ?? 0);
    for (const [name, value] of Object.entries({ x: from - 4, width: to - from + 8, y: y - 4 }))
      this._tape.setAttribute(name, String(value));
  }

  /** @param {number} tick */
  _x(tick) {
    return SIDE + (tick / this._span) * Math.max(1, this._width - 2 * SIDE);
  }

  /** @param {number} row */
  _y(row) {
    return TOP + ROW * (row + 0.5);
  }

  /** @param {string} branch */
  _end(branch) {
    return this._branches.find((each) => each.name === branch)?.end ?? 0;
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} stay on the branch that was grabbed.
   * @returns {Place} what lies below the pointer.
   */
  _below(event, stay) {
    const box = this._tracks.getBoundingClientRect();
    const x = (event.clientX - box.left - SIDE) / Math.max(1, this._width - 2 * SIDE);
    const row = Math.floor((event.clientY - box.top + this._tracks.scrollTop - TOP) / ROW);
    const wanted = Math.round(x * this._span);
    let name = this._place.branch;
    if (!stay) {
      const found = [...(this._rows ?? [])].find(([, each]) => each === row)?.[0];
      // A line that the present branch shares with its parents is still the present branch.
      const shared = ownerOf(this._branches, name, Math.min(wanted, this._end(name)))?.name;
      if (found !== undefined && found !== shared) name = found;
    }
    return { branch: name, tick: Math.min(this._end(name), Math.max(0, wanted)) };
  }

  /** @param {PointerEvent} event */
  _grab(event) {
    if (event.button !== 0) return;
    this._tracks.setPointerCapture(event.pointerId);
    this._dragging = true;
    this._place = this._below(event, false);
    this._point();
    this.scrubbed.tell(this._place);
  }

  /** @param {PointerEvent} event */
  _move(event) {
    const place = this._below(event, this._dragging);
    this._showTip(event, place);
    if (!this._dragging || place.tick === this._place.tick) return;
    this._place = place;
    this._point();
    this.scrubbed.tell(place);
  }

  /** @param {PointerEvent} event */
  _drop(event) {
    if (!this._dragging) return;
    this._dragging = false;
    if (event.pointerType !== "mouse") this._tip.hidden = true;
    this.chosen.tell(this._place);
  }

  /**
   * @param {PointerEvent} event
   * @param {Place} place
   */
  _showTip(event, place) {
    const box = this.element.getBoundingClientRect();
    const text = this._tip.lastElementChild;
    const time = clock(place.tick, this._about.rate, true);
    if (text) text.textContent = `${time} · tick ${place.tick} · ${place.branch}`;
    this._told.textContent = this._said(place, (REACH * this._span) / Math.max(1, this._width - 2 * SIDE));
    this._tip.hidden = false;
    const half = this._tip.offsetWidth / 2;
    this._tip.style.left = `${Math.min(box.width - half, Math.max(half, event.clientX - box.left))}px`;
    const picture = this._about.picture(place);
    this._glance.hidden = picture === null;
    picture?.then((image) => (this._glance.getContext("2d")?.drawImage(image, 0, 0, 64, 64), image.close()));
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    const { branch, tick } = this._place;
    const second = Math.round(this._about.rate);
    /** @type {Record<string, number>} */
    const wanted = {
      ArrowLeft: tick - 1,
      ArrowRight: tick + 1,
      PageUp: tick + second,
      PageDown: tick - second,
      Home: 0,
      End: this._end(branch),
    };
    if (event.code === "ArrowUp" || event.code === "ArrowDown") {
      const names = [...(this._rows?.keys() ?? [])];
      const next = names[names.indexOf(branch) + (event.code === "ArrowUp" ? -1 : 1)];
      if (next !== undefined) this._choose({ branch: next, tick: Math.min(tick, this._end(next)) });
    } else if (event.code in wanted) {
      this._choose({ branch, tick: Math.min(this._end(branch), Math.max(0, wanted[event.code])) });
    } else return;
    event.preventDefault();
  }

  /** @param {Place} place */
  _choose(place) {
    this._place = place;
    this._point();
    this.chosen.tell(place);
  }
}
