import mmap
import subprocess
import sys

import jax
import numpy as np

from oyster_jax.core.tick import compile_tick
from oyster_jax.evaluate import memory
from tests.evaluate import toy

_FRESH = "from oyster_jax.evaluate.memory import peak_bytes; print(peak_bytes())"


def told(count: int | None) -> int:
    assert count is not None, "this system does not tell"
    return count


def test_what_is_held_is_seen_and_the_peak_remembers_it():
    before = told(memory.resident_bytes())
    # Fresh pages: what other tests gave back may be handed out again without the process growing.
    held = np.frombuffer(mmap.mmap(-1, 64 * 2**20), np.uint8)
    held[:] = 1
    assert told(memory.resident_bytes()) - before > 60 * 2**20
    assert told(memory.peak_bytes()) >= told(memory.resident_bytes()) >= held.nbytes
    assert told(memory.peak_bytes()) - before > 60 * 2**20


def test_a_fresh_process_does_not_count_the_one_that_started_it():
    held = np.ones(800 * 2**20, np.uint8)
    done = subprocess.run([sys.executable, "-c", _FRESH], capture_output=True, text=True, check=True)
    assert 2**20 < int(done.stdout) < held.nbytes


def test_where_the_system_does_not_tell_nothing_is_claimed(monkeypatch):
    def refuse(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(memory.Path, "read_text", refuse)
    assert memory.resident_bytes() is None
    assert told(memory.peak_bytes()) > 2**20


def test_a_state_is_weighed():
    model = toy.Exact()
    state = model.reset({}, jax.random.key(0))
    found = memory.state_figures(state, compile_tick(model, {}, donate=True), {"world": "toy"})
    figures = {figure.name: figure.value for figure in found}
    # Step, key, latent, read-out and status: 4 + 8 + 4 + 4 + 4.
    assert figures["state.bytes"] == 24
    assert figures["state.leaves"] == 5
    assert figures["tick.reused"] >= 0.9
    assert figures["tick.temporary"] >= 0
    assert found[0].conditions == {"world": "toy"}


def test_another_process_is_looked_at_too():
    ready = "print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", ready], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert 2**20 < told(memory.resident_bytes(other.pid)) < told(memory.resident_bytes())
        other.communicate(b"\n")
    assert memory.resident_bytes(other.pid) is None
