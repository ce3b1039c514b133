"""What to change when a program does not fit, in one sentence."""

from oyster_jax.parallel.mesh import batch_ways
from oyster_jax.plan.compiling import SAFE, Compiled

#: What a device holds whether it works or not; cutting it up further makes it smaller.
_STATE = ("parameters", "average", "optimizer", "gradients")


def verdict(compiled: Compiled) -> str:
    """Returns one sentence: it fits, or by how much it does not and what to change."""
    needed, usable = (size / 2**30 for size in (compiled.needed, compiled.usable))
    if compiled.fits and compiled.share <= SAFE:
        return f"It fits: {needed:.2f} of {usable:.2f} GiB a device, {100 * compiled.share:.0f} %."
    over = f"needs {needed:.2f} of the {usable:.2f} GiB of a device"
    if compiled.fits:
        return f"It fits only just: it {over}, {100 * compiled.share:.0f} %; to be safe, {_change(compiled)}."
    return f"It does not fit: it {over}, {needed - usable:.2f} too many; {_change(compiled)}."


def _change(compiled: Compiled) -> str:
    program, mesh = compiled.program, compiled.program.mesh
    room = SAFE * compiled.usable
    state = sum(compiled.memory.get(name, 0) for name in _STATE)
    rest = compiled.needed - state
    if program.name == "rollout":
        return _fewer_worlds(compiled, room)
    free = mesh.shape["data"]
    if state > rest and free > 1:
        ways = next((ways for ways in _powers(free) if state / ways + rest <= room), free)
        return f"cut the state {ways} times further with --mesh.fsdp {mesh.shape['fsdp'] * ways}"
    rows = program.rows // batch_ways(mesh)
    fewer = next((kept for kept in range(rows - 1, 0, -1) if state + rest * kept / rows <= room), None)
    if fewer is not None:
        return f"give each device fewer windows with --batch {fewer * batch_ways(mesh)}"
    if program.layers.recompute != "everything":
        return "keep less for the way back with layers=LayersConfig(recompute='everything') in its TrainConfig"
    if mesh.shape["tensor"] < mesh.shape["fsdp"] * free:
        return f"cut the layers, too, with --mesh.tensor {2 * mesh.shape['tensor']}, or try --sweep"
    return "take more chips or chips with more memory"


def _fewer_worlds(compiled: Compiled, room: float) -> str:
    program = compiled.program
    mesh, params = program.mesh, compiled.memory.get("parameters", 0)
    worlds = program.rows // batch_ways(mesh)
    rest = compiled.needed - params
    fewer = next((kept for kept in range(worlds - 1, 0, -1) if params + rest * kept / worlds <= room), None)
    if fewer is not None:
        return f"roll out fewer worlds with --worlds {fewer * batch_ways(mesh)}"
    return f"share each world among more devices with --rollout-tensor {2 * mesh.shape['tensor']}"


def _powers(limit: int) -> list[int]:
    return [2**power for power in range(1, limit.bit_length()) if limit % 2**power == 0]
