"""What every test runs under: annotations checked at each call, and no silent promotion of dtypes or ranks."""

import os
from pathlib import Path

import jax
import jaxtyping

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
