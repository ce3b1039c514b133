/** What lies over the picture while nothing moves, and why. */

import { element } from "./element.js";
import { complain } from "./notice.js";

/** Seconds of world time that "Play on" gives at once. */
const MORE = 600;
/** What may be done about a stream that the server has closed, by its code. */
const AGAIN = new Map([
  [4409, "Play here"],
  [4429, "Try again"],
  [4408, "Try again"],
]);

/** @typedef {import("./player.js").Player} Player */
/** @typedef {{title: string, text: string, busy?: boolean, actions?: HTMLElement[]}} Veil */

/**
 * Shows that the server is lost, that somebody else plays, or that the session has ended; or the picture.
 *
 * @param {Player} player
 * @param {import("./connection.js").Condition} now
 */
export function showCondition(player, now) {
  const veil = veilOf(player, now);
  if (player.built) player.built.stage.veil(veil);
  else if (veil) player.element.replaceChildren(veilCard(veil));
}

/**
 * @param {Veil} about
 * @returns {HTMLElement}
 */
export function veilCard(about) {
  return element(
    "div.veil-card",
    {},
    about.busy && element("div.spinner", { "aria-hidden": "true" }),
    element("h2", {}, about.title),
    element("p", {}, about.text),
    about.actions?.length ? element("div.veil-actions", {}, ...about.actions) : null,
  );
}

/**
 * @param {import("./session.js").Session} session
 * @returns {string | null} what a person should know while the world stands still.
 */
export function pausedHint(session) {
  const { status } = session;
  if (!status || status.phase !== "paused") return null;
  return status.tick < status.ticks ? "Paused in the past: play on to begin a new branch" : "Paused";
}

/**
 * @param {Player} player
 * @param {import("./connection.js").Condition} now
 * @returns {Veil | null}
 */
function veilOf(player, now) {
  const { session } = player;
  const home = button("All worlds", player.leave, "secondary");
  if (now.phase === "lost")
    return {
      title: "Connection lost",
      text: `${now.sentence} Your session is kept; it goes on where it was.`,
      busy: true,
    };
  if (now.phase === "closed" && now.sentence) {
    const again = AGAIN.get(now.code ?? 0);
    const actions = again ? [button(again, player.again), home] : [home];
    return { title: "This session is closed", text: now.sentence, actions };
  }
  if (session.status?.phase !== "ended") return null;
  const more = button("Ten minutes more", () =>
    session
      .extend(MORE)
      .then(() => session.resume())
      .catch(complain),
  );
  const actions = session.role === "player" ? [more, home] : [home];
  return { title: "Time is up", text: "Rewind to any moment of it, or give it more time.", actions };
}

/**
 * @param {string} text
 * @param {() => void} act
 * @param {string} [kind]
 * @returns {HTMLElement}
 */
function button(text, act, kind = "primary") {
  return element(`button.${kind}`, { type: "button", onclick: act }, text);
}
