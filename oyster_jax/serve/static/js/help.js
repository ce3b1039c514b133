/** The dialog of keys: which key presses which button (and how to change it), and what other keys do. */

import { codesOf, keyName, saveBindings, shownButtons, usualBindings } from "./bindings.js";
import { openDialog } from "./dialog.js";
import { element } from "./element.js";

/** @typedef {import("./bindings.js").Bindings} Bindings */

/**
 * @param {{world: string, buttons: readonly string[], bindings: Bindings, change: (bindings: Bindings) => void,
 *   commands: ReadonlyArray<readonly [string, string]>}} about commands as key and meaning; `change` is called with new
 *   bindings.
 */
export function openHelp(about) {
  let bindings = { ...about.bindings };
  /** @type {string | null} the button that waits for its key */
  let waiting = null;
  const rows = element("div.binding-rows");
  const more = element("div.binding-rows");
  const shown = shownButtons(about.buttons);
  const others = about.buttons.filter((button) => !shown.includes(button));

  const keep = (/** @type {Bindings} */ changed, /** @type {string | null} */ chosen = null, usual = false) => {
    bindings = changed;
    saveBindings(about.world, usual ? null : changed);
    about.change(changed);
    draw(chosen);
  };
  const draw = (/** @type {string | null} */ chosen = null) => {
    rows.replaceChildren(...shown.map(row));
    more.replaceChildren(...others.map(row));
    // The keyboard stays where it was although the button is another one now.
    if (chosen !== null) [rows, more].forEach((each) => each.querySelector(`[data-add="${chosen}"]`)?.focus());
  };
  const row = (/** @type {string} */ button) => {
    const caps = codesOf(bindings, button).map((code) =>
      element(
        "button.keycap",
        {
          type: "button",
          title: `${keyName(code)} no longer presses ${button}`,
          "aria-label": `Remove ${keyName(code)} from ${button}`,
          onclick: () => keep(Object.fromEntries(Object.entries(bindings).filter(([each]) => each !== code)), button),
        },
        keyName(code),
        element("span.keycap-cross", { "aria-hidden": "true" }, "×"),
      ),
    );
    const add = element(
      "button.keycap.add",
      {
        type: "button",
        "data-add": button,
        "aria-label": `Add a key for ${button}`,
        onclick: () => ((waiting = button), draw(button)),
      },
      waiting === button ? "press a key …" : "+",
    );
    return element(
      "div.binding",
      {},
      element("span.binding-name", {}, button),
      element("span.binding-keys", {}, ...caps, add),
    );
  };

  draw();
  const commands = element(
    "dl.commands",
    {},
    ...about.commands.map(([key, meaning]) =>
      element("div", {}, element("dt", {}, element("kbd", {}, key)), element("dd", {}, meaning)),
    ),
  );
  const usual = element(
    "button.link",
    { type: "button", onclick: () => keep(usualBindings(about.buttons), null, true) },
    "Back to the usual keys",
  );
  const dialog = openDialog(
    "Keys",
    element("h3", {}, "Buttons of this world"),
    rows,
    others.length ? element("details", {}, element("summary", {}, `${others.length} further buttons`), more) : "",
    usual,
    element("h3", {}, "Player"),
    commands,
  );
  dialog.addEventListener("keydown", (event) => {
    if (waiting === null) return;
    event.preventDefault();
    event.stopPropagation();
    const button = waiting;
    waiting = null;
    if (event.code === "Escape") draw(button);
    else keep({ ...bindings, [event.code]: button }, button);
  });
}
