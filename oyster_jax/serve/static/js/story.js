/** A script panel: a story, pasted or from a file, that the server tells in this session, and how far it has come. */

import { element } from "./element.js";
import { Signal } from "./signal.js";
import { written } from "./tree.js";

/** @typedef {import("./messages.js").Story} Told */
/** @typedef {import("./messages.js").WorldCard} WorldCard */

/** Characters that the server takes. */
const LONGEST = 12_000;

export class Story {
  /** @param {{world: WorldCard, spectator: boolean}} about whoever watches sees what is told, and no more. */
  constructor(about) {
    /** @type {Signal<string | null>} a story that shall be told, null to stop. */
    this.wanted = new Signal();
    this._text = element("textarea.script", {
      id: "story",
      rows: 8,
      maxLength: LONGEST,
      spellcheck: false,
      autocapitalize: "off",
      value: example(about.world),
    });
    const file = element("input", {
      type: "file",
      accept: ".toml,text/plain",
      id: "story-file",
      onchange: async () => {
        const chosen = file.files?.[0];
        if (chosen) this._text.value = (await chosen.text()).slice(0, LONGEST);
        file.value = "";
      },
    });
    this._run = element("button.primary", { type: "submit" }, "Tell it");
    this._stop = element(
      "button.secondary",
      { type: "button", hidden: true, onclick: () => this.wanted.tell(null) },
      "Stop",
    );
    this._said = element("p.story-said", { role: "status" });
    this._acts = element("ol.acts", { "aria-label": "Acts" });
    const form = element(
      "form.story",
      { onsubmit: (/** @type {Event} */ event) => this._submit(event) },
      element("label", { for: "story" }, "Acts, as in the files of oyster direct"),
      this._text,
      element(
        "div.story-end",
        {},
        element("label.secondary.file", { for: "story-file" }, "Open a file", file),
        this._stop,
        this._run,
      ),
    );
    this._script = element("details", {}, element("summary", {}, "Tell a story"), form);
    this.element = element(
      "section.group",
      { "aria-label": "Story", hidden: about.spectator },
      about.spectator ? element("h2", {}, "Story") : this._script,
      this._said,
      this._acts,
    );
  }

  /** @param {Told} told how the story stands. */
  show({ phase, sentence, acts, told }) {
    const runs = phase === "telling";
    const now = told.at(-1);
    this.element.hidden = false;
    this._stop.hidden = !runs;
    this._run.textContent = runs ? "Again" : "Tell it";
    this._said.textContent = sentence;
    this._said.toggleAttribute("data-trouble", phase === "failed");
    const states = acts.map((_, number) => {
      if (runs && number === now) return "now";
      if (told.includes(number)) return "done";
      return number < (now ?? 0) || phase === "told" ? "left out" : "to come";
    });
    this._acts.replaceChildren(...acts.map((act, number) => item(act, states[number])));
    this._acts.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {unknown} error why it is not told. */
  refuse(error) {
    this._said.textContent = error instanceof Error ? error.message : String(error);
    this._said.toggleAttribute("data-trouble", true);
  }

  /** @param {Event} event */
  _submit(event) {
    event.preventDefault();
    this._said.textContent = "";
    this.wanted.tell(this._text.value);
  }
}

/**
 * @param {Told["acts"][number]} act
 * @param {string} state
 * @returns {HTMLElement}
 */
function item(act, state) {
  return element(
    "li",
    { "data-state": state, "aria-current": state === "now" ? "step" : null },
    element("span.act-mark", { role: "img", "aria-label": state }),
    element("span.act-text", { title: act.does }, act.label || written(act.does)),
    element("span.dim", {}, act.branch),
  );
}

/**
 * @param {WorldCard} world
 * @returns {string} a story of two acts that the world can do.
 */
function example({ name, events, actions }) {
  const happens = events.length ? `event = "${written(events[0])}"\n` : "";
  const [idle, other] = [actions[0], actions.at(-1)];
  return `world = "${name}"\n\n[[act]]\n${happens}do = "${idle}*10"\n\n[[act]]\ndo = "${other}*10"\n`;
}
