"""`oyster direct`: lives a story of acts that follow each other and fork, and writes every way through it."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from oyster_jax.cli.errors import UsageError

if TYPE_CHECKING:
    from oyster_jax.worlds.session import Session
    from oyster_jax.worlds.story import Story
    from oyster_jax.worlds.world import World

#: In the folder: the session, and the story as it was told.
SESSION, STORY = "session", "story.toml"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Lives a story, a small file of acts: what to do and what to make happen, until when, and what may follow.

    Every way through it becomes a clip and a table of its ticks; a page shows how they fork. Interrupted or killed, the
    same command goes on where it was.
    """

    story: tyro.conf.Positional[Path]
    """The file, as in docs/stories/saw.toml or night.toml; `oyster_jax/worlds/story.py` says what may stand in it."""
    out: Path
    """The folder to write, or to go on with."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Denoising steps a tick, the world's own unless given."""


def main(config: Config) -> int:
    """Lives the story and says what was written."""
    from oyster_jax.cli.opening import open_world
    from oyster_jax.session.archive import Archive
    from oyster_jax.session.replayer import Replayer
    from oyster_jax.worlds.director import direct
    from oyster_jax.worlds.episodes_page import write_episodes
    from oyster_jax.worlds.rehearsal import rehearse
    from oyster_jax.worlds.story import read_story

    story = read_story(config.story)
    _check_same(config)
    print(f"Loading world {story.world} …", flush=True)
    world = open_world(story.world, config.steps)
    # Before a folder is made.
    rehearse(story, world)
    with _session(world, story, config.out / SESSION) as session:
        _keep(config)
        leaves = direct(session, story)
        ticks = sum(line.end - line.at for line in session.timeline().branches)
    replayer = Replayer(world, Archive(config.out / SESSION, write=False))
    page = write_episodes(replayer, world.spec, leaves, config.out)
    print(f"Lived {ticks:,} ticks; {len(leaves)} ways through the story lie in {config.out}. Open {page}.")
    return 0


def _session(world: "World", story: "Story", folder: Path) -> "Session":
    """Returns the session of a story, on its first branch: begun, or the one that was begun before."""
    from oyster_jax.session.archive import is_session
    from oyster_jax.session.branch import MAIN
    from oyster_jax.worlds.session import Session

    if is_session(folder):
        return Session.open(folder, world, branch=MAIN)
    lasts = (story.ticks + 1) / world.spec.frame.rate
    begun = _beginning(world, story)
    return world.session(folder, seed=story.seed, max_duration=max(lasts, 1.0), **begun)


def _beginning(world: "World", story: "Story") -> dict[str, Any]:
    """Returns how the session of a story begins, as `World.session` takes it."""
    from oyster_jax.cli.beginning import Beginning
    from oyster_jax.worlds.cut import recorded

    if story.begin is not None:
        return {"prompt": recorded(world, story.begin)}
    files = {name: Path(file) for name in ("image", "entities") if (file := getattr(story, name)) is not None}
    return Beginning(prompt=story.prompt, **files).options(world, story.seed)


def _check_same(config: Config) -> None:
    """Refuses a folder in which another story was begun."""
    kept = config.out / STORY
    if kept.exists() and kept.read_bytes() != config.story.read_bytes():
        raise UsageError(f"{config.out} holds another story, {kept}; give a new folder for this one.")


def _keep(config: Config) -> None:
    from oyster_jax.files import write_whole

    write_whole(config.out, {STORY: config.story.read_bytes()})
