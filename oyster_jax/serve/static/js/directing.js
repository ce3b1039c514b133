/** The line to type an event into, for a world in which something can be made to happen; what happened, undone. */

import { element, iconButton } from "./element.js";
import { Signal } from "./signal.js";
import { clock, written } from "./tree.js";

/** @typedef {import("./tree.js").Done} Done */

/** So many of the newest are listed. */
const LISTED = 5;

export class Directing {
  /** @param {{events: readonly string[], rate: number, undo: () => void}} about names of what can happen, ticks a
   *   second, and what its button does. */
  constructor(about) {
    this._rate = about.rate;
    /** @type {Signal<string>} what shall happen with the next tick, by its name or in words. */
    this.told = new Signal();
    /** @type {Signal<number>} a tick on the way to now that somebody chose. */
    this.chosen = new Signal();
    this._line = element("input", {
      type: "text",
      id: "event",
      autocomplete: "off",
      maxLength: 300,
      placeholder: about.events.length ? written(about.events[0]) : "",
    });
    this._line.setAttribute("list", "events");
    this._undo = iconButton({ icon: "undo", name: "Undo", key: "U", class: "tool.small", onclick: about.undo });
    this._undo.dataset.command = "undo";
    this._history = element("ol.history", { "aria-label": "What happened" });
    this.element = element(
      "section.group",
      { "aria-label": "Directing", hidden: !about.events.length },
      element("div.group-head", {}, element("h2", {}, "Directing"), this._undo),
      element(
        "form.directing",
        { onsubmit: (/** @type {Event} */ event) => this._submit(event) },
        element("label", { for: "event" }, "Next"),
        this._line,
        element("button.tool.small", { type: "submit" }, "Do"),
      ),
      element("datalist", { id: "events" }, ...about.events.map((name) => element("option", { value: written(name) }))),
      this._history,
    );
    this.show([]);
  }

  /** @param {readonly Done[]} happened on the way to now, the newest last. */
  show(happened) {
    const last = happened.at(-1);
    this._undo.disabled = !last || last.tick === 0;
    this._undo.title = last ? `Undo (U): back to before ${written(last.text)}` : "Nothing was done to the world";
    const items = happened.slice(-LISTED).reverse();
    this._history.replaceChildren(...items.map((one) => element("li", {}, this._item(one))));
  }

  /**
   * @param {Done} one
   * @returns {HTMLElement}
   */
  _item({ tick, text }) {
    return element(
      "button.happened",
      { type: "button", title: `Go to tick ${tick}`, onclick: () => this.chosen.tell(tick) },
      element("span.dim", {}, clock(tick, this._rate, true)),
      element("span.happened-text", {}, written(text)),
    );
  }

  /** @param {Event} event */
  _submit(event) {
    event.preventDefault();
    const said = this._line.value.trim();
    if (!said) return;
    this._line.value = "";
    this.told.tell(said);
  }
}
