"""Where a world begins: as a file describes it, as a sentence says, from a picture, or dreamt from nothing."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oyster_jax.cli.described import document, named
from oyster_jax.cli.errors import UsageError
from oyster_jax.worlds.errors import WorldError

if TYPE_CHECKING:
    import numpy as np

    from oyster_jax.client import Client
    from oyster_jax.core.state import WorldState
    from oyster_jax.worlds.world import World


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beginning:
    """One of three ways at most; without any a world is dreamt.

    Attributes:
      entities: a file of tiles, entities and quantities.
      prompt: a sentence.
      image: a picture.

    Raises:
      UsageError: more than one is given, or a file cannot be read.
    """

    entities: Path | None = None
    prompt: str | None = None
    image: Path | None = None

    def __post_init__(self) -> None:
        given = [f"--{name}" for name, value in vars(self).items() if value is not None]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} all say where the world begins; give one of them.")
        # What is wrong with a file is told before anything is loaded.
        if self.entities is not None:
            document(self.entities)
        if self.image is not None:
            _bytes(self.image)

    @property
    def dreamt(self) -> bool:
        """Whether the world begins from nothing."""
        return self == Beginning()

    def scene(self, world: "World", seed: int) -> dict[str, Any] | None:
        """Returns the description that the world begins with, if it does so; of a sentence, having said what it means.

        Raises:
          UsageError: the world knows no words, or nothing of the sentence, or refuses it.
        """
        if self.prompt is None:
            return None if self.entities is None else document(self.entities)
        try:
            scene = world.imagine(self.prompt, seed)
        except WorldError as error:
            raise UsageError(str(error)) from error
        print(f"Understood: {', '.join(fact.says for fact in scene.understood.facts)}.", flush=True)
        for remark in scene.remarks:
            print(remark, flush=True)
        return scene.document

    def state(self, world: "World", seed: int) -> "WorldState":
        """Returns the state that the world begins in; of a picture, having said how well the world knows such.

        Raises:
          UsageError: the world cannot begin so.
        """
        if self.image is not None:
            return _shown(world, _frame(world, self.image), seed)
        scene = self.scene(world, seed)
        return world.reset(seed) if scene is None else self._encoded(world, scene, seed)

    def options(self, world: "World", seed: int) -> dict[str, Any]:
        """Returns how a session begins so, as `World.session` takes it, having said what is to be said of it.

        Raises:
          UsageError: the world cannot begin so.
        """
        if self.image is not None:
            frame = _frame(world, self.image)
            _shown(world, frame, seed)
            return {"prompt": (frame[None], ())}
        self.check(world, seed)
        if self.prompt is not None:
            return {"prompt": self.prompt}
        return {} if self.entities is None else {"entities": document(self.entities)}

    def _encoded(self, world: "World", scene: dict[str, Any], seed: int) -> "WorldState":
        try:
            return world.encode(entities=scene, seed=seed)
        except WorldError as error:
            raise (UsageError(str(error)) if self.entities is None else named(self.entities, error)) from error

    def check(self, world: "World", seed: int) -> None:
        """Makes sure that the world can begin so, and says what `scene` says.

        Raises:
          UsageError: it cannot.
        """
        if self.image is not None:
            _frame(world, self.image)
        if (scene := self.scene(world, seed)) is not None:
            self._encoded(world, scene, seed)

    def session(self, client: "Client", seed: int) -> str:
        """Begins a session at a server; returns its id.

        Raises:
          ClientError: the server will not.
        """
        name = client.worlds()[0]["name"]
        if self.image is None:
            described = None if self.entities is None else document(self.entities)
            return client.create(name, seed=seed, sentence=self.prompt, entities=described)["id"]
        upload = client.upload(name, _bytes(self.image), f"image/{_kind(self.image)}")
        print(upload["sentence"], flush=True)
        return client.create(name, image=upload["id"])["id"]


def _shown(world: "World", frame: "np.ndarray", seed: int) -> "WorldState":
    """Returns the state of a world that was shown a picture as large as a frame, having said how well it knows such."""
    from oyster_jax.worlds.familiarity import Familiarity, picture_psnr

    state = world.encode(frame[None], (), seed)
    dreamt = world.render(world.reset(seed))
    usual = picture_psnr(dreamt, world.render(world.encode(dreamt[None], (), seed)))
    psnr = picture_psnr(frame, world.render(state))
    print(Familiarity.of(world.record, usual).verdict(psnr)[1], flush=True)
    return state


def _frame(world: "World", path: Path) -> "np.ndarray":
    """Returns the middle of a picture in the size of a world's frames."""
    from oyster_jax.data.errors import DatasetError
    from oyster_jax.data.pictures import fitted_file

    height, width, _ = world.spec.frame.shape
    try:
        return fitted_file(path, height, width)
    except DatasetError as error:
        raise UsageError(str(error)) from error


def _bytes(path: Path) -> bytes:
    from oyster_jax.data.errors import DatasetError
    from oyster_jax.data.pictures import picture_bytes

    try:
        return picture_bytes(path)
    except DatasetError as error:
        raise UsageError(str(error)) from error


def _kind(path: Path) -> str:
    suffix = path.suffix.lower().lstrip(".")
    return {"jpg": "jpeg"}.get(suffix, suffix)
