"""What frames are sent as."""

import fractions
import io
import math
from typing import Any

import numpy as np
from jaxtyping import UInt8

type Picture = UInt8[np.ndarray, "height width 3"]

QUALITY = 95
#: The shorter side that a picture has at least as video: chroma has half the resolution there, which pixel art shows.
VIDEO_SIDE = 128


def jpeg(frame: Picture) -> bytes:
    """Encodes a frame as JPEG, always to the same bytes, with chroma in full resolution."""
    import simplejpeg

    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(frame), quality=QUALITY, colorspace="RGB", colorsubsampling="444", fastdct=False
    )


def png(frame: Picture) -> bytes:
    """Encodes a frame as PNG: these very pixels."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.asarray(frame)).save(file, "PNG", compress_level=1)
    return file.getvalue()


class Video:
    """An H.264 stream for one client: every frame at once, none held back.

    Args:
      height: of the frames, pixels.
      width: of the frames, pixels.
      rate: frames a second, on which the encoder's choices rest.

    Attributes:
      scale: every pixel becomes a square of this side.
      decoder: what WebCodecs calls the stream.
    """

    def __init__(self, height: int, width: int, rate: float):
        self.scale = max(1, math.ceil(VIDEO_SIDE / min(height, width)))
        self._encoder = self._opened(height, width, rate)
        self._next_is_key = True
        # The stream's own parameters say what it is called, and the first frame has them in front.
        data, _ = self.encode(np.zeros((height, width, 3), np.uint8))
        start = data.index(b"\x00\x00\x01\x67") + 4
        self.decoder = f"avc1.{data[start : start + 3].hex().upper()}"
        self.restart()

    def restart(self) -> None:
        """Makes the next frame one that can be decoded without any before."""
        self._next_is_key = True

    def encode(self, frame: Picture) -> tuple[bytes, bool]:
        """Returns the frame in Annex B format, and whether it is a key frame."""
        import av
        from av.video.frame import PictureType

        enlarged = frame.repeat(self.scale, 0).repeat(self.scale, 1)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(enlarged), format="rgb24").reformat(format="yuv420p")
        picture.pict_type = PictureType.I if self._next_is_key else PictureType.NONE
        packets = self._encoder.encode(picture)
        self._next_is_key = False
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)

    def _opened(self, height: int, width: int, rate: float) -> Any:
        import av

        encoder = av.CodecContext.create("libx264", "w")
        encoder.height, encoder.width, encoder.pix_fmt = height * self.scale, width * self.scale, "yuv420p"
        encoder.time_base = fractions.Fraction(1, max(1, round(rate)))
        # Key frames come when they are asked for, and every ten seconds for whoever lost count.
        encoder.gop_size = max(1, round(10 * rate))
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "crf": "16"}
        return encoder
