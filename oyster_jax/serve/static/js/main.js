/** Where the page begins: the address says what is shown, the worlds or a session. */

import { Bar } from "./bar.js";
import { hashOf, parseLink } from "./link.js";
import { Picker } from "./picker.js";
import { Player } from "./player.js";
import { applyTheme } from "./theme.js";

applyTheme();
const place = /** @type {HTMLElement} */ (document.getElementById("page"));
const leave = () => {
  location.hash = "";
};
const bar = new Bar({ leave });
document.body.prepend(bar.element);

/** @type {Player | null} */
let player = null;

function show() {
  const link = parseLink(location.hash);
  player?.close();
  player = null;
  if (link === null) {
    bar.show(null, null);
    const picker = new Picker((session) => {
      location.hash = hashOf({ session, branch: null, tick: null });
    });
    place.replaceChildren(picker.element);
    return;
  }
  const shown = new Player(link, { leave, again: show, titled: (world) => bar.show(shown, world) });
  player = shown;
  bar.show(player, null);
  place.replaceChildren(player.element);
}

addEventListener("hashchange", show);
show();
