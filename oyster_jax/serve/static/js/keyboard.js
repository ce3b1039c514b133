/** The keyboard: keys by their place (`KeyboardEvent.code`), so that WASD is WASD on every layout. */

/** Elements that take all keys for themselves. */
const WRITING = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable]";
/** What else has the focus takes these, if it was reached by the keyboard. */
const CONTROL_KEYS = new Set(["Space", "Enter"]);
const SLIDER_KEYS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);

export class Keyboard {
  /**
   * @param {import("./held.js").Held} held
   * @param {import("./bindings.js").Bindings} bindings
   */
  constructor(held, bindings) {
    this.bindings = bindings;
    /** @type {(event: KeyboardEvent) => boolean} what keys that press no button do; true where it did something. */
    this.command = () => false;
    this._held = held;
    /** @type {Map<string, string>} code to the button that it pressed when it went down */
    this._down = new Map();
    this._listeners = new AbortController();
    const options = { signal: this._listeners.signal };
    addEventListener("keydown", (event) => this._press(event), options);
    addEventListener("keyup", (event) => this._release(event), options);
    // What the mouse has clicked does not keep the keyboard, or the next jump would click it again.
    addEventListener("click", (event) => event.detail > 0 && letGo(event.target), { ...options, capture: true });
  }

  /** Forgets which keys are down. */
  forget() {
    this._down.clear();
  }

  /** Listens no longer. */
  close() {
    this._listeners.abort();
    this.forget();
    this._held.set("keyboard", []);
  }

  /** @param {KeyboardEvent} event */
  _press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (belongsElsewhere(event)) return;
    const button = this.bindings[event.code];
    if (button === undefined) {
      if (!event.repeat && this.command(event)) event.preventDefault();
      return;
    }
    event.preventDefault();
    if (event.repeat) return;
    this._down.set(event.code, button);
    this._tell(event);
  }

  /** @param {KeyboardEvent} event */
  _release(event) {
    if (this._down.delete(event.code)) this._tell(event);
  }

  /** @param {KeyboardEvent} event */
  _tell(event) {
    this._held.set("keyboard", this._down.values(), event.timeStamp);
  }
}

/** @param {EventTarget | null} clicked */
function letGo(clicked) {
  const button = clicked instanceof Element ? clicked.closest("button") : null;
  if (button && !button.closest("dialog")) button.blur();
}

/**
 * @param {KeyboardEvent} event
 * @returns {boolean} whether what has the focus needs this key itself.
 */
function belongsElsewhere(event) {
  const focus = document.activeElement;
  if (!focus || focus === document.body) return false;
  if (focus.matches(WRITING)) return true;
  if (!focus.matches(":focus-visible")) return false;
  if (focus.matches("[role=slider], [type=range], [role=tab], [role=radio], [role=menuitem]"))
    return SLIDER_KEYS.has(event.code) || CONTROL_KEYS.has(event.code);
  return focus.matches("button, a, summary, [type=checkbox]") && CONTROL_KEYS.has(event.code);
}
