"""`oyster train`: trains a world from a file in `configs/`."""

import ast
import contextlib
import dataclasses
import fcntl
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from oyster_jax.cli.command import command
from oyster_jax.cli.errors import UsageError
from oyster_jax.parallel.distributed import ALONE, STOPPED, Cluster

if TYPE_CHECKING:
    from oyster_jax.train.experiment import ExperimentConfig
    from oyster_jax.typing import Params

#: Where in a run's folder its finished world is.
WORLD = "world"

_LOCK = ".lock"

_USAGE = "oyster train CONFIG.py [OPTIONS]"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """A training run, ready to start."""

    experiment: "ExperimentConfig"
    run: Path | None = None
    data: Path | None = None
    init_from: str | None = None
    cluster: Cluster = ALONE


def parse(arguments: Sequence[str], prog: str) -> Config:
    """Loads the configuration file that comes first, and lets the options behind it override its fields.

    Raises:
      UsageError: no file is given, or it holds no experiment.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(
            f"usage: {_USAGE}\n\nTrains a world from a file that exposes get_config(), as those in configs/ do.\n"
            "The options of a file are its experiment's fields: oyster train CONFIG.py --help lists them."
        )
        raise SystemExit(0 if arguments else 2)
    path, *rest = arguments
    if path.startswith("-"):
        raise UsageError(f"The configuration file comes first: {_USAGE}")
    experiment = load_experiment(Path(path))
    return tyro.cli(_options(experiment), args=rest, prog=f"{prog} {path}")


def main(config: Config) -> int:
    """Trains, going on where an earlier run in the same folder stopped; returns 0, or 143 if it was told to stop."""
    from oyster_jax.parallel.distributed import join, leads

    join(config.cluster)
    from oyster_jax.cli.opening import keep_compiled
    from oyster_jax.train import stages
    from oyster_jax.train.loop import StoppedError
    from oyster_jax.train.program import check_rows
    from oyster_jax.worlds.registry import data_home, load
    from oyster_jax.worlds.words_storage import save_words

    keep_compiled()
    experiment = config.experiment
    try:
        experiment = _on_what_is_here(experiment)
        _ = experiment.lexicon
        _ = experiment.network  # Parts that do not fit together should be told of now, not after an hour.
        mesh = experiment.mesh.build()
        for training in experiment.trainings:
            check_rows(training, mesh)
    except ValueError as error:
        raise UsageError(str(error)) from error
    folder = config.run or data_home() / "runs" / experiment.name
    params = None if config.init_from is None else load(config.init_from).params
    if leads():
        print(f"Training {experiment.name} in {folder}; after Ctrl-C the same command goes on from there.", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _alone_in(folder) if leads() else contextlib.nullcontext():
            learned = stages.run(experiment, folder, config.data, init_from=params)
            words = stages.words(experiment, folder, config.data)
    except StoppedError as stopped:
        print(f"{stopped} The same command goes on from there.", flush=True)
        return STOPPED
    except ValueError as error:
        if params is None:
            raise
        raise UsageError(str(error)) from error
    if leads():
        world = _stored(config.experiment, learned, folder, config.data or stages.data_folder(experiment, folder))
        if words is not None:
            save_words(world, words)
        print(f"Finished: {folder}. Play it: {command()} play --world {world}")
    return 0


def _on_what_is_here(experiment: "ExperimentConfig") -> "ExperimentConfig":
    """Returns the experiment with a mesh for the devices that there are, and says so where that is a smaller one.

    Raises:
      MeshError: they do not come out even.
    """
    import jax

    from oyster_jax.parallel.distributed import leads

    asked, devices = experiment.mesh, jax.device_count()
    mesh = asked.fitting(devices)
    if mesh != asked and leads():
        here = f"there are {devices}" if devices > 1 else "there is 1"
        used = f"it is cut {mesh.described} instead" if mesh.least > 1 else "nothing is cut"
        print(f"The mesh {asked.described} takes {asked.least} devices; {here}, so {used}.", flush=True)
    return dataclasses.replace(experiment, mesh=mesh)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keeps others from training in a run's folder meanwhile.

    Raises:
      UsageError: another process is at it.
    """
    with (folder / _LOCK).open("w") as file:
        try:
            # Not `flock`: processes that load data inherit that, and may outlive one that was killed.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"Another process is training in {folder}; wait for it, or give another folder with --run."
            ) from error
        yield


