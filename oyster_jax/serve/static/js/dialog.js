/** Dialogs: a question, or a page of settings, that has the keyboard while it is open. */

import { element } from "./element.js";

/**
 * Opens a dialog; Escape, its cross and a click beside it close it.
 *
 * @param {string} title
 * @param {...(Node | string)} children
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, ...children) {
  const close = element("button.close", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, "×");
  const heading = element("h2", { id: "dialog-title" }, title);
  /** @type {HTMLDialogElement} */
  const dialog = element(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    element("div.dialog-head", {}, heading, close),
    element("div.dialog-body", {}, ...children),
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Asks for a line of text.
 *
 * @param {{title: string, text: string, button: string, value?: string, pattern?: string, optional?: boolean,
 *   length: number, hint: string}} about `pattern` as of an input.
 * @returns {Promise<string | null>} null where nothing was given.
 */
export function askLine(about) {
  return new Promise((resolve) => {
    const input = element("input", {
      type: "text",
      value: about.value ?? "",
      maxLength: about.length,
      required: !about.optional,
      pattern: about.pattern,
      placeholder: about.hint,
      title: about.hint,
      autocomplete: "off",
      "aria-label": about.title,
    });
    /** @type {string | null} */
    let answer = null;
    const form = element(
      "form",
      {
        method: "dialog",
        onsubmit: () => {
          answer = input.value.trim();
        },
      },
      element("p", {}, about.text),
      input,
      element("div.dialog-end", {}, element("button.primary", { type: "submit" }, about.button)),
    );
    const dialog = openDialog(about.title, form);
    dialog.addEventListener("close", () => resolve(answer));
    input.select();
  });
}
