/** The stream of a session: frames and events one way, buttons and requests the other; it comes back when lost. */

import { parseFrame } from "./frame.js";
import { Signal } from "./signal.js";

const SUBPROTOCOL = "oyster.v1";
/** How long to wait before the next attempt, in milliseconds. */
const FIRST_WAIT = 250;
const LONGEST_WAIT = 5000;
/** How long a request may take; a rewind to a far tick lives ticks again. */
const PATIENCE = 60_000;
/** Codes of a server that does not want to be asked again by itself, and why. */
const FINAL = new Map([
  [4404, "This session is not there any more."],
  [4409, "Somebody else plays this session now."],
  [4429, "The server is full."],
  [4408, "The server has closed the stream because too much was sent."],
]);
/** Reasons of a server that will have passed soon. */
const PASSING = new Set(["starting"]);

/** @typedef {"connecting" | "open" | "lost" | "closed"} Phase */
/** @typedef {{phase: Phase, sentence: string, code?: number}} Condition why it is closed, and the code of it. */

export class Connection {
  /** @param {string} session its id. */
  constructor(session, role = "player") {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this._address = `${scheme}//${location.host}/v1/sessions/${session}/stream?role=${role}`;
    /** @type {Signal<import("./frame.js").Frame>} */
    this.frames = new Signal();
    /** @type {Signal<Record<string, any>>} */
    this.events = new Signal();
    /** @type {Signal<Condition>} */
    this.condition = new Signal();
    /** @type {Phase} */
    this.phase = "connecting";
    /** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void, timer: number}>} */
    this._waiting = new Map();
    this._last = 0;
    this._wait = FIRST_WAIT;
    /** @type {{code: string, message: string} | null} why the server ends the stream */
    this._farewell = null;
    /** @type {WebSocket | null} */
    this._socket = null;
    this._again = 0;
    this._online = () => this.phase === "lost" && this._open();
    addEventListener("online", this._online);
    this._open();
  }

  /**
   * Tells which buttons are held; where the stream is lost, nothing.
   *
   * @param {import("./held.js").Input} input
   */
  input(input) {
    this._send({ type: "input", held: input.held, at: input.at });
  }

  /** @param {number} frame the newest that has been drawn. */
  acknowledge(frame) {
    this._send({ type: "ack", frame });
  }

  /**
   * Asks the server for something.
   *
   * @param {string} method
   * @param {Record<string, any>} [params]
   * @returns {Promise<any>} rejected with a sentence.
   */
  request(method, params = {}) {
    const id = ++this._last;
    return new Promise((resolve, reject) => {
      if (!this._send({ type: "request", id, method, params })) {
        reject(new Error("The server cannot be reached just now."));
        return;
      }
      const timer = setTimeout(() => this._answer(id, null, `The server has not answered to '${method}'.`), PATIENCE);
      this._waiting.set(id, { resolve, reject, timer });
    });
  }

  /** Ends the stream for good. */
  close() {
    removeEventListener("online", this._online);
    clearTimeout(this._again);
    this._change("closed", "");
    this._socket?.close(1000);
  }

  /**
   * @param {Record<string, any>} message
   * @returns {boolean} whether there was a stream to send it by.
   */
  _send(message) {
    if (this._socket?.readyState !== WebSocket.OPEN) return false;
    this._socket.send(JSON.stringify(message));
    return true;
  }

  _open() {
    clearTimeout(this._again);
    const socket = new WebSocket(this._address, [SUBPROTOCOL]);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => (typeof data === "string" ? this._hear(JSON.parse(data)) : this._see(data));
    socket.onclose = (event) => socket === this._socket && this._lose(event);
    this._socket = socket;
  }

  /** @param {ArrayBuffer} data */
  _see(data) {
    const frame = parseFrame(data);
    if (frame) this.frames.tell(frame);
  }

  /** @param {Record<string, any>} message */
  _hear(message) {
    if (message.type === "response") this._answer(message.id, message.result, null);
    else if (message.type === "error") this._answer(message.id, null, message.error.message);
    else if (message.type === "event") {
      if (message.event === "hello") {
        this._wait = FIRST_WAIT;
        this._change("open", "");
      } else if (message.event === "closed") this._farewell = { code: message.code, message: message.message };
      this.events.tell(message);
    }
  }

  /**
   * @param {number} id
   * @param {any} result
   * @param {string | null} fault
   */
  _answer(id, result, fault) {
    const asked = this._waiting.get(id);
    if (!asked) return;
    this._waiting.delete(id);
    clearTimeout(asked.timer);
    if (fault === null) asked.resolve(result);
    else asked.reject(new Error(fault));
  }

  /** @param {CloseEvent} event */
  _lose(event) {
    for (const id of [...this._waiting.keys()]) this._answer(id, null, "The server was lost before it answered.");
    if (this.phase === "closed") return;
    const { code, message } = this._farewell ?? { code: "", message: "" };
    this._farewell = null;
    const reason = FINAL.get(event.code);
    if (reason && !PASSING.has(code)) {
      this._change("closed", message || reason, event.code);
      return;
    }
    this._change("lost", message || "Trying again.");
    this._again = setTimeout(() => this._open(), this._wait);
    this._wait = Math.min(LONGEST_WAIT, this._wait * 1.7);
  }

  /**
   * @param {Phase} phase
   * @param {string} sentence
   * @param {number} [code]
   */
  _change(phase, sentence, code) {
    this.phase = phase;
    this.condition.tell({ phase, sentence, code });
  }
}
