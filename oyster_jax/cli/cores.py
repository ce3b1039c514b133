"""How many threads XLA computes with on a processor."""

import os

#: Read by XLA when JAX first looks for devices.
THREADS = "NPROC"


def use_one_core() -> None:
    """Has the ticks of one world computed by one thread, unless the environment says otherwise; before JAX is used.

    A tick's products are so small that to share one out costs more than it gives: on two cores a tick of coinrun takes
    3.3 ms (99 %: 3.6) on one thread and 4.4 (7.1) on two, in half the processor's time and to the same bits
    (`NPROC=2 tools/bench interactive` beside `NPROC=1`). Many worlds at once, and training, are better off with all.
    """
    os.environ.setdefault(THREADS, "1")
