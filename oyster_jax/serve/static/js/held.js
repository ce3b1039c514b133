/** Which of the world's buttons are held, whatever holds them: keyboard, gamepad, touch or mouse. */

import { Signal } from "./signal.js";

/** Of two opposite buttons only the one that was pressed last counts. */
const OPPOSITES = new Map([
  ["left", "right"],
  ["right", "left"],
  ["up", "down"],
  ["down", "up"],
]);

/** @typedef {{held: string[], at: number}} Input the buttons that count, and since when, as `performance.now()`. */

export class Held {
  constructor() {
    /** @type {Signal<Input>} */
    this.changed = new Signal();
    /** @type {Map<string, Set<string>>} source to buttons */
    this._sources = new Map();
    /** @type {string[]} in the order in which they were pressed */
    this._order = [];
    /** @type {Input} */
    this.input = { held: [], at: 0 };
  }

  /**
   * Notes all that one source holds.
   *
   * @param {string} source such as `keyboard`.
   * @param {Iterable<string>} buttons
   * @param {number} [at] when it happened, in milliseconds of `performance.now()`.
   */
  set(source, buttons, at = performance.now()) {
    this._sources.set(source, new Set(buttons));
    const down = new Set([...this._sources.values()].flatMap((held) => [...held]));
    this._order = this._order.filter((button) => down.has(button));
    for (const button of down) if (!this._order.includes(button)) this._order.push(button);
    const held = this._order.filter((button, place) => {
      const opposite = this._order.indexOf(OPPOSITES.get(button) ?? "");
      return opposite < place;
    });
    if (held.join("+") === this.input.held.join("+")) return;
    this.input = { held, at };
    this.changed.tell(this.input);
  }

  /** Lets go of everything. */
  clear() {
    for (const source of this._sources.keys()) this._sources.set(source, new Set());
    this.set("", []);
  }
}

/**
 * Lets go of everything whenever the page no longer hears of keys that are released: the window loses the focus, is
 * hidden or left, or a dialog opens.
 *
 * @param {Held} held
 * @param {Array<() => void>} sources of input, each told to forget what it thinks is down.
 * @returns {() => void} ends it.
 */
export function releaseOnLeave(held, sources) {
  const leave = () => {
    for (const forget of sources) forget();
    held.clear();
  };
  const hidden = () => document.hidden && leave();
  addEventListener("blur", leave);
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", hidden);
  return () => {
    removeEventListener("blur", leave);
    removeEventListener("pagehide", leave);
    document.removeEventListener("visibilitychange", hidden);
  };
}
