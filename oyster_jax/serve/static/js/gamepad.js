/** Gamepads of the standard layout; they tell of nothing, so they are asked before every picture. */

import { shownButtons } from "./bindings.js";

/** How far a stick must lean to count. */
const LEAN = 0.4;
const CROSS = new Map([
  [12, "up"],
  [13, "down"],
  [14, "left"],
  [15, "right"],
]);
/** The four buttons on the right, then the shoulders. */
const FACE = [0, 1, 2, 3, 4, 5, 6, 7];

export class GamepadInput {
  /**
   * @param {import("./held.js").Held} held
   * @param {readonly string[]} buttons of the world.
   */
  constructor(held, buttons) {
    this._held = held;
    this._buttons = buttons;
    this._others = shownButtons(buttons).filter((button) => ![...CROSS.values()].includes(button));
    this._asking = 0;
    this._listeners = new AbortController();
    const options = { signal: this._listeners.signal };
    addEventListener("gamepadconnected", () => this._ask(), options);
    if (navigator.getGamepads?.().some(Boolean)) this._ask();
  }

  /** Asks no longer. */
  close() {
    this._listeners.abort();
    cancelAnimationFrame(this._asking);
    this._held.set("gamepad", []);
  }

  _ask() {
    cancelAnimationFrame(this._asking);
    const pads = navigator.getGamepads().filter((pad) => pad !== null);
    this._held.set("gamepad", document.hasFocus() ? pads.flatMap((pad) => this._pressed(pad)) : []);
    if (pads.length) this._asking = requestAnimationFrame(() => this._ask());
  }

  /**
   * @param {Gamepad} pad
   * @returns {string[]}
   */
  _pressed(pad) {
    const [x = 0, y = 0] = pad.axes;
    const found = [];
    if (x < -LEAN) found.push("left");
    if (x > LEAN) found.push("right");
    if (y < -LEAN) found.push("up");
    if (y > LEAN) found.push("down");
    for (const [place, button] of CROSS) if (pad.buttons[place]?.pressed) found.push(button);
    FACE.forEach((place, order) => {
      if (pad.buttons[place]?.pressed && this._others.length) found.push(this._others[order % this._others.length]);
    });
    const jumps = this._buttons.includes("up") ? found : found.map((button) => (button === "up" ? "jump" : button));
    return jumps.filter((button) => this._buttons.includes(button));
  }
}
