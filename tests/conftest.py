"""What every test runs under: annotations checked at each call, and no silent promotion of dtypes or ranks."""

import os
from pathlib import Path

import jax
import jaxtyping
import pytest

import tests.shape_checks

# Before anything of the package is imported: the hook works on modules as they load.
jaxtyping.install_import_hook("oyster_jax", f"{tests.shape_checks.__name__}.checked")

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Tests compile the same small programs again and again, which takes most of their time: kept on disk, they are compiled
# once for all workers, all runs, and the programs that tests start.
for setting, value in {
    "jax_compilation_cache_dir": str(Path(__file__).resolve().parents[1] / ".pytest_cache" / "compiled"),
    "jax_persistent_cache_min_compile_time_secs": 0.0,
}.items():
    jax.config.update(setting, value)
    os.environ[setting.upper()] = str(value)

#: Files that take a minute of a core or more, the longest first: what is begun last should not run on alone.
LONGEST = (
    "train/test_program.py", "train/test_launch.py", "worlds/test_study.py", "train/test_resume.py",
    "train/test_topology.py", "generate/test_processes.py", "train/test_stages.py", "session/test_crash.py",
    "train/test_own.py", "tools/test_soak.py", "test_laws.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


#: Folders and files whose programs are compiled as users' are: those that compare what two programs compute bit for
#: bit, which is harder the more the compiler does, and those that run what ships at its own speed. Folders are whole
#: where fixtures last longer than a file.
CAREFUL = (
    "test_laws.py", "parallel", "generate", "session", "serve", "worlds", "train/test_topology.py",
    "train/test_meshes.py",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def compiler(request: pytest.FixtureRequest):
    """Has all other programs compiled with less care, in half of the time, also those that tests start."""
    place = request.path.relative_to(Path(__file__).parent)
    quick = not any(Path(name) in (place, *place.parents) for name in CAREFUL)
    if quick != jax.config.read("jax_disable_most_optimizations"):
        # Programs that are in memory are as they were compiled.
        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", quick)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(quick))
