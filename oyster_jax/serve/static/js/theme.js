/** Light or dark: as the system says, until somebody chooses. */

import { recall, remember } from "./storage.js";

const KEY = "theme";

/** @returns {"light" | "dark"} what is shown now. */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Shows what was chosen the last time. */
export function applyTheme() {
  const chosen = recall(KEY, null);
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}

/**
 * Changes to the other one and keeps it for the next visit.
 *
 * @returns {"light" | "dark"} what is shown from now on.
 */
export function toggleTheme() {
  const other = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = other;
  remember(KEY, other);
  return other;
}
