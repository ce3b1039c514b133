"""Studies: worlds × starts × policies × interventions × seeds, measured on the devices, written as labelled arrays.

All branches that share world, start and seed share their noise too, whatever policy and intervention they have: what
differs between them is what these did (common random numbers).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from oyster_jax.generate.branches import Whole, kept_for, measured, row_shapes
from oyster_jax.generate.design import Design
from oyster_jax.generate.journal import Journal, finished
from oyster_jax.generate.study_files import describe, labels_of, layouts_of, request_of, write_unit
from oyster_jax.generate.writer import check_folder, clear_left_over, open_array
from oyster_jax.parallel import rules
from oyster_jax.parallel.batch import sharded
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.typing import Array

#: Called with the rollouts measured so far, and with how many there will be.
type Progress = Callable[[int, int], None]


def run(
    design: Design,
    about: Mapping[str, Any],
    out: Path,
    *,
    devices: Sequence[Any] | None = None,
    progress: Progress | None = None,
) -> None:
    """Measures everything that is not measured yet, into a zarr group that `xarray.open_zarr` reads.

    Args:
      design: what is studied.
      about: what else decides over the numbers, JSON-ready: digests of the worlds, versions.
      out: the folder: new, empty, or of the same study, which is then gone on with.
      devices: to compute on; all of this process unless given.
      progress: told how far it has come.

    Raises:
      GenerateError: the folder holds something else, or another process is at it.
      ValueError: a measure does not name all of its axes, or an axis has two lengths.
    """
    layouts = layouts_of(design)
    labels = labels_of(design, layouts)
    request = json.loads(json.dumps(request_of(design) | dict(about)))
    check_folder(out, request)
    out.mkdir(parents=True, exist_ok=True)
    journal = Journal(out, 0)
    try:
        describe(layouts, labels, request, out)
        stores = {name: open_array(out / name) for name in layouts}
        done, count = finished(out), len(design.interventions)
        program = _Program(design, devices)
        told = sum(len(design.chunk(unit % design.chunks)) * count for unit in done)
        for number, (world, policy) in enumerate(np.ndindex(len(design.worlds), len(design.policies))):
            cells = design.cells
            units = [unit for unit in range(cells) if number * cells + unit not in done]
            if not units:
                continue
            whole = program.shared(design.whole(world, policy))
            while units:
                chosen, units = units[: program.count], units[program.count :]
                places = [divmod(unit, design.chunks) for unit in chosen]
                for unit, (start, chunk), values in zip(chosen, places, program(whole, places), strict=True):
                    shards = write_unit(design, layouts, stores, (world, start, policy), chunk, values, out)
                    journal.add(number * cells + unit, shards)
                    told += len(design.chunk(chunk)) * count
                if progress is not None:
                    progress(told, design.rollouts)
        clear_left_over(out)
    finally:
        journal.close()


class _Program:
    """Plays and measures branches, some blocks of seeds on each device.

    Worlds and policies that differ in their arrays alone share what is compiled.
    """

    def __init__(self, design: Design, devices: Sequence[Any] | None) -> None:
        self._design = design
        self._mesh = MeshConfig().build(jax.local_devices() if devices is None else devices)
        measures = tuple(design.measures.values())
        kept = kept_for(measures, row_shapes(design.whole(0, 0), design.block))

        def chunk(whole: Whole, start: Array, seeds: Array) -> list[list[Array]]:
            return measured(whole, measures, kept, start, seeds)

        self._run = sharded(chunk, self._mesh)

    @property
    def count(self) -> int:
        """How many cells are measured at once."""
        return self._mesh.size * self._design.together

    def shared(self, whole: Whole) -> Whole:
        """Returns what rollouts share, on all devices."""
        return jax.device_put(whole, rules.replicated(self._mesh))

    def __call__(self, whole: Whole, places: list[tuple[int, int]]) -> list[list[list[np.ndarray]]]:
        """Returns what was measured at each place, a start and a chunk of seeds: arrays `[seeds, …]`."""
        starts = np.zeros(self.count, np.int32)
        # Devices and rows for which nothing is left live no tick.
        seeds = np.full((self.count, self._design.block), -1, np.int32)
        for row, (start, chunk) in enumerate(places):
            chosen = self._design.chunk(chunk)
            starts[row], seeds[row, : len(chosen)] = start, chosen
        given = jax.device_put((starts, seeds), rules.batch_sharding(self._mesh))
        found = jax.tree.map(np.asarray, self._run(whole, *given))
        return [jax.tree.map(lambda array, row=row: array[row], found) for row in range(len(places))]
