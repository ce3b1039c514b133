"""Whether simulated frames, as a crowd, look like real ones."""

import dataclasses

from oyster_jax.evaluate.frechet import FrechetConfig, frechet_figures, measure_frechet
from oyster_jax.evaluate.section import Section, Table
from oyster_jax.evaluate.suite import Suite

_ABOUT = (
    "The Fréchet distance compares the simulated frames of all windows with real frames, both as crowds of features "
    "of this project's own judge, a network trained on real frames of the game. It is no FID and compares with no "
    "other paper's numbers. The floor is the distance of as many real frames; a world at the floor cannot be told "
    "from the game by these features. Horizons with fewer frames have larger distances and larger floors."
)


def run(suite: Suite) -> Section:
    """Measures the distance.

    Raises:
      DatasetError: the world has no judge, or the recording is not held out, not of this world, or too short.
    """
    judge = suite.reader
    config = FrechetConfig(reference=1024 if suite.quick else 4096, seed=suite.seed)
    found = frechet_figures(measure_frechet(judge.features, [suite.near, *suite.far], suite.dataset, config))
    rows = tuple(
        (
            str(h),
            f"{found.distance[h]:.3g}",
            f"{found.floor[h]:.3g}",
            f"{found.distance[h] / max(found.floor[h], 1e-12):.2f}",
            str(found.frames[h]),
        )
        for h in found.distance
    )
    table = Table(
        title="Fréchet distance on judge features",
        columns=("ticks", "model", "floor", "model / floor", "frames"),
        rows=rows,
        notes=(f"Both against {found.reference} real frames.",),
    )
    return Section(
        name="frechet",
        title="Fréchet distance on judge features",
        about=_ABOUT,
        figures=dataclasses.asdict(found),
        tables=(table,),
    )
