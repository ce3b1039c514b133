"""Whether the denoiser listens to what it is given."""

import dataclasses

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.denoising import denoising_errors, levels
from oyster_jax.evaluate.section import Section, Table, cell
from oyster_jax.evaluate.suite import Suite
from oyster_jax.evaluate.windows import choose_windows
from oyster_jax.models.world_model import WorldNetwork

_ABOUT = (
    "After some real frames the next latent is hidden under noise and has to be found again. Under nothing but noise a "
    "world can only say what it expects; the more of the latent shows through, the nearer it should come, and nearer "
    "than the noisy latent is by itself. A world whose errors hardly fall cannot draw: where two things may happen, "
    "it shows a blur of both."
)


def run(suite: Suite) -> Section:
    """Measures denoising.

    Raises:
      DatasetError: the world has no denoiser, or there is no held-out recording of it.
    """
    model = suite.model
    if not isinstance(model, WorldNetwork):
        raise DatasetError(f"The world '{suite.name}' has no denoiser.")
    windows = choose_windows(suite.dataset.lengths, suite.context + 1, suite.windows, suite.seed)
    with suite.report("denoising", "windows") as progress:
        errors = denoising_errors(
            model, suite.params, suite.dataset, windows, context=suite.context, seed=suite.seed, progress=progress
        )
    bootstrap = Bootstrap(windows.episodes, seed=suite.seed)
    found = {
        level: bootstrap.estimate(lambda error: error, column)
        for level, column in zip(levels(model), errors.T, strict=True)
    }
    return Section(
        name="denoising",
        title="Denoising",
        about=_ABOUT,
        figures={f"{level:g}": dataclasses.asdict(error) for level, error in found.items()},
        tables=(_table(found),),
    )


def _table(found: dict[float, Estimate]) -> Table:
    nothing = found[0.0].value
    rows = tuple(
        (
            f"{level:g}",
            cell(error, 4),
            f"{error.value / nothing:.2f}",
            "–" if level == 0 else f"{((1 - level) / level) ** 2:.4f}",
        )
        for level, error in found.items()
    )
    columns = ("signal level", "squared error", "over that at 0", "of the noisy latent itself")
    return Table(title="The next latent, found again under noise", columns=columns, rows=rows)
