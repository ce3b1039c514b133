"""The file of a clip, as it is named on the command line."""

from pathlib import Path

from oyster_jax.cli.errors import UsageError


def check_clip(out: Path) -> None:
    """Refuses a file whose ending names no kind of clip.

    Raises:
      UsageError: it is none of `frames.CLIP_ENDINGS`.
    """
    from oyster_jax.frames import CLIP_ENDINGS

    if out.suffix not in CLIP_ENDINGS:
        raise UsageError(f"A clip ends in {', '.join(CLIP_ENDINGS)}, but --out '{out}' does not.")
