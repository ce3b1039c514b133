/** Short notes at the edge of the page; screen readers say them too. */

import { element } from "./element.js";

/** How long a note stays, in milliseconds; one that tells of trouble stays longer. */
const STAY = 4000;
const STAY_TROUBLE = 9000;

/** @returns {HTMLElement} where notes appear. */
function shelf() {
  const found = document.getElementById("notices");
  if (!found) throw new Error("The page has no place for notices.");
  return found;
}

/**
 * @param {string} text
 * @param {{trouble?: boolean}} [about]
 * @returns {() => void} takes it away before its time.
 */
export function notice(text, about = {}) {
  const close = () => note.remove();
  const note = element(
    "div.notice",
    { role: about.trouble ? "alert" : "status", "data-trouble": about.trouble ? "" : null },
    element("span", {}, text),
    element("button.close", { type: "button", "aria-label": "Dismiss", onclick: close }, "×"),
  );
  const places = shelf();
  while (places.children.length > 2) places.firstElementChild?.remove();
  places.append(note);
  setTimeout(close, about.trouble ? STAY_TROUBLE : STAY);
  return close;
}

/**
 * Says why something did not work.
 *
 * @param {unknown} error
 */
export function complain(error) {
  notice(error instanceof Error ? error.message : String(error), { trouble: true });
}
