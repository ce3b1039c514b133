/** The dialog of links: to this moment, to play on from it, and to watch. */

import { openDialog } from "./dialog.js";
import { element } from "./element.js";
import { addressOf } from "./link.js";
import { complain, notice } from "./notice.js";

/** @param {import("./session.js").Session} session */
export function openShare(session) {
  const { branch, tick } = session.place;
  const moment = addressOf({ session: session.id, branch, tick });
  const watching = addressOf({ session: session.id, branch: null, tick: null, watch: true });
  openDialog(
    "Share",
    line("This moment", `Opens at tick ${tick} of ${branch}; playing on from there begins a branch.`, moment),
    line("Watch live", "Shows what you play, without a hand in it.", watching),
    element("p.dim", {}, "Links work wherever this server can be reached."),
  );
}

/**
 * @param {string} name
 * @param {string} why
 * @param {string} address
 * @returns {HTMLElement}
 */
function line(name, why, address) {
  const field = element("input", {
    type: "text",
    readOnly: true,
    value: address,
    "aria-label": name,
    onfocus: () => field.select(),
  });
  const copy = () =>
    navigator.clipboard
      ? navigator.clipboard.writeText(address).then(() => notice("Link copied."), complain)
      : (field.select(), notice("Press Ctrl+C to copy the link."));
  return element(
    "div.share-line",
    {},
    element("h3", {}, name),
    element("p.dim", {}, why),
    element("div.share-field", {}, field, element("button.secondary", { type: "button", onclick: copy }, "Copy")),
  );
}
