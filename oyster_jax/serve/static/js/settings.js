/** The dialog of settings: how pictures travel. */

import { openDialog } from "./dialog.js";
import { element } from "./element.js";
import { complain } from "./notice.js";
import { recall, remember } from "./storage.js";

/** @param {import("./player.js").Player} player */
export function openSettings(player) {
  const video = recall("video", false) && player.canVideo;
  const change = (/** @type {boolean} */ on) => {
    remember("video", on);
    player.session.codec(on ? "h264" : "jpeg").catch(complain);
  };
  const why = player.canVideo
    ? "A third of the bytes or less; pixels are not exact. For thin links."
    : "Not possible here: the browser needs WebCodecs (and https, away from this machine), the server H.264.";
  openDialog(
    "Pictures",
    element(
      "div.choices",
      { role: "radiogroup", "aria-label": "How pictures travel" },
      choice(
        "JPEG",
        "One by one, as exact as the eye can see; seen moments stay in this page for scrubbing.",
        !video,
        false,
        () => change(false),
      ),
      choice("H.264", why, video, !player.canVideo, () => change(true)),
    ),
  );
}

/**
 * @param {string} name
 * @param {string} why
 * @param {boolean} checked
 * @param {boolean} disabled
 * @param {() => void} choose
 * @returns {HTMLElement}
 */
function choice(name, why, checked, disabled, choose) {
  const input = element("input", { type: "radio", name: "codec", value: name, checked, disabled, onchange: choose });
  return element(
    "label.choice",
    {},
    input,
    element("span", {}, element("strong", {}, name), element("span.dim", {}, why)),
  );
}
