"""Runs code in a process of its own with some virtual devices, and returns what it printed last."""

import json
import subprocess
import sys
import textwrap
from typing import Any

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
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
