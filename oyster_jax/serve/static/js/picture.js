/** Turns what frames carry into something that can be drawn, in order; what comes too late is left out. */

import { KIND } from "./frame.js";

/** @typedef {import("./frame.js").Frame} Frame */
/** @typedef {(frame: Frame, picture: CanvasImageSource) => void} Drawn */

export class Pictures {
  /**
   * @param {Drawn} show called with each frame that is to be drawn.
   * @param {(error: Error) => void} fail called where a picture cannot be decoded.
   */
  constructor(show, fail) {
    this._show = show;
    this._fail = fail;
    this._newest = 0;
    /** @type {VideoDecoder | null} */
    this._decoder = null;
    /** @type {string | null} */
    this._codec = null;
    /** @type {Map<number, Frame>} timestamp to frame, while it is decoded */
    this._decoding = new Map();
  }

  /** Whether this browser decodes H.264 without a video element; a server that is not local must be on https. */
  static get decodesVideo() {
    return "VideoDecoder" in globalThis;
  }

  /** Begins another stream, whose frames are numbered anew. */
  restart() {
    this._newest = 0;
    this._stopVideo();
  }

  /** @param {string | null} codec for WebCodecs, such as `avc1.42c01f`; null for JPEG. */
  expect(codec) {
    this._codec = codec;
    this._stopVideo();
  }

  /** @param {Frame} frame */
  async take(frame) {
    try {
      if (frame.kind === KIND.jpeg) await this._takeJpeg(frame);
      else this._takeVideo(frame);
    } catch (error) {
      this._fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** @param {Frame} frame */
  async _takeJpeg(frame) {
    const picture = await createImageBitmap(jpegOf(frame));
    this._draw(frame, picture);
  }

  /** @param {Frame} frame */
  _takeVideo(frame) {
    const key = frame.kind === KIND.h264Key;
    if (this._decoder === null) {
      // A change to a picture that nobody has seen says nothing.
      if (!key || this._codec === null) return;
      const output = (/** @type {VideoFrame} */ picture) => this._decoded(picture);
      const error = (/** @type {Error} */ fault) => (this._stopVideo(), this._fail(fault));
      this._decoder = new VideoDecoder({ output, error });
      this._decoder.configure({ codec: this._codec, optimizeForLatency: true });
    }
    this._decoding.set(frame.frame, frame);
    const data = frame.picture;
    this._decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp: frame.frame, data }));
  }

  /** @param {VideoFrame} picture */
  _decoded(picture) {
    const frame = this._decoding.get(picture.timestamp);
    this._decoding.delete(picture.timestamp);
    if (frame) this._draw(frame, picture);
    else picture.close();
  }

  /**
   * @param {Frame} frame
   * @param {ImageBitmap | VideoFrame} picture
   */
  _draw(frame, picture) {
    if (frame.frame > this._newest) {
      this._newest = frame.frame;
      this._show(frame, picture);
    }
    picture.close();
  }

  _stopVideo() {
    if (this._decoder && this._decoder.state !== "closed") this._decoder.close();
    this._decoder = null;
    this._decoding.clear();
  }
}

/**
 * @param {Frame} frame of kind JPEG.
 * @returns {Blob} its picture.
 */
export function jpegOf(frame) {
  return new Blob([frame.picture], { type: "image/jpeg" });
}
