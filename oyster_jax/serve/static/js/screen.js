/** The picture of the world: whole pixels, enlarged by a whole number of the display's own pixels. */

import { element } from "./element.js";
import { drawEntities } from "./entities.js";

/** How large a picture may become, in the page's pixels. */
const LARGEST = 1024;
/** Enlargement of screenshots. */
const SHOT = 8;

/** @typedef {import("./messages.js").Entity} Entity */

export class Screen {
  /** @param {{width: number, height: number, view: number, name: string}} about pixels of a frame, tiles
   *   across it, and what is shown. */
  constructor(about) {
    this.width = about.width;
    this.height = about.height;
    this.canvas = element("canvas.pixels", { width: about.width, height: about.height });
    this._overlay = element("canvas.overlay", { "aria-hidden": "true" });
    this.element = element(
      "div.screen",
      { tabIndex: 0, role: "application", "aria-label": `${about.name}: the world that you play` },
      this.canvas,
      this._overlay,
    );
    const context = this.canvas.getContext("2d", { alpha: false, desynchronized: true });
    if (!context) throw new Error("This browser draws no canvas; another one is needed to play.");
    this._context = context;
    this._scale = 1;
    /** @type {readonly Entity[] | null} */
    this._entities = null;
    this._view = about.view;
  }

  /**
   * Follows the room that it has.
   *
   * @param {HTMLElement} room whose inside it may fill.
   * @returns {() => void} ends it.
   */
  fit(room) {
    const fit = () => this._fit(room.clientWidth, room.clientHeight);
    const watch = new ResizeObserver(fit);
    watch.observe(room);
    addEventListener("resize", fit); // The density of pixels changes without the room changing.
    fit();
    return () => (watch.disconnect(), removeEventListener("resize", fit));
  }

  /** @param {CanvasImageSource} picture of exactly one frame. */
  draw(picture) {
    this._context.drawImage(picture, 0, 0, this.width, this.height);
  }

  /**
   * Shows or hides what the world says of its things.
   *
   * @param {readonly Entity[] | null} entities null hides them.
   */
  overlay(entities) {
    if (entities === null && this._entities === null) return;
    this._entities = entities;
    this._drawOverlay();
  }

  /** @returns {Promise<Blob>} the picture as PNG, enlarged, with its overlay where one is shown. */
  shot() {
    const copy = element("canvas", { width: SHOT * this.width, height: SHOT * this.height });
    const context = copy.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(this.canvas, 0, 0, copy.width, copy.height);
    if (this._entities) drawEntities(context, this._entities, this._view, copy.width, copy.height);
    return new Promise((resolve, reject) => {
      const done = (/** @type {Blob | null} */ blob) =>
        blob ? resolve(blob) : reject(new Error("The browser could not write the picture."));
      copy.toBlob(done, "image/png");
    });
  }

  /**
   * @param {number} width of the room, in the page's pixels.
   * @param {number} height
   */
  _fit(width, height) {
    const density = devicePixelRatio || 1;
    const room = Math.min(width / this.width, height / this.height, LARGEST / this.width);
    this._scale = Math.max(1, Math.floor(room * density));
    const [wide, high] = [this.width * this._scale, this.height * this._scale];
    for (const each of [this.element, this.canvas, this._overlay]) {
      each.style.width = `${wide / density}px`;
      each.style.height = `${high / density}px`;
    }
    Object.assign(this._overlay, { width: wide, height: high });
    this._drawOverlay();
  }

  _drawOverlay() {
    const context = this._overlay.getContext("2d");
    context.clearRect(0, 0, this._overlay.width, this._overlay.height);
    if (this._entities) drawEntities(context, this._entities, this._view, this._overlay.width, this._overlay.height);
  }
}
