"""What tests that compile for a TPU ask for."""

import importlib.util

import pytest

#: Skips a test where there is no compiler for TPUs.
compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the TPU compiler is not installed; it comes with the extra tpu"
)
