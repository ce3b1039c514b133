/** The tree of branches as rows of a drawing: pure, so that it can be thought about. */

/**
 * @typedef {object} Label
 * @property {number} tick
 * @property {string} text
 */

/**
 * @typedef {object} Done
 * @property {number} tick after which it was done.
 * @property {"edit" | "event"} kind
 * @property {string} text
 */

/**
 * @typedef {object} Branch
 * @property {number} number in frames.
 * @property {string} name
 * @property {string | null} parent the branch that it left.
 * @property {number} at the tick at which it left.
 * @property {number} end its last tick.
 * @property {Label[]} labels
 * @property {Done[]} done
 */

/** @typedef {{branch: Branch, row: number, parentRow: number}} Line */

/**
 * Lays branches out, each in a row of its own, children right below the branch that they left, the latest leaver first,
 * so that no connection crosses another.
 *
 * @param {readonly Branch[]} branches
 * @returns {Line[]} from the top down.
 */
export function layOut(branches) {
  /** @type {Line[]} */
  const lines = [];
  const place = (/** @type {Branch} */ branch, /** @type {number} */ parentRow) => {
    const row = lines.length;
    lines.push({ branch, row, parentRow });
    const children = branches.filter((child) => child.parent === branch.name);
    children.sort((a, b) => b.at - a.at || a.number - b.number);
    for (const child of children) place(child, row);
  };
  for (const root of branches.filter((branch) => branch.parent === null)) place(root, 0);
  return lines;
}

/**
 * @param {readonly Branch[]} branches
 * @param {string} name
 * @param {number} tick
 * @returns {Branch | null} the branch that lived this tick: `name`, or whom it left before.
 */
export function ownerOf(branches, name, tick) {
  let branch = branches.find((each) => each.name === name) ?? null;
  while (branch && branch.parent !== null && tick <= branch.at) {
    const parent = branch.parent;
    branch = branches.find((each) => each.name === parent) ?? null;
  }
  return branch;
}

/**
 * The way from the beginning to a tick: which part of which branch.
 *
 * @param {readonly Branch[]} branches
 * @param {string} name
 * @param {number} tick
 * @returns {Array<{branch: Branch, from: number, to: number}>}
 */
export function pathTo(branches, name, tick) {
  const path = [];
  let branch = ownerOf(branches, name, tick);
  let to = tick;
  while (branch) {
    const { parent, at } = branch;
    path.unshift({ branch, from: parent === null ? 0 : at, to });
    to = at;
    branch = parent === null ? null : ownerOf(branches, parent, at);
  }
  return path;
}

/**
 * @param {readonly Branch[]} branches
 * @param {string} name
 * @param {number} tick
 * @returns {Done[]} what was done to the world on the way to a tick, in order.
 */
export function doneBefore(branches, name, tick) {
  return pathTo(branches, name, tick).flatMap(({ branch, from, to }) =>
    branch.done.filter((one) => from <= one.tick && one.tick <= to),
  );
}

/**
 * @param {string} event its name.
 * @returns {string} as people write it.
 */
export function written(event) {
  return event.replaceAll("_", " ");
}

/**
 * @param {number} ticks
 * @param {number} rate ticks a second.
 * @returns {string} as in `1:07`, or `0:03.4` with tenths.
 */
export function clock(ticks, rate, tenths = false) {
  const seconds = Math.max(0, ticks / rate);
  const minutes = Math.floor(seconds / 60);
  const rest = seconds - 60 * minutes;
  const shown = tenths
    ? (Math.floor(rest * 10) / 10).toFixed(1).padStart(4, "0")
    : String(Math.floor(rest)).padStart(2, "0");
  return `${minutes}:${shown}`;
}