def _stored(experiment: "ExperimentConfig", params: "Params", folder: Path, data: Path) -> Path:
    """Makes the run's finished world one that can be loaded, with moments of its recording; returns its folder."""
    from oyster_jax.evaluate.machine import versions
    from oyster_jax.worlds.moments import draw_moments, write_moments
    from oyster_jax.worlds.storage import save_world

    training = {"config": dataclasses.asdict(experiment), "seed": experiment.seed, "versions": versions()}
    about = {"name": experiment.network.spec.name, "licence": experiment.recording.source.licence}
    save_world(folder / WORLD, experiment.network, params, about | {"training": training, "figures": {}})
    write_moments(folder / WORLD, draw_moments(data, experiment.network.spec))
    return folder / WORLD


def load_experiment(path: Path) -> "ExperimentConfig":
    """Returns what `get_config()` of a Python file returns.

    Args:
      path: of the file; what stands behind a colon is handed to `get_config`, as in `configs/base.py:frame=128`.

    Raises:
      UsageError: there is no such file, or it holds no experiment, or not one like this.
    """
    from oyster_jax.train.experiment import ExperimentConfig

    name, colon, given = str(path).partition(".py:")
    file = Path(name + ".py") if colon else path
    experiment = _called(load_config(file).get_config, file, given)
    if not isinstance(experiment, ExperimentConfig):
        raise UsageError(f"get_config() of {file} returned {type(experiment).__name__}, not an ExperimentConfig.")
    return experiment


def load_config(file: Path) -> ModuleType:
    """Returns a configuration file as a module, which has a `get_config`.

    Raises:
      UsageError: there is no such file, or it has none.
    """
    if not file.is_file():
        raise UsageError(f"There is no configuration file {file.absolute()}; give one such as configs/coinrun_nano.py.")
    spec = importlib.util.spec_from_file_location(f"oyster_config_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is no Python file; give one such as configs/coinrun_nano.py.")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, "get_config", None)):
        raise UsageError(f"{file} has no get_config(); a configuration file exposes one that returns an experiment.")
    return module


def _called(get_config: Callable[..., Any], file: Path, given: str) -> Any:
    """Calls `get_config` with what the user gave, as in `frame=128,other=1`."""
    from oyster_jax.data.errors import DatasetError

    pairs = [part.partition("=") for part in given.split(",") if given]
    known = inspect.signature(get_config)
    try:
        values = {name: _value(value) for name, _, value in pairs}
        known.bind(**values)
        return get_config(**values)
    except DatasetError:
        raise
    except (SyntaxError, TypeError, ValueError) as error:
        if not given and not any(each.default is each.empty for each in known.parameters.values()):
            raise
        what = f"cannot be asked for '{given}'" if given else "does not tell everything itself"
        raise UsageError(
            f"{file} {what} ({error}); it takes {known}, as in {file}:{next(iter(known.parameters))}=…"
        ) from error


def _value(text: str) -> Any:
    """Returns a number or whatever else of Python's literals a text is, or the text itself, as in `data=FOLDER`."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        if not text:
            raise
        return text


def _options(experiment: "ExperimentConfig") -> Any:
    """Returns `Config` for the parser: its experiment's fields stand for themselves, with this experiment's values."""
    from oyster_jax.train.experiment import ExperimentConfig

    def options(
        *,
        experiment: Annotated[ExperimentConfig, tyro.conf.arg(name="")] = experiment,
        run: Path | None = None,
        data: Path | None = None,
        init_from: str | None = None,
        cluster: Cluster = ALONE,
    ) -> Config:
        """Trains a world; options override the fields of the configuration file.

        Args:
          experiment: the experiment.
          run: folder of checkpoints, metrics and samples; in the user's data folder unless given.
          data: folder of the recording; made where it is not there, inside the run unless given.
          init_from: a finished world, by name or folder, whose weights are trained on instead of random ones.
          cluster: the processes of this run; found in the environment of `oyster launch`, SLURM and GKE unless given.
        """
        return Config(experiment=experiment, run=run, data=data, init_from=init_from, cluster=cluster)

    return options
