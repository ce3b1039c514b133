/** Buttons on the screen, for thumbs and for the mouse; they also say which keys do the same. */

import { codesOf, keyName, shownButtons } from "./bindings.js";
import { element } from "./element.js";

const SIGNS = new Map([
  ["left", "←"],
  ["right", "→"],
  ["up", "↑"],
  ["down", "↓"],
]);

export class Pad {
  /**
   * @param {import("./held.js").Held} held
   * @param {readonly string[]} buttons of the world.
   * @param {import("./bindings.js").Bindings} bindings
   */
  constructor(held, buttons, bindings) {
    this._held = held;
    /** @type {Map<number, string | null>} finger to the button below it */
    this._fingers = new Map();
    const shown = shownButtons(buttons);
    this._keys = new Map(shown.map((button) => [button, this._key(button, bindings)]));
    const side = (/** @type {boolean} */ steering) =>
      shown.filter((button) => SIGNS.has(button) === steering).map((button) => this._keys.get(button));
    this.element = element(
      "div.pad",
      { role: "group", "aria-label": "Buttons of the world" },
      element("div.pad-steer", {}, ...side(true)),
      element("div.pad-act", {}, ...side(false)),
    );
    for (const kind of ["pointerdown", "pointermove"])
      this.element.addEventListener(kind, (/** @type {PointerEvent} */ e) => this._touch(e));
    this._listeners = new AbortController();
    for (const kind of ["pointerup", "pointercancel"])
      addEventListener(kind, (e) => this._lift(/** @type {PointerEvent} */ (e)), { signal: this._listeners.signal });
    this.element.addEventListener("contextmenu", (/** @type {Event} */ event) => event.preventDefault());
    held.changed.listen(({ held: down }) => this._show(down));
  }

  /**
   * Writes other keys on the buttons.
   *
   * @param {import("./bindings.js").Bindings} bindings
   */
  relabel(bindings) {
    for (const [button, key] of this._keys) {
      const keys = codesOf(bindings, button).map(keyName);
      const caps = keys.map((name) => element("kbd", {}, name));
      key.querySelector(".pad-keys")?.replaceChildren(...caps);
      key.setAttribute("aria-label", keys.length ? `${button}, keys ${keys.join(" or ")}` : button);
    }
  }

  /** Listens no longer. */
  close() {
    this._listeners.abort();
    this.forget();
    this._held.set("pad", []);
  }

  /** Forgets which fingers are down. */
  forget() {
    this._fingers.clear();
  }

  /**
   * @param {string} button
   * @param {import("./bindings.js").Bindings} bindings
   * @returns {HTMLElement}
   */
  _key(button, bindings) {
    const keys = codesOf(bindings, button).map(keyName);
    return element(
      "div.pad-key",
      {
        role: "img", // Not a control for the keyboard: the keys that it names are.
        "data-button": button,
        "aria-label": keys.length ? `${button}, keys ${keys.join(" or ")}` : button,
      },
      element("span.pad-name", {}, SIGNS.get(button) ?? button),
      element("span.pad-keys", {}, ...keys.map((name) => element("kbd", {}, name))),
    );
  }

  /** @param {PointerEvent} event */
  _touch(event) {
    if (event.type === "pointerdown") {
      // A finger may slide from one button to the next, so that no button may keep it.
      if (event.target instanceof Element) event.target.releasePointerCapture?.(event.pointerId);
      event.preventDefault();
    } else if (!this._fingers.has(event.pointerId)) return;
    const below = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-button]");
    this._fingers.set(event.pointerId, below instanceof HTMLElement ? (below.dataset.button ?? null) : null);
    this._tell(event.timeStamp);
  }

  /** @param {PointerEvent} event */
  _lift(event) {
    if (this._fingers.delete(event.pointerId)) this._tell(event.timeStamp);
  }

  /** @param {number} at */
  _tell(at) {
    this._held.set(
      "pad",
      [...this._fingers.values()].filter((button) => button !== null),
      at,
    );
  }

  /** @param {string[]} down */
  _show(down) {
    for (const [button, key] of this._keys) key.toggleAttribute("data-down", down.includes(button));
  }
}
