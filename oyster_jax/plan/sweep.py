"""Trying meshes and batches: which of them fit, and which promises most frames a second."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from oyster_jax.parallel.mesh import MeshConfig, batch_ways
from oyster_jax.plan.compiling import SAFE, Compiled, compiled
from oyster_jax.plan.errors import PlanError
from oyster_jax.plan.predicted import predicted
from oyster_jax.plan.programs import Program, bytes_on_device, training
from oyster_jax.plan.roofline import Roofline, computing, exchanging, roofline
from oyster_jax.plan.topology import Topology
from oyster_jax.train.experiment import ExperimentConfig

#: Windows that each group of devices gets: a multiple of four, of which one learns larger steps.
ROWS = (4, 8, 16)

#: Exchanges that take this share of the time that computing takes are taken to hide behind it.
_HIDDEN = 0.5

#: Share of the memory that what is known without the compiler may take; the compiler's working memory needs the rest.
_KNOWN = 0.4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to cut up training.

    Attributes:
      mesh: the mesh.
      batch: windows a step.
      known: share of a device's memory that state, gradients and activations take.
      exchanging: seconds that exchanges take for each that computing takes, at the peaks, as the sharding table says.
      program: to be compiled.
    """

    mesh: MeshConfig
    batch: int
    known: float
    exchanging: float
    program: Program

    @property
    def order(self) -> tuple[float, int, int, float]:
        """The most promising comes first when sorted by this.

        Of those whose exchanges hide behind computing, that is the one that cuts layers least, then the smallest batch:
        neither makes a step faster; then the one that leaves most memory.
        """
        return max(self.exchanging, _HIDDEN), self.mesh.tensor, self.batch, self.known


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tried:
    """A candidate and what came of compiling it."""

    candidate: Candidate
    compiled: Compiled
    roofline: Roofline

    @property
    def order(self) -> tuple[bool, float]:
        """The best comes first when sorted by this."""
        safe = self.compiled.fits and self.compiled.share <= SAFE
        return not safe, -self.roofline.frames_per_second

    @property
    def unsurpassed(self) -> bool:
        """Whether no other can promise more: it fits, and what limits it is computing, which all have in common."""
        return not self.order[0] and self.roofline.bound == "compute"


def candidates(experiment: ExperimentConfig, topology: Topology) -> list[Candidate]:
    """Returns the meshes and batches that may fit, the most promising first.

    Raises:
      PlanError: none may fit.
    """
    within = len(topology.devices) // topology.slices
    found = []
    for mesh in _meshes(within, topology.slices, experiment.dynamics.heads):
        built = mesh.build(topology.devices)
        for rows in ROWS:
            batch = rows * batch_ways(built)
            config = dataclasses.replace(experiment.dynamics_training, batch=batch)
            program = training(experiment, config, built)
            state = sum(map(bytes_on_device, program.arguments.values()))
            known = (state + program.gradients + program.activations) / topology.usable
            if known <= _KNOWN:
                exchanged = max(exchanging(predicted(program, experiment).items(), topology.peaks))
                ratio = exchanged / computing(program, topology.peaks, topology.chips)
                found.append(Candidate(mesh=mesh, batch=batch, known=known, exchanging=ratio, program=program))
    if not found:
        raise PlanError(
            f"State and activations of {experiment.name} take more than {100 * _KNOWN:.0f} % of the memory on every "
            f"mesh of {topology.label}; take more chips, or chips with more memory."
        )
    return sorted(found, key=lambda candidate: candidate.order)


def try_out(candidate: Candidate, topology: Topology) -> Tried:
    """Compiles a candidate."""
    found = compiled(candidate.program, topology)
    return Tried(candidate=candidate, compiled=found, roofline=roofline(found, topology.peaks, topology.chips))


def sweep(
    waiting: Sequence[Candidate], trying: Callable[[Candidate], Tried], tries: int, told: Callable[[Tried], None]
) -> tuple[list[Tried], list[Candidate]]:
    """Tries the most promising candidates.

    Args:
      waiting: the most promising first.
      trying: tries one, as `try_out` does.
      tries: how many are tried; more, up to twice as many, while none has fitted, and fewer once none can be better.
      told: of each as it is compiled.

    Returns:
      What was tried, the best first, and the candidates that were not.
    """
    waiting = list(waiting)
    tried: list[Tried] = []
    while waiting and (len(tried) < tries or (len(tried) < 2 * tries and tried[0].order[0])):
        candidate = waiting.pop(0)
        one = trying(candidate)
        told(one)
        tried = sorted([*tried, one], key=lambda one: one.order)
        if tried[0].unsurpassed:
            break
        if one.compiled.share > 1:
            # What needs more of everything does not fit either.
            waiting = [other for other in waiting if other.known < candidate.known]
    return tried, waiting


def _meshes(devices: int, slices: int, heads: int) -> Iterator[MeshConfig]:
    powers = [2**power for power in range(devices.bit_length()) if devices % 2**power == 0]
    for tensor in (ways for ways in powers if ways <= 8 and heads % ways == 0):
        for fsdp in (ways for ways in powers if devices % (ways * tensor) == 0):
            yield MeshConfig(fsdp=fsdp, tensor=tensor, slices=slices)
