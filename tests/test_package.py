"""The package as a whole: every module loads, and the façade costs nothing until it is used."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import oyster_jax

MODULES = [module.name for module in pkgutil.walk_packages(oyster_jax.__path__, f"{oyster_jax.__name__}.")]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_loads_without_a_warning(name):
    assert importlib.import_module(name).__doc__


def test_the_facade_is_imported_without_jax():
    program = "import sys, oyster_jax; oyster_jax.__version__; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_an_unknown_name_is_refused_in_a_sentence():
    with pytest.raises(AttributeError, match="has no attribute 'unheard_of'"):
        oyster_jax.unheard_of  # noqa: B018
