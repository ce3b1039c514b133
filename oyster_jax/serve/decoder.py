"""Decodes an uploaded picture, in a process of its own: what a file from a stranger can do, it does there.

`python -m oyster_jax.serve.decoder HEIGHT WIDTH PIXELS` reads the file from its input and writes the middle of the
picture, scaled to uint8 `[height, width, 3]`, to its output. Its exit code is 3, with a sentence, for what it will not
decode. It may take so much memory and time and no more, and opens nothing.
"""

import io
import sys

#: Exit code for a file that is refused.
REFUSED = 3
FORMATS = ("PNG", "JPEG", "WEBP")
_MEMORY, _SECONDS = 1 << 30, 10


def main(height: int, width: int, pixels: int) -> int:
    """Decodes; returns the exit code."""
    _confine()
    from PIL import Image, ImageOps

    data = sys.stdin.buffer.read()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            # The header tells the size: nothing is decoded before it is known to be small enough.
            if image.width * image.height > pixels:
                return _refused(f"The picture has {image.width} × {image.height} pixels; at most {pixels:,} are taken.")
            image.draft("RGB", (2 * width, 2 * height))
            picture = ImageOps.exif_transpose(image).convert("RGB")
            fitted = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    except Exception:  # noqa: BLE001  # Pillow's decoders raise whatever a broken file makes them raise.
        return _refused(f"This is no picture in {', '.join(FORMATS)} that can be read; bring another file.")
    sys.stdout.buffer.write(fitted.tobytes())
    return 0


def _confine() -> None:
    try:
        import resource
    except ImportError:  # Not on Windows.
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _refused(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
