/** What the player's buttons and keys do. */

import { askLine } from "./dialog.js";
import { download } from "./download.js";
import { notice } from "./notice.js";
import { openClip } from "./recorder.js";
import { SPEEDS } from "./transport.js";
import { doneBefore } from "./tree.js";

/** @typedef {import("./player.js").Player} Player */

/** Names that a branch may have, as the server sees it. */
const NAME = "[A-Za-z0-9_\\-]{1,64}";

/** @type {Record<import("./transport.js").Command, (player: Player) => Promise<unknown> | void>} */
const ORDERS = {
  toggle: ({ session }) => (session.paused ? session.resume() : session.pause()),
  step: async ({ session }) => {
    if (!session.paused) await session.pause();
    await session.step();
  },
  back: ({ session, parts }) => {
    const { branch, tick } = parts.timeline.place;
    if (tick > 0) return parts.scrubber.go({ branch, tick: tick - 1 });
    return undefined;
  },
  end: ({ session }) => {
    const { branch } = session.place;
    return session.seek(branch, session.branches.find(({ name }) => name === branch)?.end ?? 0);
  },
  reset: ({ session }) => session.reset(),
  slower: (player) => speed(player, -1),
  faster: (player) => speed(player, 1),
  branch,
  label,
  undo: ({ session, parts }) => {
    const { branch, tick } = session.place;
    const last = doneBefore(session.branches, branch, tick).at(-1);
    // What goes on from the tick before does without it.
    if (last && last.tick > 0) return parts.scrubber.go({ branch, tick: last.tick - 1 });
    return undefined;
  },
  record,
  shot: async ({ session, parts }) => {
    const { branch, tick } = session.place;
    download(await parts.stage.screen.shot(), `oyster-${parts.world.name}-${branch}-${tick}.png`);
  },
  entities: async (player) => {
    const on = !player.showsEntities;
    if (on && !player.parts.world.view) throw new Error("This world says nothing of the things in it.");
    player.showEntities(on);
    await player.session.sayReadouts(on);
  },
  figures: (player) => player.showFigures(!player.showsFigures),
  full: async () => {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await document.documentElement.requestFullscreen();
  },
  help: ({ parts }) => parts.controls.help(),
};

/**
 * Does what a button or a key asks for.
 *
 * @param {Player} player
 * @param {import("./transport.js").Command} command
 */
export async function obey(player, command) {
  const watching = player.session.role === "spectator";
  if (watching && !["shot", "entities", "figures", "full"].includes(command)) return;
  await ORDERS[command](player);
}

/**
 * @param {Player} player
 * @param {number} by places in the list of speeds.
 */
function speed({ session }, by) {
  const now = SPEEDS.indexOf(session.status?.rate ?? 1);
  const next = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, (now < 0 ? 2 : now) + by))];
  return session.rate(next);
}

/** @param {Player} player */
async function branch({ session, parts }) {
  parts.controls.release();
  const running = !session.paused;
  if (running) await session.pause();
  const name = await askLine({
    title: "New branch",
    text: `It leaves ${session.place.branch} at tick ${session.place.tick}. What is there already stays.`,
    button: "Branch",
    pattern: NAME,
    length: 64,
    optional: true,
    hint: "a name, if you like: letters, digits, - and _",
  });
  if (name !== null) {
    await session.branch(name);
    notice(`You are on ${session.status?.branch} now.`);
  }
  if (running) await session.resume();
}

/** @param {Player} player */
async function label({ session, parts }) {
  parts.controls.release();
  const { tick } = session.place;
  const running = !session.paused;
  if (running) await session.pause();
  const text = await askLine({
    title: "Label this moment",
    text: `Written beside tick ${tick} of ${session.place.branch}; it shows on the timeline.`,
    button: "Write",
    length: 500,
    hint: "what happens here",
  });
  if (text) await session.label(tick, text);
  if (running) await session.resume();
}

/** @param {Player} player */
async function record({ session, parts }) {
  const { recorder, timeline, transport } = parts;
  if (recorder.tape === null) {
    recorder.begin();
    transport.recording(true);
    timeline.tape(recorder.shown);
    return;
  }
  transport.recording(false);
  parts.controls.release();
  if (!session.paused) await session.pause();
  const done = notice("Writing the clip …");
  // Only now: until the second mark is set, every frame that comes in shows the recording.
  const finished = recorder.finish();
  timeline.tape(null);
  try {
    openClip(await finished, session.tickRate);
  } finally {
    done();
  }
}
