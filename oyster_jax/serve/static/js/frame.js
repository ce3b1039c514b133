/** A frame as it comes over the wire: a header, then its picture; see `FrameHeader` in `serve/protocol.py`. */

const VERSION = 1;
const SIZE = 64;

export const KIND = Object.freeze({ jpeg: 1, h264Key: 2, h264Delta: 3 });
const FLAG = Object.freeze({ paused: 1, ended: 2, jumped: 4, terminal: 8 });

/**
 * @typedef {object} Frame
 * @property {number} kind one of `KIND`.
 * @property {boolean} paused
 * @property {boolean} ended
 * @property {boolean} jumped it does not follow the frame before it.
 * @property {boolean} terminal
 * @property {number} lane 0 for the branch that is played, 1 for the one beside it.
 * @property {number} frame its number in the stream.
 * @property {number} branch number of its branch.
 * @property {number} tick
 * @property {number} durable the last tick that no crash can take back.
 * @property {number} echo when the newest input that it was computed with was made, as `performance.now()`; or NaN.
 * @property {number} waited ms that this input waited for the tick.
 * @property {number} step ms that the tick took.
 * @property {number} encode ms
 * @property {number} server ms from the beginning of the tick to the socket.
 * @property {number} reward
 * @property {number} likelihood probability that the world has ended.
 * @property {number} remaining seconds of world time.
 * @property {number} dropped frames that were left out since the last one.
 * @property {number} bytes of the whole message.
 * @property {Uint8Array<ArrayBuffer>} picture
 * @property {number} received when it came, as `performance.now()`.
 */

/**
 * @param {ArrayBuffer} message
 * @param {number} [received]
 * @returns {Frame | null} null where the message is no frame of this version.
 */
export function parseFrame(message, received = performance.now()) {
  if (message.byteLength < SIZE) return null;
  const view = new DataView(message);
  if (view.getUint16(0, false) !== 0x4f59 || view.getUint8(2) !== VERSION) return null;
  const flags = view.getUint16(4, true);
  return {
    kind: view.getUint8(3),
    paused: (flags & FLAG.paused) !== 0,
    ended: (flags & FLAG.ended) !== 0,
    jumped: (flags & FLAG.jumped) !== 0,
    terminal: (flags & FLAG.terminal) !== 0,
    lane: view.getUint16(6, true),
    frame: view.getUint32(8, true),
    branch: view.getUint32(12, true),
    tick: view.getUint32(16, true),
    durable: view.getUint32(20, true),
    echo: view.getFloat64(24, true),
    waited: view.getFloat32(32, true),
    step: view.getFloat32(36, true),
    encode: view.getFloat32(40, true),
    server: view.getFloat32(44, true),
    reward: view.getFloat32(48, true),
    likelihood: view.getFloat32(52, true),
    remaining: view.getFloat32(56, true),
    dropped: view.getUint32(60, true),
    bytes: message.byteLength,
    picture: new Uint8Array(message, SIZE),
    received,
  };
}
