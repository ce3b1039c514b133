"""`oyster rollout`: simulates a world under given actions and writes what it showed."""

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro

from oyster_jax.cli.beginning import Beginning
from oyster_jax.cli.clip import check_clip
from oyster_jax.cli.described import document, edited
from oyster_jax.cli.errors import UsageError

if TYPE_CHECKING:
    from oyster_jax.core.state import WorldState
    from oyster_jax.worlds.world import World

#: How long a rollout is where nothing says so, in seconds of world time.
SECONDS = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Simulates a world and writes the clip.

    Who acts: --actions, or --policy, or (after --prompt-dir) whoever acted in the recording.
    """

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    seed: int = 0
    """Of the world's randomness and of --policy; the same seed gives the same clip."""
    actions: str | None = None
    """As in "right*30,right+jump*6,4*10": names or ids, with how many ticks each is held."""
    policy: Literal["sticky", "random"] | None = None
    """Who acts: sticky keeps its actions for a while and leans to the right, random draws each one."""
    ticks: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """How long, for --policy and for recorded actions; ten seconds, or the rest of the episode, unless given."""
    prompt_dir: Path | None = None
    """A dataset of `oyster record`: the world first sees frames of it."""
    episode: int | None = None
    """Which episode of --prompt-dir, the first that lasts long enough unless given."""
    start: int = 0
    """Its first tick that the world sees."""
    context: Annotated[int, tyro.conf.arg(metavar="N")] = 8
    """How many of its frames the world sees."""
    entities: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None
    """Tiles, entities and quantities that the world begins with; tools/examples/scene.json is one for coinrun."""
    prompt: str | None = None
    """Where to begin, for a world that knows words, as in "a lake to the north, two cows, dusk"."""
    image: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A picture to begin from (PNG, JPEG, WebP), of any size: the middle of it is taken."""
    edit: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None
    """What to change in the living world, for a world that knows what is in it: add, remove, move, tiles, set."""
    edit_at: Annotated[int, tyro.conf.arg(metavar="TICK")] = 0
    """After how many ticks of the simulation."""
    compare: tyro.conf.FlagCreatePairsOff[bool] = False
    """Lay the recording beside the simulation: truth left, model right."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Denoising steps a tick, the world's own unless given."""
    out: Path = Path("clip.mp4")
    """Where to: .mp4, .webp (lossless) or .npz (frames, actions, reward and terminal of every tick)."""
    scale: int = 6
    """Every pixel of the clip is enlarged to this many squared; not for .npz."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be simulated.

    Attributes:
      state: where to begin.
      before: uint8 `[ticks, height, width, 3]`, what was seen until then.
      actions: int32 `[ticks]`.
      truth: uint8 `[ticks, height, width, 3]`, what the recording shows after each action, where it knows.
    """

    state: "WorldState"
    before: np.ndarray
    actions: np.ndarray
    truth: np.ndarray | None = None


