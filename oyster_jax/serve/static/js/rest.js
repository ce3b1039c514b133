/** The server's REST interface, as far as the page uses it. */

/** @typedef {import("./messages.js").WorldCard} WorldCard */
/** @typedef {import("./messages.js").Prompt} Prompt */
/** @typedef {import("./messages.js").SessionInfo} SessionInfo */
/** @typedef {import("./messages.js").Upload} Upload */

const ROOT = "/v1";

/** @returns {Promise<WorldCard[]>} */
export async function worlds() {
  return (await ask("GET", "/worlds")).worlds;
}

/**
 * @param {string} world
 * @returns {Promise<Prompt[]>} recorded moments of a world.
 */
export async function prompts(world) {
  return (await ask("GET", `/prompts?world=${encodeURIComponent(world)}`)).prompts;
}

/** @returns {Promise<SessionInfo[]>} the newest first. */
export async function sessions() {
  /** @type {SessionInfo[]} */
  const found = (await ask("GET", "/sessions")).sessions;
  return found.sort((a, b) => b.created - a.created);
}

/**
 * @param {{world: string, seed?: number, sentence?: string, prompt?: string, image?: string}} start
 * @returns {Promise<SessionInfo>}
 */
export function createSession(start) {
  return ask("POST", "/sessions", JSON.stringify(start), "application/json");
}

/**
 * @param {string} id
 * @returns {Promise<SessionInfo>}
 */
export function session(id) {
  return ask("GET", `/sessions/${encodeURIComponent(id)}`);
}

/** @param {string} id */
export async function deleteSession(id) {
  await ask("DELETE", `/sessions/${encodeURIComponent(id)}`);
}

/**
 * Gives the server a picture to begin a world with.
 *
 * @param {string} world
 * @param {Blob} picture
 * @returns {Promise<Upload>}
 */
export function upload(world, picture) {
  return ask("POST", `/uploads?world=${encodeURIComponent(world)}`, picture, picture.type);
}

/**
 * @param {string} session
 * @param {string} branch its name.
 * @param {number} tick
 * @returns {Promise<Blob>} the exact frame, as PNG.
 */
export async function frame(session, branch, tick) {
  const response = await reach(`/sessions/${session}/frames/${encodeURIComponent(branch)}/${tick}`, {});
  return response.blob();
}

/**
 * @param {string} method
 * @param {string} path
 * @param {BodyInit} [body]
 * @param {string} [type] of the body.
 * @returns {Promise<any>}
 */
async function ask(method, path, body, type) {
  const headers = type ? { "Content-Type": type } : undefined;
  const response = await reach(path, { method, body, headers });
  return response.status === 204 ? null : response.json();
}

/**
 * @param {string} path
 * @param {RequestInit} options
 * @returns {Promise<Response>} rejected with the server's sentence.
 */
async function reach(path, options) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(ROOT + path, { credentials: "same-origin", ...options });
  } catch {
    throw new Error("The server cannot be reached; is it still running?");
  }
  if (response.ok) return response;
  const fault = await response.json().catch(() => null);
  throw new Error(fault?.error?.message ?? `The server answered ${response.status}.`);
}
