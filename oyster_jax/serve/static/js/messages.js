/** What travels between page and server; `serve/protocol.py` and `serve/resources.py` are where it is defined. */

/**
 * @typedef {number[]} Entity something that the world's heads see: type (0 is the agent), x and y in tiles from the
 *   middle of the frame (y upwards), vx and vy in tiles a tick, probability.
 */

/**
 * @typedef {object} Status how a session is doing.
 * @property {"running" | "paused" | "ended"} phase
 * @property {string} sentence
 * @property {string} branch that is played.
 * @property {number} number of that branch.
 * @property {number} tick
 * @property {number} ticks the last one of that branch.
 * @property {number} rate ticks a second, as a multiple of the world's own.
 * @property {number} remaining seconds of world time.
 * @property {number} duration
 * @property {string | null} compared the branch beside it.
 * @property {number} players
 * @property {number} spectators
 */

/**
 * @typedef {object} WorldCard
 * @property {string} name
 * @property {string} title
 * @property {string} card Markdown.
 * @property {string[]} buttons
 * @property {string[]} actions sets of buttons that mean something together.
 * @property {number} height
 * @property {number} width
 * @property {number} rate
 * @property {number} parameters
 * @property {number} bytes
 * @property {string} licence
 * @property {Record<string, any>} figures
 * @property {string[]} pictures
 * @property {number} prompts how many recorded moments it has.
 * @property {number | null} view tiles across a frame, null where nothing is known of its things.
 * @property {string[]} events that can be made to happen.
 * @property {string[]} examples sentences to begin with, none where the world knows no words.
 */

/** @typedef {{name: string, title: string, ticks: number, picture: string}} Prompt a recorded moment. */

/**
 * @typedef {object} SessionInfo
 * @property {string} id
 * @property {string} world
 * @property {string} start
 * @property {number} created seconds of the Unix epoch.
 * @property {number} ticks
 * @property {number} world_time
 * @property {number} bytes
 * @property {boolean} open
 * @property {boolean} running
 * @property {string[]} remarks on the sentence that it began with.
 */

/**
 * @typedef {object} Upload a picture as a world sees it.
 * @property {string} id
 * @property {string} picture
 * @property {string} shown
 * @property {number} psnr
 * @property {number} usual
 * @property {"familiar" | "strange" | "foreign"} verdict
 * @property {string} sentence
 */

/** @typedef {{id: string, format: string, url: string, bytes: number}} Recording */

/**
 * @typedef {object} Hello
 * @property {string} session
 * @property {"player" | "spectator"} role
 * @property {WorldCard} world
 * @property {string[]} codecs
 * @property {Status} status
 * @property {import("./tree.js").Branch[]} branches
 */

/**
 * @typedef {object} Story how a story stands that the server tells.
 * @property {"telling" | "told" | "stopped" | "failed"} phase
 * @property {string} sentence
 * @property {Array<{branch: string, label: string, does: string}>} acts
 * @property {number[]} told numbers of the acts that took place, the last one that of now.
 */

/**
 * @typedef {object} Readouts
 * @property {number} lane
 * @property {number} branch
 * @property {number} tick
 * @property {number} reward
 * @property {number} terminal
 * @property {Entity[]} entities
 * @property {number[] | null} position
 */

export {};
