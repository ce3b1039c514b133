/** The line to type an event into, for a world in which something can be made to happen. */

import { element } from "./element.js";
import { Signal } from "./signal.js";

export class Directing {
  /** @param {readonly string[]} events names of what can happen. */
  constructor(events) {
    /** @type {Signal<string>} what shall happen with the next tick, by its name or in words. */
    this.told = new Signal();
    this._line = element("input", {
      type: "text",
      id: "event",
      autocomplete: "off",
      maxLength: 300,
      placeholder: events.length ? written(events[0]) : "",
    });
    this._line.setAttribute("list", "events");
    this.element = element(
      "section.group",
      { "aria-label": "Directing", hidden: !events.length },
      element("h2", {}, "Directing"),
      element(
        "form.directing",
        { onsubmit: (/** @type {Event} */ event) => this._submit(event) },
        element("label", { for: "event" }, "Next"),
        this._line,
        element("button.tool.small", { type: "submit" }, "Do"),
      ),
      element("datalist", { id: "events" }, ...events.map((name) => element("option", { value: written(name) }))),
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

/**
 * @param {string} name
 * @returns {string} as people write it.
 */
function written(name) {
  return name.replaceAll("_", " ");
}
