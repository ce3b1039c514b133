/** What the world itself says of a tick: the reward that it predicts, and how likely it is that the game has ended. */

import { element } from "./element.js";
import { Sparkline } from "./sparkline.js";

const REFRESH = 100;

export class Forecast {
  constructor() {
    this._reward = element("span.value", { "data-figure": "reward" }, "–");
    this._end = element("span.value", { "data-figure": "terminal" }, "–");
    this._bar = element("div.bar-fill");
    this._spark = new Sparkline({ low: 0, high: 1, kind: "warm" });
    this._rewards = new Sparkline({ low: 0, high: 1, kind: "calm" });
    this._due = 0;
    this.element = element(
      "section.group.forecast",
      { "aria-label": "What the world predicts" },
      element("h2", {}, "The world predicts"),
      this._row("Reward", this._reward, this._rewards.element),
      this._row("Game ends", this._end, this._spark.element),
      element("div.bar-track", { "aria-hidden": "true" }, this._bar),
    );
  }

  /**
   * @param {import("./frame.js").Frame} frame of the branch that is played.
   * @param {number} now
   */
  take(frame, now) {
    this._rewards.add(frame.reward);
    this._spark.add(frame.likelihood);
    if (now < this._due && !frame.jumped) return;
    this._due = now + REFRESH;
    this._reward.textContent = (Math.abs(frame.reward) < 0.005 ? 0 : frame.reward).toFixed(2);
    this._end.textContent = `${(100 * frame.likelihood).toFixed(frame.likelihood < 0.1 ? 1 : 0)} %`;
    this._bar.style.width = `${100 * Math.min(1, Math.max(0, frame.likelihood))}%`;
    this._rewards.draw();
    this._spark.draw();
  }

  /**
   * @param {string} name
   * @param {HTMLElement} value
   * @param {HTMLElement} spark
   */
  _row(name, value, spark) {
    return element("div.forecast-row", {}, element("span.dim", {}, name), spark, value);
  }
}
