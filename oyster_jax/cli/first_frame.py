"""A fresh process that opens a world, says when its first frame and its first answer are there, and ends.

`oyster bench start` starts it again and again; see `evaluate.startup` for what it prints.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

#: Ticks until its memory is read: by then every program has run and every buffer was there.
TICKS = 100


def first_frame_command(world: str | Path, steps: int | None = None) -> list[str]:
    """Returns the command of such a process for a world (name or folder) with `steps` denoising steps a tick."""
    return [sys.executable, "-m", __name__, str(world), *([] if steps is None else [str(steps)])]


def main(arguments: Sequence[str]) -> int:
    """Opens the world that `arguments` name and prints."""
    import numpy as np

    from oyster_jax.cli.opening import open_world
    from oyster_jax.evaluate.memory import peak_bytes
    from oyster_jax.evaluate.startup import FRAME, PEAK, TICK

    name, *steps = arguments
    world = open_world(name, *map(int, steps))
    state = world.reset(0)
    world.render(state)
    print(FRAME, flush=True)
    for index in range(TICKS):
        state, frame = world.tick(state, world.spec.action.idle, donate=True)
        np.asarray(frame)
        if index == 0:
            print(TICK, flush=True)
    print(PEAK, peak_bytes(), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
