/** Links to a moment of a session: `/#session=ID&branch=NAME&tick=N`. */

/**
 * @typedef {object} Place
 * @property {string} session its id.
 * @property {string | null} branch
 * @property {number | null} tick
 * @property {boolean} [watch] without playing.
 */

/**
 * @param {string} hash of an address, with or without its `#`.
 * @returns {Place | null} null where it names no session.
 */
export function parseLink(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const session = fields.get("session");
  if (!session) return null;
  const tick = Number.parseInt(fields.get("tick") ?? "", 10);
  const watch = fields.get("watch") === "1";
  return { session, branch: fields.get("branch"), tick: Number.isNaN(tick) || tick < 0 ? null : tick, watch };
}

/**
 * @param {Place} place
 * @returns {string} the part of an address from `#` on.
 */
export function hashOf(place) {
  const fields = new URLSearchParams({ session: place.session });
  if (place.branch !== null) fields.set("branch", place.branch);
  if (place.tick !== null) fields.set("tick", String(place.tick));
  if (place.watch) fields.set("watch", "1");
  return `#${fields}`;
}

/**
 * @param {Place} place
 * @returns {string} the whole address.
 */
export function addressOf(place) {
  return location.origin + location.pathname + hashOf(place);
}
