/** The bar on top: the name, what is played, and what concerns the page as a whole. */

import { element, icon, iconButton } from "./element.js";
import { openSettings } from "./settings.js";
import { openShare } from "./share.js";
import { toggleTheme } from "./theme.js";

export class Bar {
  /** @param {{leave: () => void}} about */
  constructor(about) {
    this._title = element("span.bar-title", { hidden: true });
    /** @type {import("./player.js").Player | null} */
    this._player = null;
    const tool = (/** @type {string} */ picture, /** @type {string} */ name, /** @type {() => void} */ act) =>
      iconButton({ icon: picture, name, onclick: act });
    this._tools = element(
      "div.bar-session",
      { hidden: true },
      tool("share", "Share", () => this._player && openShare(this._player.session)),
      tool("keys", "Keys", () => this._player?.do("help")),
      tool("image", "Pictures", () => this._player && openSettings(this._player)),
    );
    this._home = element(
      "button.brand",
      { type: "button", "aria-label": "Oyster, all worlds", onclick: about.leave },
      element("span.pearl", { "aria-hidden": "true" }),
      element("span.brand-name", {}, "Oyster"),
    );
    this.element = element(
      "header.bar",
      {},
      this._home,
      this._title,
      element("span.bar-space", {}),
      this._tools,
      tool("theme", "Light or dark", () => void toggleTheme()),
    );
  }

  /**
   * @param {import("./player.js").Player | null} player
   * @param {import("./messages.js").WorldCard | null} world
   */
  show(player, world) {
    this._player = player;
    const spectator = player?.session.role === "spectator";
    this._tools.hidden = player === null || spectator;
    this._title.hidden = world === null;
    this._title.replaceChildren(icon("home"), world?.title ?? "");
    document.title = world ? `${world.title} – Oyster` : "Oyster";
  }
}
