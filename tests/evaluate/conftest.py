import pytest

from tests.evaluate import toy


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Held-out episodes of the toy world."""
    return toy.write(tmp_path_factory.mktemp("toy") / "data")
