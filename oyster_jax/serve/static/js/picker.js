/** The first page: the worlds that can be entered, and the sessions that can be gone on with. */

import { element, iconButton } from "./element.js";
import { complain, notice } from "./notice.js";
import * as rest from "./rest.js";
import { size } from "./recorder.js";
import { Start } from "./start.js";
import { clock } from "./tree.js";

/** @typedef {import("./messages.js").WorldCard} WorldCard */
/** @typedef {import("./messages.js").SessionInfo} SessionInfo */

/** Sessions that are listed at first. */
const LISTED = 6;

export class Picker {
  /** @param {(session: string) => void} open */
  constructor(open) {
    this._open = open;
    this._cards = element("div.cards", { role: "radiogroup", "aria-label": "Worlds" }, element("div.spinner", {}));
    this._start = element("div.start-place", {});
    this._sessions = element("section.sessions", { "aria-label": "Your sessions", hidden: true });
    this.element = element(
      "main.picker",
      {},
      element(
        "div.hero",
        {},
        element("h1", {}, "Step into a learned world"),
        element("p", {}, "Everything you will see is imagined by a neural network, frame by frame, as you act."),
      ),
      element("div.choose", {}, this._cards, this._start),
      this._sessions,
    );
    this._load();
  }

  async _load() {
    try {
      const worlds = await rest.worlds();
      const cards = worlds.map((world) => this._card(world));
      this._cards.replaceChildren(...cards);
      cards[0]?.querySelector("input")?.click();
      this._list(await rest.sessions());
    } catch (error) {
      this._cards.replaceChildren(
        element("p.dim", {}, "The worlds could not be listed. "),
        element("button.secondary", { type: "button", onclick: () => this._load() }, "Try again"),
      );
      complain(error);
    }
  }

  /**
   * @param {WorldCard} world
   * @returns {HTMLElement}
   */
  _card(world) {
    const choose = () => {
      const start = new Start({
        world,
        enter: async (beginning) => {
          const session = await rest.createSession({ world: world.name, ...beginning });
          for (const remark of session.remarks) notice(remark);
          this._open(session.id);
        },
      });
      this._start.replaceChildren(start.element);
    };
    const facts = [
      `${(world.parameters / 1e6).toFixed(world.parameters < 1e6 ? 3 : 1)} M parameters`,
      `${world.width}×${world.height} pixels`,
      `${world.rate} ticks a second`,
      world.licence,
    ];
    return element(
      "label.card",
      {},
      element("input", { type: "radio", name: "world", onchange: choose }),
      world.pictures.length
        ? element("img.pixels", { src: world.pictures[0], alt: "" })
        : element("div.no-picture", {}),
      element(
        "span.card-text",
        {},
        element("strong", {}, world.title),
        element("span.card-about", {}, summary(world.card)),
        element("span.facts", {}, ...facts.filter(Boolean).map((fact) => element("span.fact", {}, fact))),
      ),
    );
  }

  /** @param {SessionInfo[]} sessions */
  _list(sessions, all = false) {
    this._sessions.hidden = sessions.length === 0;
    const shown = all ? sessions : sessions.slice(0, LISTED);
    const rest_ = sessions.length - shown.length;
    this._sessions.replaceChildren(
      element("h2", {}, "Go on"),
      element("ul.session-list", {}, ...shown.map((each) => this._session(each, sessions))),
      rest_ > 0
        ? element("button.link", { type: "button", onclick: () => this._list(sessions, true) }, `${rest_} more`)
        : "",
    );
  }

  /**
   * @param {SessionInfo} session
   * @param {SessionInfo[]} all
   * @returns {HTMLElement}
   */
  _session(session, all) {
    const gone = async () => {
      try {
        await rest.deleteSession(session.id);
        this._list(all.filter(({ id }) => id !== session.id));
      } catch (error) {
        complain(error);
      }
    };
    return element(
      "li",
      {},
      element(
        "button.session",
        { type: "button", onclick: () => this._open(session.id) },
        element("strong", {}, session.world),
        element("span", {}, session.start),
        element(
          "span.dim",
          {},
          `${clock(session.world_time, 1)} lived · ${size(session.bytes)} · ${ago(session.created)}`,
        ),
        session.running && element("span.badge", {}, "live"),
      ),
      iconButton({ icon: "delete", name: "Delete this session", onclick: gone }),
    );
  }
}

/**
 * @param {string} card Markdown.
 * @returns {string} its first paragraph, as plain text.
 */
export function summary(card) {
  const paragraphs = card.split(/\n\s*\n/).map((part) => part.trim());
  const first = paragraphs.find((part) => part && !/^[#|!>*-]/.test(part)) ?? "";
  return first
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[*_`]/g, "")
    .replace(/\s+/g, " ");
}

/**
 * @param {number} time in seconds of the Unix epoch.
 * @returns {string} as in `3 minutes ago`.
 */
export function ago(time) {
  const seconds = Math.max(0, Date.now() / 1000 - time);
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (seconds < 60) return "just now";
  if (seconds < 3600) return format.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86_400) return format.format(-Math.round(seconds / 3600), "hour");
  return format.format(-Math.round(seconds / 86_400), "day");
}
