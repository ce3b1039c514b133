"""A world that a server lets people play: loaded, compiled, with its card, its pictures and its recorded moments."""

import dataclasses
import functools
import re
from pathlib import Path

import numpy as np

from oyster_jax.serve.pictures import png
from oyster_jax.serve.resources import Prompt, WorldCard
from oyster_jax.worlds.moments import RecordedMoment, read_moments
from oyster_jax.worlds.record import CARD
from oyster_jax.worlds.together import Together
from oyster_jax.worlds.world import World

PREVIEW = "preview.png"
#: Of the dream that a card shows, and after how many ticks: the first frames of a dream are smeared.
_PREVIEW_SEED, _PREVIEW_TICKS = 7, 30
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """A world with what is needed to play it.

    Attributes:
      world: that is played.
      folder: of the world, for its card and its recorded moments; None of a world that is nowhere on the disk.
    """

    world: World
    folder: Path | None = None

    @property
    def name(self) -> str:
        """What the world is called."""
        return self.world.name

    @functools.cached_property
    def together(self) -> Together:
        """What steps its sessions."""
        return Together(self.world)

    def action(self, held: frozenset[str]) -> int:
        """Returns the action that held buttons make; what the world does not know presses nothing."""
        return self.world.spec.action.held(held)

    def warm(self) -> None:
        """Compiles what one player needs."""
        state = self.world.reset(0)
        self.world.render(state)
        self.world.readouts(state)
        self.together.prepare(1)
        _ = self.preview

    def warm_beginnings(self) -> None:
        """Compiles what other beginnings need: a program for each length of recorded moments, and those of words."""
        shape = self.world.spec.frame.shape
        for ticks in {1, *(len(moment.frames) for moment in self.moments.values())}:
            state = self.world.encode(np.zeros((ticks, *shape), np.uint8), np.zeros(ticks - 1, np.int32))
            self.world.render(state)
        if (words := self.world.words) is not None:
            self.world.render(self.world.encode(entities=words.draw(words.examples[0]).document))

    def warm_edits(self) -> None:
        """Compiles what an edit needs, whatever it changes; nothing for a world that does not know what it shows."""
        if self.world.model.tokenizer.structure is not None:
            self.world.render(self.world.edit(self.world.reset(0), {"set": {}}))

    def as_shown(self, frame: np.ndarray) -> np.ndarray:
        """Returns what the world makes of a frame, uint8 `[height, width, 3]`, when it begins from that."""
        return self.world.render(self.world.encode(frame[None], np.zeros(0, np.int32)))

    @functools.cached_property
    def preview(self) -> bytes:
        """A dream of the world as PNG."""
        state, action = self.world.reset(_PREVIEW_SEED), self.action(frozenset({"right"}))
        for _ in range(_PREVIEW_TICKS):
            state, _ = self.world.tick(state, action, donate=True)
        return png(self.world.render(state))

    @functools.cached_property
    def moments(self) -> dict[str, RecordedMoment]:
        """The recorded moments that come with the world, by name."""
        return read_moments(self.folder) if self.folder else {}

    @functools.cached_property
    def pictures(self) -> dict[str, bytes]:
        """The pictures that card and moments name, as PNG."""
        shown = {f"{name}.png": png(moment.frames[-1]) for name, moment in self.moments.items()}
        return {PREVIEW: self.preview, **shown}

    @functools.cached_property
    def card(self) -> WorldCard:
        """What is told of the world."""
        spec, record = self.world.spec, self.world.record
        readouts = self.world.model.dynamics.readouts
        weights = record.get("weights", {})
        title, text = _card(self.folder / CARD if self.folder else None, self.name)
        return WorldCard(
            name=self.name,
            title=title,
            card=text,
            buttons=list(spec.action.buttons),
            actions=list(spec.action.names),
            height=spec.frame.height,
            width=spec.frame.width,
            rate=spec.frame.rate,
            parameters=weights.get("parameters", 0),
            bytes=weights.get("bytes", 0),
            licence=record.get("licence", ""),
            figures={
                name: value for name, value in record.get("figures", {}).items() if isinstance(value, int | float)
            },
            pictures=[self._address(PREVIEW)],
            prompts=len(self.moments),
            view=readouts.view if readouts.entity_types else None,
            entity_types=record.get("entity_types", {}),
            events=list(spec.events.names) if spec.events is not None else [],
            examples=list(self.world.words.examples) if self.world.words is not None else [],
        )

    @property
    def prompts(self) -> list[Prompt]:
        """The recorded moments as they are listed."""
        return [
            Prompt(
                name=name,
                world=self.name,
                title=moment.title,
                ticks=len(moment.frames),
                picture=self._address(f"{name}.png"),
            )
            for name, moment in self.moments.items()
        ]

    def _address(self, file: str) -> str:
        return f"/v1/worlds/{self.name}/pictures/{file}"


def _card(path: Path | None, name: str) -> tuple[str, str]:
    """Returns heading and first paragraph of a card."""
    if path is None or not path.exists():
        return name, ""
    blocks = [block.strip() for block in path.read_text("utf-8").split("\n\n")]
    heading = next((block.lstrip("# ").splitlines()[0] for block in blocks if block.startswith("#")), name)
    text = next((block for block in blocks if block and not block.startswith(("#", "|", "!", "-"))), "")
    return heading, " ".join(_LINK.sub(r"\1", text).split())
