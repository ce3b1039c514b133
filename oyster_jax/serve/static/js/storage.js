/** What this browser remembers between visits; where storage is forbidden it remembers nothing, and nothing breaks. */

const PREFIX = "oyster.";

/**
 * @template T
 * @param {string} name
 * @param {T} otherwise what is returned where nothing (readable) is kept.
 * @returns {T}
 */
export function recall(name, otherwise) {
  try {
    const kept = localStorage.getItem(PREFIX + name);
    return kept === null ? otherwise : JSON.parse(kept);
  } catch {
    return otherwise;
  }
}

/**
 * @param {string} name
 * @param {unknown} value anything that JSON can say; null forgets it.
 */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Private windows refuse; the visit goes on without.
  }
}
