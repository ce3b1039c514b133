/** How a world begins: a fresh dream, a sentence, a recorded moment, or a picture of one's own. */

import { element, icon } from "./element.js";
import { complain } from "./notice.js";
import * as rest from "./rest.js";

/** @typedef {import("./messages.js").WorldCard} WorldCard */
/** @typedef {{seed?: number, sentence?: string, prompt?: string, image?: string}} Beginning */

/** What the server takes. */
const PICTURES = "image/png,image/jpeg,image/webp";
const SEEDS = 10_000;
const SENTENCE = 300;

const WAYS = /** @type {const} */ ([
  ["dream", "Dream", "dream"],
  ["words", "In words", "words"],
  ["moment", "Moment", "moment"],
  ["image", "Your picture", "image"],
]);

export class Start {
  /** @param {{world: WorldCard, enter: (beginning: Beginning) => Promise<void>}} about */
  constructor(about) {
    this._about = about;
    /** @type {Beginning | null} */
    this._beginning = null;
    /** Where this way says why it was refused. */
    this._refused = element("p.refused", { role: "alert" });
    const { prompts, examples } = about.world;
    const ways = WAYS.filter(([way]) => (way !== "moment" || prompts > 0) && (way !== "words" || examples.length));
    this._tabs = ways.map(([way, name, picture]) =>
      element(
        "button.way",
        { type: "button", role: "tab", id: `way-${way}`, "aria-controls": "way", onclick: () => this._choose(way) },
        icon(picture),
        element("span", {}, name),
      ),
    );
    this._panel = element("div.way-panel", { role: "tabpanel", id: "way" });
    this._go = element("button.primary.go", { type: "button", onclick: () => this._enter() }, "Enter the world");
    this.element = element(
      "section.start",
      { "aria-label": `Begin ${about.world.title}` },
      element(
        "div.ways",
        {
          role: "tablist",
          "aria-label": "How it begins",
          onkeydown: (/** @type {KeyboardEvent} */ e) => this._key(e),
        },
        ...this._tabs,
      ),
      this._panel,
      this._go,
    );
    this._choose("dream");
  }

  /** @param {string} way */
  _choose(way) {
    for (const tab of this._tabs) {
      const chosen = tab.id === `way-${way}`;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    this._panel.setAttribute("aria-labelledby", `way-${way}`);
    this._ready(null);
    const contents = { dream: this._dream, words: this._words, moment: this._moment, image: this._image };
    this._refused.textContent = "";
    this._panel.replaceChildren(...contents[/** @type {keyof typeof contents} */ (way)].call(this), this._refused);
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.code];
    if (by === undefined) return;
    const now = this._tabs.findIndex((tab) => tab.tabIndex === 0);
    const next = this._tabs[(now + by + this._tabs.length) % this._tabs.length];
    next.click();
    next.focus();
    event.preventDefault();
  }

  /** @param {Beginning | null} beginning */
  _ready(beginning) {
    this._beginning = beginning;
    this._go.disabled = beginning === null;
  }

  async _enter() {
    if (this._beginning === null) return;
    this._go.disabled = true;
    this._go.textContent = "Opening …";
    this._refused.textContent = "";
    try {
      await this._about.enter(this._beginning);
    } catch (error) {
      this._refused.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      this._go.disabled = false;
      this._go.textContent = "Enter the world";
    }
  }