def main(config: Config) -> int:
    """Simulates, writes the clip and says what it wrote."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    _check(config)
    console.print(f"Loading world {config.world} …")
    from oyster_jax.cli.opening import open_world

    world = open_world(config.world, config.steps)
    plan = _from_recording(world, config) if config.prompt_dir else _from_nothing(world, config)
    if config.edit_at >= len(plan.actions):
        raise UsageError(f"--edit-at {config.edit_at} lies behind the last of {len(plan.actions)} ticks; give less.")
    console.print(f"Simulating {len(plan.actions)} ticks …")
    state, seen, seconds = _simulate(world, config, plan)
    _write(world, config, plan, seen)
    speed = f"{len(plan.actions) / seconds:.1f} ticks/s (the world's own pace is {world.spec.frame.rate:g})"
    console.print(f"Wrote {config.out}: {len(plan.actions)} ticks, {speed}.")
    for line in _remarks(world, config, plan, state, seen):
        console.print(line)
    return 0


def _check(config: Config) -> None:
    check_clip(config.out)
    if config.actions is not None and (config.policy is not None or config.ticks is not None):
        raise UsageError("--actions says who acts and how long; leave out --policy and --ticks.")
    if config.compare and (config.prompt_dir is None or config.actions is not None or config.policy is not None):
        raise UsageError(
            "--compare needs a truth, and there is one only under the actions of a recording: give --prompt-dir, "
            "and neither --actions nor --policy."
        )
    begins = [f"--{name}" for name in ("entities", "prompt", "image") if getattr(config, name) is not None]
    if config.prompt_dir is not None and begins:
        raise UsageError(f"--prompt-dir and {begins[0]} both say where the world begins; give one of them.")
    if config.edit is not None:
        document(config.edit)  # What is wrong with the file is told before anything is simulated.
    if config.edit_at and config.edit is None:
        raise UsageError("--edit-at says when --edit is done; give both.")
    least_of = {"ticks": 1, "scale": 1, "context": 1, "start": 0, "episode": 0, "seed": 0, "edit_at": 0}
    for name, least in least_of.items():
        value = getattr(config, name)
        if value is not None and value < least:
            raise UsageError(f"--{name.replace('_', '-')} must be at least {least}, but was {value}.")


def _beginning(config: Config) -> Beginning:
    return Beginning(entities=config.entities, prompt=config.prompt, image=config.image)


def _from_nothing(world: "World", config: Config) -> Plan:
    actions = _actions(world, config, None)
    state = _beginning(config).state(world, config.seed)
    return Plan(state=state, before=world.render(state)[None], actions=actions)


def _from_recording(world: "World", config: Config) -> Plan:
    from oyster_jax.data.dataset import EpisodeDataset

    assert config.prompt_dir is not None
    dataset = EpisodeDataset(config.prompt_dir)
    if "frames" not in dataset.content:
        raise UsageError(f"{config.prompt_dir} holds no frames; give a dataset that `oyster record` wrote.")
    if dataset.spec.action != world.spec.action or dataset.spec.frame.shape != world.spec.frame.shape:
        raise UsageError(
            f"{config.prompt_dir} was recorded in {dataset.spec.name} and does not fit the world '{world.name}': "
            "their actions or frames differ. Give a recording of the world's own game."
        )
    begin = config.start + config.context
    ticks = config.ticks or round(SECONDS * world.spec.frame.rate)
    # Where none lasts as long, the longest.
    number = int(np.argmax(np.minimum(dataset.lengths, begin + ticks))) if config.episode is None else config.episode
    if number >= len(dataset):
        raise UsageError(f"{config.prompt_dir} has episodes 0 to {len(dataset) - 1}, not {number}.")
    episode = dataset[number]
    if begin > episode.ticks - (config.actions is None and config.policy is None):
        raise UsageError(
            f"Episode {number} has {episode.ticks} ticks, too few for {config.context} of context from tick "
            f"{config.start} and something after them; choose an earlier --start, less --context or another --episode."
        )
    assert episode.frames is not None
    before = episode.frames[config.start : begin]
    # The action taken at the last frame of the context is the first that the world has to answer.
    actions = _actions(world, config, episode.actions[begin - 1 : -1])
    try:
        state = world.encode(before, episode.actions[config.start : begin - 1], config.seed)
    except ValueError as error:
        raise UsageError(f"Episode {number} of {config.prompt_dir} cannot be continued: {error}") from error
    truth = episode.frames[begin : begin + len(actions)] if config.compare else None
    return Plan(state=state, before=before, actions=actions, truth=truth)


def _actions(world: "World", config: Config, recorded: np.ndarray | None) -> np.ndarray:
    """Returns int32 `[ticks]`: the script, the policy's, or the recorded ones."""
    from oyster_jax.core.spec import as_action_ids
    from oyster_jax.data.policies import make_policy

    spec = world.spec.action
    try:
        if config.actions is not None:
            return spec.script(config.actions)
        if recorded is not None and config.policy is None:
            return as_action_ids(spec, recorded[: config.ticks])
    except ValueError as error:
        raise UsageError(str(error)) from error
    ticks = config.ticks or round(SECONDS * world.spec.frame.rate)
    policy = make_policy(config.policy or "sticky", spec, 1, config.seed)
    began = np.zeros(1, bool)
    return np.concatenate([policy.act(began) for _ in range(ticks)])


