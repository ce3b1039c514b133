"""A recording that is there already, as the source of an experiment: nothing can be recorded of it any more."""

import dataclasses
import functools
import types
from pathlib import Path
from typing import Any, NoReturn

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import Provenance, read_manifest


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recorded:
    """A dataset that `oyster import` or `oyster record` wrote; see `Source`.

    Attributes:
      folder: of the dataset.

    Raises:
      DatasetError: on any use, where there is no dataset in the folder.
    """

    folder: str

    policies = types.MappingProxyType({})

    @property
    def name(self) -> str:
        """What its manifest calls it."""
        return self._provenance.source

    @property
    def spec(self) -> WorldSpec:
        """The recorded world."""
        return self._provenance.spec

    @property
    def options(self) -> dict[str, Any]:
        """Those that it was recorded with."""
        return self._provenance.options

    @property
    def licence(self) -> str:
        """SPDX name of its licence."""
        return self._provenance.licence

    def open(self, *, environments: int, levels: tuple[int, int], seed: int) -> NoReturn:
        """Refuses: there is no simulator behind it.

        Raises:
          DatasetError: always.
        """
        del environments, levels, seed
        raise DatasetError(f"{self.folder} is a recording, which cannot be played again; give it with --data.")

    @functools.cached_property
    def _provenance(self) -> Provenance:
        return read_manifest(Path(self.folder)).provenance
