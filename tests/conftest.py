"""What every test runs under: annotations checked at each call, and no silent promotion of dtypes or ranks."""

import jax
import jaxtyping

import tests.shape_checks

# Before anything of the package is imported: the hook works on modules as they load.
jaxtyping.install_import_hook("oyster_jax", f"{tests.shape_checks.__name__}.checked")

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
