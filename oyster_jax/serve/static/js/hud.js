/** Figures of how the world runs: speed, latencies with their parts, and what is left. */

import { element } from "./element.js";
import { Rate, Recent } from "./meter.js";
import { Sparkline } from "./sparkline.js";
import { clock } from "./tree.js";

/** @typedef {import("./frame.js").Frame} Frame */

/** How often the numbers change, in milliseconds; faster cannot be read. */
const REFRESH = 250;

/** Name, unit and what it means, in the order in which they are shown. */
const FIGURES = [
  ["fps", "Frames", "fps", "frames drawn a second"],
  ["step", "Tick", "ms", "computing one tick of the world, median"],
  ["encode", "Encode", "ms", "encoding its picture, median"],
  ["photon", "Press to photon", "ms", "from a key to the first picture computed with it being on the canvas, median"],
  ["waited", "Wait for tick", "ms", "of that: the key waited at the server for the next tick, median"],
  ["link", "Link", "kB/s", "what the pictures take"],
  ["tick", "Tick number", "", "of this branch"],
  ["remaining", "Time left", "", "world time that the session still has"],
];

export class Hud {
  /** @param {{rate: number}} about ticks a second at the world's own pace. */
  constructor(about) {
    this._worldRate = about.rate;
    this._rate = new Rate();
    this._bytes = new Rate();
    this._recent = { step: new Recent(90), encode: new Recent(90), photon: new Recent(40), waited: new Recent(40) };
    this._echo = NaN;
    this._stood = false;
    this._dropped = 0;
    this._due = 0;
    this._spark = new Sparkline({ low: 0, high: null, kind: "calm" });
    /** @type {Map<string, HTMLElement>} */
    this._values = new Map();
    this.element = element(
      "section.group.hud",
      { "aria-label": "Figures" },
      element("h2", {}, "Figures"),
      element("dl.figures", {}, ...FIGURES.map(([key, name, unit, why]) => this._row(key, name, unit, why))),
      element("div.spark", {}, this._spark.element, element("span.dim", {}, "ms a tick")),
    );
  }

  /**
   * Takes in a frame that has just been drawn.
   *
   * @param {Frame} frame of the branch that is played.
   * @param {number} now
   */
  take(frame, now) {
    if (!frame.paused) this._rate.add(now);
    this._bytes.add(now, frame.bytes / 1000);
    if (frame.step > 0) {
      this._recent.step.add(frame.step);
      this._recent.encode.add(frame.encode);
      this._spark.add(frame.step);
    }
    // A key that was pressed while the world stood still says nothing of speed.
    if (frame.echo !== this._echo && !Number.isNaN(frame.echo) && !frame.jumped && !this._stood) {
      this._recent.photon.add(now - frame.echo);
      this._recent.waited.add(frame.waited);
    }
    this._echo = frame.echo;
    this._stood = frame.paused;
    this._dropped += frame.dropped;
    if (now < this._due && !frame.jumped) return;
    this._due = now + REFRESH;
    this._write(frame, now);
  }

  /**
   * @param {Frame} frame
   * @param {number} now
   */
  _write(frame, now) {
    const fps = this._rate.at(now);
    const left = clock(frame.remaining, 1);
    this._set("fps", frame.paused || fps === 0 ? "–" : fps.toFixed(fps < 100 ? 1 : 0));
    for (const key of /** @type {const} */ (["step", "encode", "photon", "waited"])) {
      const value = this._recent[key].quantile(0.5);
      this._set(key, value === null ? "–" : value.toFixed(value < 10 ? 1 : 0));
    }
    this._set("link", this._bytes.at(now).toFixed(0));
    this._set("tick", frame.tick.toLocaleString("en"));
    this._set("remaining", left);
    const dropped = this._dropped ? `${this._dropped.toLocaleString("en")} frames left out by a slow link` : "";
    this._values.get("fps")?.parentElement?.setAttribute("title", dropped || "frames drawn a second");
    this._spark.draw();
  }

  /**
   * @param {string} key
   * @param {string} text
   */
  _set(key, text) {
    const value = this._values.get(key);
    if (value && value.textContent !== text) value.textContent = text;
  }

  /**
   * @param {string} key
   * @param {string} name
   * @param {string} unit
   * @param {string} why
   * @returns {HTMLElement}
   */
  _row(key, name, unit, why) {
    const value = element("span.value", { "data-figure": key }, "–");
    this._values.set(key, value);
    return element(
      "div.figure",
      { title: why },
      element("dt", {}, name),
      element("dd", {}, value, unit && element("span.unit", {}, ` ${unit}`)),
    );
  }
}