def _simulate(world: "World", config: Config, plan: Plan) -> tuple["WorldState", dict[str, np.ndarray], float]:
    """Returns the last state, what every tick said and showed, and the seconds it took once compiled."""
    import jax
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    def observe(params: Any, state: "WorldState") -> dict[str, Any]:
        said = world.model.readouts(params, state)
        frame = world.model.render(params, state)
        return {"frames": frame, "reward": said["reward"], "terminal": said["terminal"], "status": state.status}

    jax.block_until_ready(world.rollout(plan.state, plan.actions[:1], observe=observe))
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("ticks"), TimeRemainingColumn())
    state, ticks = plan.state, []
    begin = time.perf_counter()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=len(plan.actions))
        for actions in np.split(plan.actions, [config.edit_at]):
            for later, said in world.stream(state, actions, observe=observe):
                state = later
                ticks.append(jax.tree.map(np.asarray, said))
                bar.advance(task)
            if config.edit is not None and len(ticks) == config.edit_at:
                state = edited(world, state, config.edit)
    seconds = time.perf_counter() - begin
    return state, jax.tree.map(lambda *leaves: np.stack(leaves), *ticks), seconds


def _write(world: "World", config: Config, plan: Plan, seen: dict[str, np.ndarray]) -> None:
    from oyster_jax.cli.comparison import side_by_side
    from oyster_jax.frames import write_clip

    rate, frames = world.spec.frame.rate, seen["frames"]
    if config.out.suffix == ".npz":
        arrays: dict[str, Any] = {name: seen[name] for name in ("reward", "terminal", "status")}
        if plan.truth is not None:
            arrays["truth"] = plan.truth
        write_clip(config.out, frames, rate=rate, actions=plan.actions, before=plan.before, **arrays)
    elif plan.truth is not None:
        pair = side_by_side(plan.truth, frames, ("truth", world.name), config.scale)
        write_clip(config.out, pair, rate=rate)
    else:
        write_clip(config.out, frames, rate=rate, scale=config.scale)


def _remarks(world: "World", config: Config, plan: Plan, state: "WorldState", seen: dict[str, np.ndarray]) -> list[str]:
    from oyster_jax.core.state import Status

    lines = []
    ends = np.flatnonzero(seen["status"] == Status.TERMINAL)
    if len(ends):
        lines.append(f"At tick {ends[0] + 1} the world says that its episode ended; what follows is beyond that.")
    if world.status(state) is Status.NONFINITE:
        lines.append(Status.NONFINITE.sentence)
    if plan.truth is not None:
        lines.append(_figures(plan.truth, seen["frames"], plan.before[-1]))
    elif config.prompt_dir is not None and config.actions is None and config.policy is None:
        lines.append("Add --compare to lay the recording beside it.")
    return lines


def _figures(truth: np.ndarray, frames: np.ndarray, last: np.ndarray) -> str:
    """Says the PSNR, from the error pooled over all ticks, of the simulation and of standing still."""
    import jax.numpy as jnp

    from oyster_jax.evaluate.fidelity import psnr, squared_error

    still = np.broadcast_to(last, truth.shape)
    errors = (np.asarray(squared_error(jnp.asarray(x), jnp.asarray(truth))) for x in (frames, still))
    own, copied = (float(psnr(float(error.mean()))) for error in errors)
    return f"PSNR over {len(truth)} ticks: {own:.2f} dB; the last frame that it saw, repeated: {copied:.2f} dB."
