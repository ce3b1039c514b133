/** Where the world is seen: one screen or two, and what lies over them while nothing moves. */

import { element } from "./element.js";
import { Screen } from "./screen.js";
import { veilCard } from "./veils.js";

/** @typedef {import("./messages.js").WorldCard} WorldCard */

export class Stage {
  /** @param {WorldCard} world */
  constructor(world) {
    this._world = world;
    this.screen = this._screen();
    /** @type {Screen | null} */
    this.beside = null;
    this._caption = element("p.caption", { hidden: true });
    this._captionBeside = element("p.caption", {});
    this._room = element("div.room", {}, this.screen.element);
    this._roomBeside = element("div.room", {});
    this._veil = element("div.veil", { hidden: true, "aria-live": "polite" });
    this._badge = element("p.stage-badge", { hidden: true });
    this._rooms = element("div.rooms", {}, element("figure", {}, this._room, this._caption));
    this.element = element("div.stage", {}, this._rooms, this._badge, this._veil);
    this._ends = [this.screen.fit(this._room)];
  }

  close() {
    for (const end of this._ends) end();
  }

  /**
   * @param {number} lane
   * @param {CanvasImageSource} picture
   */
  draw(lane, picture) {
    if (lane === 0) this.screen.draw(picture);
    else this.beside?.draw(picture);
  }

  /**
   * Shows one screen, or two beside each other.
   *
   * @param {string} branch that is played.
   * @param {string | null} compared the one beside it.
   */
  compare(branch, compared) {
    this._caption.textContent = branch;
    this._caption.hidden = compared === null;
    this._captionBeside.textContent = compared ?? "";
    if (compared !== null && this.beside === null) {
      this.beside = this._screen();
      this._roomBeside.replaceChildren(this.beside.element);
      this._rooms.append(element("figure", {}, this._roomBeside, this._captionBeside));
      this._ends[1] = this.beside.fit(this._roomBeside);
    } else if (compared === null && this.beside !== null) {
      this._ends.splice(1).forEach((end) => end());
      this.beside = null;
      this._rooms.lastElementChild?.remove();
    }
    this._rooms.toggleAttribute("data-two", compared !== null);
  }

  /**
   * Lays something over the picture.
   *
   * @param {import("./veils.js").Veil | null} about null shows the picture.
   */
  veil(about) {
    this._veil.hidden = about === null;
    if (about !== null) this._veil.replaceChildren(veilCard(about));
  }

  /** @param {string | null} text a few words in the corner of the picture. */
  badge(text) {
    this._badge.hidden = text === null;
    if (this._badge.textContent !== text) this._badge.textContent = text ?? "";
  }

  _screen() {
    const { width, height, view, title } = this._world;
    return new Screen({ width, height, view: view ?? 0, name: title });
  }
}
