"""Runs code in a process of its own with some virtual devices, and returns what it printed last."""

import json
import os
import subprocess
import sys
import textwrap
from typing import Any

#: Has programs compiled with less care, in two thirds of the time: for small programs that run only a few times.
QUICKLY = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"

_BEGIN = """
import json
import jax
jax.config.update("jax_num_cpu_devices", {count})
"""


def on_eight_devices(code: str) -> Any:
    """Runs `code`, which sets `found`; returns that, by way of JSON."""
    return on_devices(8, code)


def on_devices(count: int, code: str) -> Any:
    """The same on another number of devices."""
    script = f"{_BEGIN.format(count=count)}{textwrap.dedent(code)}\nprint(json.dumps(found))"
    quickly = os.environ | {"XLA_FLAGS": QUICKLY}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=900, env=quickly)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
