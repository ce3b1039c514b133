/** The controls of time: pause, step, speed, and what is done with the present moment. */

import { changeIcon, element, iconButton } from "./element.js";
import { clock } from "./tree.js";

export const SPEEDS = [0.25, 0.5, 1, 2, 4];

/**
 * What the player's keys do, as code, key as people read it, and meaning. A key that presses a button of the world does
 * that instead.
 */
export const COMMANDS = /** @type {const} */ ([
  ["KeyP", "P", "pause, play on", "toggle"],
  ["Period", ".", "one tick forward", "step"],
  ["Comma", ",", "one tick back", "back"],
  ["BracketLeft", "[", "slower", "slower"],
  ["BracketRight", "]", "faster", "faster"],
  ["End", "End", "to the end of this branch", "end"],
  ["KeyB", "B", "new branch from here", "branch"],
  ["KeyL", "L", "label this moment", "label"],
  ["KeyU", "U", "undo what was done to the world", "undo"],
  ["KeyR", "R", "record, stop recording", "record"],
  ["KeyC", "C", "screenshot", "shot"],
  ["KeyO", "O", "show what the world sees", "entities"],
  ["KeyH", "H", "figures", "figures"],
  ["KeyF", "F", "whole screen", "full"],
  ["KeyK", "K", "keys", "help"],
]);

/** @typedef {(typeof COMMANDS)[number][3] | "reset"} Command */

export class Transport {
  /**
   * @param {{rate: number, spectator: boolean, do: (command: Command) => void, speed: (factor: number) => void}} about
   */
  constructor(about) {
    this._rate = about.rate;
    const button = (
      /** @type {string} */ picture,
      /** @type {string} */ name,
      /** @type {Command} */ command,
      kind = "tool",
    ) => {
      const key = COMMANDS.find(([, , , each]) => each === command)?.[1];
      const made = iconButton({ icon: picture, name, key, class: kind, onclick: () => about.do(command) });
      made.dataset.command = command;
      return made;
    };
    this._toggle = button("pause", "Pause", "toggle", "play");
    this._record = button("record", "Record", "record");
    this._entities = button("entities", "What the world sees", "entities");
    this._figures = button("figures", "Figures", "figures");
    for (const each of [this._entities, this._figures, this._record]) each.setAttribute("aria-pressed", "false");
    this._time = element("span.time", { role: "timer", "aria-label": "Time" }, "0:00.0");
    this._speed = element(
      "select.speed",
      {
        "aria-label": "Speed",
        title: "Speed ([ and ])",
        onchange: () => {
          about.speed(Number(this._speed.value));
          this._speed.blur();
        },
      },
      ...SPEEDS.map((speed) => element("option", { value: String(speed), selected: speed === 1 }, `${speed}×`)),
    );
    const shot = button("camera", "Screenshot", "shot");
    const full = button("full", "Whole screen", "full");
    const time = about.spectator
      ? [element("span.badge", {}, "You are watching"), this._time]
      : [
          button("reset", "Back to the beginning", "reset"),
          button("back", "One tick back", "back"),
          this._toggle,
          button("step", "One tick forward", "step"),
          button("end", "To the end of this branch", "end"),
          this._speed,
          this._time,
        ];
    const tools = about.spectator
      ? [shot, this._entities, this._figures, full]
      : [
          this._record,
          shot,
          button("label", "Label this moment", "label"),
          button("branch", "New branch from here", "branch"),
          this._entities,
          this._figures,
          full,
        ];
    this.element = element(
      "div.transport",
      { role: "toolbar", "aria-label": "Player" },
      element("div.transport-time", {}, ...time),
      element("div.transport-tools", {}, ...tools),
    );
  }

  /** @param {import("./messages.js").Status} status */
  show(status) {
    const running = status.phase === "running";
    const name = running ? "Pause" : "Play";
    changeIcon(this._toggle, running ? "pause" : "play");
    this._toggle.setAttribute("aria-label", name);
    this._toggle.title = `${name} (P)`;
    this._toggle.toggleAttribute("data-paused", !running);
    if (document.activeElement !== this._speed) this._speed.value = String(status.rate);
  }

  /** @param {number} tick */
  time(tick) {
    const text = clock(tick, this._rate, true);
    if (this._time.textContent !== text) this._time.textContent = text;
  }

  /** @param {boolean} on */
  recording(on) {
    changeIcon(this._record, on ? "stop" : "record");
    this._record.setAttribute("aria-pressed", String(on));
    this._record.setAttribute("aria-label", on ? "Stop recording" : "Record");
    this._record.title = `${on ? "Stop recording" : "Record"} (R)`;
  }

  /** @param {boolean} on */
  entities(on) {
    this._entities.setAttribute("aria-pressed", String(on));
  }

  /** @param {boolean} on */
  figures(on) {
    this._figures.setAttribute("aria-pressed", String(on));
  }
}
