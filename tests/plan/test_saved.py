"""Compiled programs in files, which another process runs."""

import pickle
from pathlib import Path

import pytest

from oyster_jax.plan.errors import PlanError
from oyster_jax.plan.saved import load
from tests.parallel.devices import on_devices


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A program that uses its state up, saved by a process that compiled it itself.

    Of one out of the cache of compiled programs, JAX saves for a processor only a part.
    """
    folder = tmp_path_factory.mktemp("saved")
    found = on_devices(
        1,
        f"""
        jax.config.update("jax_enable_compilation_cache", False)
        import jax.numpy as jnp
        from pathlib import Path
        from oyster_jax.plan.saved import save

        def step(state, batch):
            return {{"total": state["total"] + batch.sum(), "last": jnp.sin(batch)}}, batch.mean()

        given = ({{"total": jnp.float32(1), "last": jnp.zeros(8)}}, jnp.arange(8.0))
        executable = jax.jit(step, donate_argnums=0).lower(*given).compile()
        path = save(Path({str(folder)!r}), "train", executable)
        state, mean = executable(*given)
        found = [str(path), [{{"last": state["last"].tolist()}}, float(mean)]]
        """,
    )
    return Path(found[0]), found[1]


def test_another_process_runs_it(saved):
    path, (state, mean) = saved
    found = on_devices(
        1,
        f"""
        import jax.numpy as jnp
        from pathlib import Path
        from oyster_jax.plan.saved import load

        begun = {{"total": jnp.float32(1), "last": jnp.zeros(8)}}
        state, mean = load(Path({str(path)!r}))(begun, jnp.arange(8.0))
        found = {{"total": float(state["total"]), "last": state["last"].tolist(), "mean": float(mean)}}
        """,
    )
    assert found == {"total": 29.0, "last": state["last"], "mean": mean}


def test_other_versions_and_other_files_are_told_in_a_sentence(saved, tmp_path):
    path, _ = saved
    (tmp_path / "old").write_bytes(pickle.dumps(pickle.loads(path.read_bytes()) | {"jax": "0.1.2"}))
    with pytest.raises(PlanError, match=r"was compiled with JAX 0\.1\.2, but here is"):
        load(tmp_path / "old")
    (tmp_path / "other").write_bytes(b"no pickle")
    for name in ("other", "missing"):
        with pytest.raises(PlanError, match="is no program that `oyster plan --save` wrote"):
            load(tmp_path / name)
