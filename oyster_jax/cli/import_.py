"""`oyster import`: turns recordings in formats of others into a dataset, after telling what it will be."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from oyster_jax.data.importers.conversion import Conversion

#: So many names of actions are told.
_TOLD = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Imports recordings of others: clips with actions beside them, .npz, Minari in HDF5, LeRobot v3.

    It says what it found and what that will become, and asks; nothing is written before. The folder appears when all of
    it has been read.
    """

    path: tyro.conf.Positional[Path]
    """The file or folder."""
    out: Path
    """The folder to write; it must not exist or be empty."""
    format: Literal["auto", "clips", "npz", "minari", "lerobot"] = "auto"
    """Of the files; told by what they are unless given."""
    name: str | None = None
    """Of the world; that of the file or folder unless given."""
    size: Annotated[str | None, tyro.conf.arg(metavar="HEIGHTxWIDTH")] = None
    """Pixels of a frame, multiples of 16; unless given, 64 for the shorter side where another is needed."""
    rate: float | None = None
    """Ticks a second, where the files do not say or it is not meant."""
    actions: Annotated[str | None, tyro.conf.arg(metavar="NAMES")] = None
    """What the numbers of actions stand for: left,right or, with values, noop=0:0,left=-1:0,right=1:0."""
    camera: str | None = None
    """LeRobot: the feature whose pictures are taken, the first camera unless given."""
    licence: str = "NOASSERTION"
    """SPDX name of the recordings' licence, for the manifest."""
    held_out: tyro.conf.FlagCreatePairsOff[bool] = False
    """Keep it for evaluation: nothing will train on it."""
    yes: Annotated[tyro.conf.FlagCreatePairsOff[bool], tyro.conf.arg(aliases=["-y"])] = False
    """Do not ask."""


def main(config: Config) -> int:
    """Tells what was found, asks, imports; 2 if something about the request or the files was wrong."""
    from rich.console import Console

    from oyster_jax.cli.errors import UsageError
    from oyster_jax.data.importers.conversion import Wishes, conversion
    from oyster_jax.data.importers.formats import format_of, opened
    from oyster_jax.data.writer import check_free

    console = Console(highlight=False, soft_wrap=True, markup=False)
    check_free(config.out)
    names = [field.name for field in dataclasses.fields(Wishes)]
    kind = format_of(config.path) if config.format == "auto" else config.format
    wishes = Wishes(**{name: getattr(config, name) for name in names})
    what = conversion(opened(config.path, kind, config.camera), config.path, wishes)
    for title, text in _told(what):
        console.print(f"{title:<9}{text}")
    if not config.yes:
        if not sys.stdin.isatty():
            raise UsageError(
                "Nothing was imported: there is nobody to ask. Give --yes if the above is right, or else --size, "
                "--rate, --actions or --name."
            )
        if input(f"Import this into {config.out}? [Y/n] ").strip().lower() not in ("", "y", "yes"):
            console.print("Nothing was imported. --size, --rate, --actions and --name change what is above.")
            return 0
    return _written(what, config.out)


def _told(what: "Conversion") -> list[tuple[str, str]]:
    """Returns what was found and what it will become, line by line."""
    foreign, spec = what.foreign, what.spec
    frame, (height, width) = spec.frame, what.found
    size = f"{height}×{width}" + ("" if frame.shape[:2] == what.found else f" → {frame.height}×{frame.width}")
    rate = f"{frame.rate:g} a second" + ("" if foreign.rate else " (the files do not say; --rate)")
    names = spec.action.names
    told = ", ".join(names[:_TOLD]) + (f" and {len(names) - _TOLD} more" if len(names) > _TOLD else "")
    lines = [
        ("found", f"{foreign.kind}, {len(foreign.episodes):,} episodes, {foreign.ticks:,} ticks"),
        ("world", f"{spec.name}, {what.provenance.split}"),
        ("frames", f"{size}, {rate}"),
        ("actions", f"{spec.action.count}: {told}; {spec.action.idle} when nothing is pressed"),
    ]
    if not foreign.named and (kept := what.kept) < 1:
        lines.append(
            ("", f"each recorded action becomes the nearest of these, which keeps {kept:.0%} of their variance")
        )
    missing = [name for name in ("rewards", "terminals") if all(getattr(e, name) is None for e in foreign.episodes)]
    if missing:
        lines.append(("", f"{' and '.join(missing)} are not in the files: they will all be zero"))
    return lines


def _written(what: "Conversion", out: Path) -> int:
    from rich.console import Console

    from oyster_jax.data.importers.conversion import write
    from oyster_jax.train.metrics import progress_bar

    with progress_bar("importing", what.foreign.ticks) as progress:
        manifest = write(what, out, progress)
    size = sum(shard.bytes for shard in manifest.shards)
    Console(highlight=False, soft_wrap=True).print(
        f"Wrote {manifest.frames:,} frames in {manifest.episodes:,} episodes ({size / 2**20:,.1f} MiB) to {out}."
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config)))
