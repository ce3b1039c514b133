/** Files that the page makes and hands over. */

import { element } from "./element.js";

/**
 * @param {Blob} blob
 * @param {string} name of the file.
 */
export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
