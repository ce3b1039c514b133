/** What lies over the picture while nothing moves, and why. */

import { element } from "./element.js";
import { complain } from "./notice.js";

/** Seconds of world time that "Go on" gives at once. */
const MORE = 600;

/**
 * @param {string} text
 * @param {() => void} act
 * @param {string} [kind]
 * @returns {HTMLElement}
 */
function button(text, act, kind = "primary") {
  return element(`button.${kind}`, { type: "button", onclick: act }, text);
}

/**
 * Shows that the server is lost, that somebody else plays, or that the session has ended; or the picture.
 *
 * @param {import("./player.js").Player} player
 * @param {import("./connection.js").Condition} now
 */
export function condition(player, now) {
  const { session, element: page } = player;
  const home = button("Back to the worlds", player.leave, "secondary");
  /** @type {Parameters<import("./stage.js").Stage["veil"]>[0]} */
  let veil = null;
  if (now.phase === "lost")
    veil = { title: "Connection lost", text: "Trying again. Your session is kept; it goes on where it was.", busy: true };
  else if (now.phase === "closed" && now.sentence) veil = { title: "This session is closed", text: now.sentence, actions: [home] };
  else if (session.status?.phase === "ended") {
    const more = button("Play on for ten minutes", () => session.extend(MORE).then(() => session.resume()).catch(complain));
    veil = { title: "Time is up", text: "Rewind to any moment of it, or give it more time.", actions: [more, home] };
  }
  const stage = player.built?.stage;
  if (stage) stage.veil(veil);
  else if (veil) page.replaceChildren(element("div.veil-card", {}, element("h2", {}, veil.title), element("p", {}, veil.text), veil.busy ? "" : home));
}

/**
 * @param {import("./session.js").Session} session
 * @returns {string | null} what a person should know while the world stands still.
 */
export function pausedHint(session) {
  const { status } = session;
  if (!status || status.phase !== "paused") return null;
  const end = session.branches.find(({ name }) => name === status.branch)?.end ?? 0;
  return session.place.tick < end ? "Paused in the past: play on to begin a new branch" : "Paused";
}
