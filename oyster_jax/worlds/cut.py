"""A cut of a story: where a world goes on from, just as a story may begin; nothing of before is remembered."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.pictures import fitted_file
from oyster_jax.worlds.beginning import opening
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.moments import read_moments
from oyster_jax.worlds.structure import read_structure
from oyster_jax.worlds.world import World

#: Fields of a story, and of a cut, that say where it begins; one of them at most.
BEGINNINGS = ("begin", "prompt", "image", "entities")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cut:
    """Where a world goes on from; a place is dreamt where nothing says it.

    Attributes:
      begin: name of a recorded moment that comes with the world.
      prompt: a sentence.
      image: file of a picture.
      entities: a description as `World.encode` takes it, or the file of one.
      seed: of what is not said, and of all that happens from there on; that of the session unless given.
    """

    begin: str | None = None
    prompt: str | None = None
    image: str | None = None
    entities: str | Mapping[str, Any] | None = None
    seed: int | None = None

    @property
    def file(self) -> str | None:
        """The file that it names, if it names one."""
        return self.image or (self.entities if isinstance(self.entities, str) else None)

    @property
    def sentence(self) -> str:
        """Where it goes, for people."""
        return self.prompt or self.begin or self.file or ("a dream" if self.entities is None else "what is described")

    def beside(self, folder: Path) -> Self:
        """Returns it with its file looked for in a folder."""
        if self.file is None:
            return self
        named = str(folder / self.file)
        return dataclasses.replace(self, **({"image": named} if self.image else {"entities": named}))

    def options(self, world: World) -> dict[str, Any]:
        """Returns it as `Session.cut` takes it: prompt, entities and seed.

        Raises:
          WorldError: the world comes with no such moment, or the file cannot be read.
        """
        if self.begin is not None:
            prompt = recorded(world, self.begin)
        elif self.image is not None:
            prompt: Any = _picture(world, Path(self.image)), ()
        else:
            prompt = self.prompt
        entities = read_structure(Path(self.entities)) if isinstance(self.entities, str) else self.entities
        return {"prompt": prompt, "entities": entities, "seed": self.seed}

    def asked(self, world: World, seed: int) -> dict[str, Any]:
        """Returns what `asked` makes of its entry in a log.

        Args:
          world: that it goes on in.
          seed: of the session.

        Raises:
          SessionError, WorldError: as `options`, or the world cannot begin so.
        """
        seed = seed if self.seed is None else self.seed
        if self.prompt is not None:
            return {"seed": seed, "sentence": self.prompt}
        options = self.options(world)
        return opening(world, seed, options["prompt"], options["entities"])[0]


def asked(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what was asked for with a cut that was logged: without what was drawn where that was a sentence."""
    return {name: given[name] for name in ("seed", "sentence")} if "sentence" in given else given


def recorded(world: World, name: str) -> tuple[Any, Any]:
    """Returns frames and actions of a recorded moment that comes with a world.

    Raises:
      WorldError: none of that name does.
    """
    moments = {} if world.folder is None else read_moments(world.folder)
    if name not in moments:
        raise WorldError(f"{world.name} comes with no moment '{name}'; it has {', '.join(moments) or 'none'}.")
    return moments[name].frames, moments[name].actions


def _picture(world: World, path: Path) -> Any:
    """Returns the middle of a picture as a frame of a world, uint8 `[1, height, width, 3]`."""
    height, width, _ = world.spec.frame.shape
    try:
        return fitted_file(path, height, width)[None]
    except DatasetError as error:
        raise WorldError(str(error)) from error