  /** @returns {Node[]} */
  _dream() {
    const roll = () => Math.floor(Math.random() * SEEDS);
    const input = element("input.seed", {
      type: "number",
      min: "0",
      max: "2147483647",
      step: "1",
      value: String(roll()),
      id: "seed",
    });
    const read = () => {
      const seed = Number(input.value);
      const known = Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31 && input.value !== "";
      this._refused.textContent = known ? "" : "A seed is a whole number from 0 to 2,147,483,647.";
      this._ready(known ? { seed } : null);
    };
    input.addEventListener("input", read);
    input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => event.code === "Enter" && this._enter());
    const dice = element(
      "button.tool",
      {
        type: "button",
        "aria-label": "Another seed",
        title: "Another seed",
        onclick: () => ((input.value = String(roll())), read()),
      },
      icon("dice"),
    );
    read();
    return [
      element("p", {}, "The world dreams a place from nothing. The same seed is always the same place."),
      element("div.seed-row", {}, element("label", { for: "seed" }, "Seed"), input, dice),
    ];
  }

  /** @returns {Node[]} */
  _words() {
    const { examples } = this._about.world;
    const input = element("textarea", { id: "sentence", rows: 2, maxLength: SENTENCE, placeholder: examples[0] });
    const read = () => {
      const sentence = input.value.trim();
      this._refused.textContent = "";
      this._ready(sentence ? { sentence } : null);
    };
    input.addEventListener("input", read);
    input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.code !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      this._enter();
    });
    const chips = examples.map((example) =>
      element(
        "button.chip",
        { type: "button", onclick: () => ((input.value = example), read(), input.focus()) },
        example,
      ),
    );
    return [
      element("label", { for: "sentence" }, "Say what there is, and the world draws a place of which it is so."),
      input,
      element("div.chips", { role: "group", "aria-label": "Examples" }, ...chips),
    ];
  }

  /** @returns {Node[]} */
  _moment() {
    const grid = element(
      "div.moments",
      { role: "radiogroup", "aria-label": "Recorded moments" },
      element("div.spinner", {}),
    );
    rest.prompts(this._about.world.name).then((prompts) => {
      const made = prompts.map((prompt) => {
        const choose = () => this._ready({ prompt: prompt.name });
        return element(
          "label.moment",
          {},
          element("input", { type: "radio", name: "moment", onchange: choose }),
          element("img.pixels", { src: prompt.picture, alt: "", width: 64, height: 64 }),
          element("span", {}, prompt.title),
        );
      });
      grid.replaceChildren(...made);
      grid.querySelector("input")?.click();
    }, complain);
    return [element("p", {}, "The world is shown a few real frames and goes on from the last of them."), grid];
  }

  /** @returns {Node[]} */
  _image() {
    const input = element("input", {
      type: "file",
      accept: PICTURES,
      id: "picture",
      onchange: () => input.files?.[0] && take(input.files[0]),
    });
    const found = element("div.found", { "aria-live": "polite" });
    const drop = element(
      "label.drop",
      { for: "picture" },
      icon("image"),
      element("span", {}, "Drop a picture here, or choose one"),
      element("span.dim", {}, "PNG, JPEG or WebP, at most 4 MB; it never leaves this server"),
      input,
    );
    const take = async (/** @type {File} */ file) => {
      this._ready(null);
      found.replaceChildren(element("div.spinner", {}));
      try {
        const upload = await rest.upload(this._about.world.name, file);
        found.replaceChildren(...verdict(upload));
        this._ready({ image: upload.id });
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        found.replaceChildren(element("p.refused", { role: "alert" }, why));
      }
    };
    drop.addEventListener(
      "dragover",
      (/** @type {DragEvent} */ event) => (event.preventDefault(), drop.toggleAttribute("data-over", true)),
    );
    drop.addEventListener("dragleave", () => drop.toggleAttribute("data-over", false));
    drop.addEventListener("drop", (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      drop.toggleAttribute("data-over", false);
      const file = event.dataTransfer?.files[0];
      if (file) take(file);
    });
    return [drop, found];
  }
}

/**
 * @param {import("./messages.js").Upload} upload
 * @returns {Node[]} the picture, what the world makes of it, and how well it knows such pictures.
 */
function verdict(upload) {
  const side = (/** @type {string} */ source, /** @type {string} */ text) =>
    element(
      "figure",
      {},
      element("img.pixels", { src: source, alt: text, width: 96, height: 96 }),
      element("figcaption.dim", {}, text),
    );
  return [
    side(upload.picture, "your picture"),
    side(upload.shown, "as the world sees it"),
    element(
      "div.verdict",
      { "data-verdict": upload.verdict },
      element("strong", {}, { familiar: "Familiar", strange: "Strange", foreign: "Foreign" }[upload.verdict]),
      element("p", {}, upload.sentence),
    ),
  ];
}
