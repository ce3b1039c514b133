/** A small line of the newest values. */

import { element } from "./element.js";

export class Sparkline {
  /** @param {{low: number | null, high: number | null, kind: string, size?: number}} about ends of the axis, null where
   *   the values decide; a class of the style sheet, which has the colour; how many values are shown. */
  constructor(about) {
    this._about = about;
    /** @type {number[]} */
    this._values = [];
    this.element = element(`canvas.sparkline.${about.kind}`, { "aria-hidden": "true", width: 240, height: 40 });
  }

  /** @param {number} value */
  add(value) {
    this._values.push(value);
    if (this._values.length > (this._about.size ?? 120)) this._values.shift();
  }

  clear() {
    this._values.length = 0;
    this.draw();
  }

  /** Draws what was added. */
  draw() {
    const canvas = this.element;
    const density = devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * density), Math.round(canvas.clientHeight * density)];
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    if (this._values.length < 2) return;
    const low = this._about.low ?? Math.min(...this._values);
    const high = Math.max(this._about.high ?? 1.4 * Math.max(...this._values), low + 1e-6);
    const step = width / ((this._about.size ?? 120) - 1);
    const begin = width - step * (this._values.length - 1);
    const y = (/** @type {number} */ value) =>
      height - density - ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * (height - 2 * density);
    context.strokeStyle = getComputedStyle(canvas).color;
    context.lineWidth = 1.5 * density;
    context.lineJoin = "round";
    context.beginPath();
    this._values.forEach((value, place) => context.lineTo(begin + place * step, y(value)));
    context.stroke();
  }
}
