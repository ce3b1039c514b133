"""What a world invents where it was shown nothing."""

import dataclasses

from oyster_jax.evaluate.revealed import RevealedConfig, measure_revealed, revealed_figures
from oyster_jax.evaluate.section import Clip, Section, Table, cell, value
from oyster_jax.evaluate.suite import Suite

_ABOUT = (
    "Where the context showed nothing a world has to invent. Each window is simulated several times with other keys. "
    "Spread is how far these rollouts are from each other over how far they are from the truth: 1 varies as much as "
    "reality does, 0 invents the same every time. Implausibility is how far revealed patches are from the nearest "
    "real patch of another episode, over the same for true patches: 1 is as near as reality. Flat sky is near to "
    "something everywhere, so texture, the variation within patches against that of true ones, stands beside it: 1 "
    "is right."
)


def run(suite: Suite) -> Section:
    """Measures inventions.

    Raises:
      DatasetError: the recording is not held out, not of this world, too short, or its camera is not known.
    """
    config = RevealedConfig(windows=max(suite.windows // 4, 2), context=suite.context, seed=suite.seed)
    with suite.report("simulating with other keys", "windows") as progress:
        measured = measure_revealed(suite.model, suite.params, suite.dataset, config, progress)
    found = revealed_figures(measured)
    rows = tuple(
        (
            str(h),
            f"{100 * at.share:.0f} %",
            value(at.diversity, 3),
            value(at.error, 3),
            cell(at.spread),
            cell(at.implausibility),
            cell(at.texture),
            str(at.patches),
        )
        for h, at in found.horizons.items()
    )
    table = Table(
        title=f"Places that the context did not show: {found.samples} rollouts of {found.windows} windows",
        columns=("ticks", "share", "diversity", "error", "spread", "implausibility", "texture", "patches"),
        rows=rows,
        notes=("Diversity and error are root mean squares of values in [0, 1].",),
    )
    return Section(
        name="revealed",
        title="What is revealed",
        about=_ABOUT,
        figures=dataclasses.asdict(found),
        tables=(table,),
        clips=tuple(
            Clip(
                name=f"revealed_{index}",
                caption=f"Much is revealed: window {index + 1}",
                sides={"truth": truth, "model": frames[0], "model, other key": frames[1]},
            )
            for index, (truth, frames) in enumerate(zip(measured.truth, measured.frames, strict=True))
        ),
    )
