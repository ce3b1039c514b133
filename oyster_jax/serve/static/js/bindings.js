/** Which key presses which button: as usual for the buttons of a world, until a person says otherwise. */

import { recall, remember } from "./storage.js";

/** @typedef {Record<string, string>} Bindings `KeyboardEvent.code` to button. */

const STEERING = ["left", "right", "up", "down"];
const NAMES = new Map([
  ["ArrowLeft", "←"],
  ["ArrowRight", "→"],
  ["ArrowUp", "↑"],
  ["ArrowDown", "↓"],
  ["Space", "Space"],
  ["ControlLeft", "Ctrl"],
  ["ShiftLeft", "Shift"],
  ["ShiftRight", "Right Shift"],
  ["Period", "."],
  ["Comma", ","],
  ["Semicolon", ";"],
  ["Quote", "'"],
  ["Slash", "/"],
  ["Minus", "-"],
  ["Equal", "="],
]);

/**
 * Arrows and WASD steer, up and space jump, further buttons have the key of their letter.
 *
 * @param {readonly string[]} buttons of the world.
 * @returns {Bindings}
 */
export function usualBindings(buttons) {
  const jump = buttons.includes("jump") ? "jump" : null;
  const others = buttons.filter((button) => !STEERING.includes(button) && button !== "jump");
  /** @type {Bindings} */
  const wanted = {};
  for (const button of others) if (/^[a-z]$/.test(button)) wanted[`Key${button.toUpperCase()}`] = button;
  Object.assign(wanted, {
    ArrowLeft: "left",
    ArrowRight: "right",
    ArrowDown: "down",
    ArrowUp: jump ?? "up",
    KeyA: "left",
    KeyD: "right",
    KeyS: "down",
    KeyW: jump ?? "up",
    Space: jump ?? others[0] ?? "up",
  });
  return Object.fromEntries(Object.entries(wanted).filter(([, button]) => buttons.includes(button)));
}

/**
 * @param {string} world
 * @param {readonly string[]} buttons of the world.
 * @returns {Bindings} those that a person chose for this world, or the usual ones.
 */
export function loadBindings(world, buttons) {
  const kept = recall(`bindings.${world}`, null);
  if (kept === null || typeof kept !== "object") return usualBindings(buttons);
  return Object.fromEntries(Object.entries(/** @type {Bindings} */ (kept)).filter(([, b]) => buttons.includes(b)));
}

/**
 * @param {string} world
 * @param {Bindings | null} bindings null goes back to the usual ones.
 */
export function saveBindings(world, bindings) {
  remember(`bindings.${world}`, bindings);
}

/**
 * @param {Bindings} bindings
 * @param {string} button
 * @returns {string[]} the codes of the keys that press it.
 */
export function codesOf(bindings, button) {
  return Object.keys(bindings).filter((code) => bindings[code] === button);
}

/**
 * The buttons that a person is shown: those with a word for a name, and letters only where there is nothing else. The
 * raw letters of some games press nothing that matters.
 *
 * @param {readonly string[]} buttons
 * @returns {string[]} steering first.
 */
export function shownButtons(buttons) {
  const words = buttons.filter((button) => button.length > 1);
  const shown = words.length ? words : buttons;
  const steering = STEERING.filter((button) => shown.includes(button));
  return [...steering, ...shown.filter((button) => !STEERING.includes(button))];
}

/**
 * @param {string} code of a key.
 * @returns {string} what is written on it, as far as one can know.
 */
export function keyName(code) {
  const known = NAMES.get(code);
  if (known) return known;
  return code
    .replace(/^Key|^Digit/, "")
    .replace(/^Numpad/, "Num ")
    .replace(/([a-z])([A-Z])/g, "$1 $2");
}
