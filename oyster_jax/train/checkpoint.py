"""Checkpoints of a training run: Orbax, a digest of our own, and the data iterator's place.

Every process writes the parts of the arrays that its devices hold, into a folder that all of them see; what is read
again is cut as the reader wants it, on any number of devices and processes.
"""

import dataclasses
import json
import textwrap
from pathlib import Path
from typing import Any, cast

import jax
from orbax.checkpoint import v1 as ocp

from oyster_jax.tree import tree_digest, tree_fingerprint

#: Characters of what Orbax says of a checkpoint that are told.
_SAID = 200


class CheckpointError(RuntimeError):
    """A checkpoint cannot be used; the message says which, why and what to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restored:
    """What a checkpoint gave back."""

    state: Any
    iterator: Any
    step: int


class Checkpoints:
    """The checkpoints of one run, newest last; a save is complete or absent, and the newest `keep` are kept.

    Args:
      folder: where they live; created when missing.
      keep: how many to keep.
    """

    def __init__(self, folder: Path, *, keep: int = 2):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self._orbax = ocp.training.Checkpointer(
            str(self.folder),
            # Orbax's own policy does not match its own protocol.
            preservation_policy=cast(Any, ocp.training.preservation_policies.LatestN(keep)),
            cleanup_tmp_directories=True,
        )

    def save(self, step: int, state: Any, iterator: Any) -> None:
        """Writes `state` (a pytree) and `iterator` (JSON-ready) as the checkpoint of `step`, in the background.

        Orbax loads flipped bits without a word, so the digest of all leaves goes with them.
        """
        note: Any = {"iterator": json.dumps(iterator), "digest": tree_fingerprint(state)}
        # Orbax skips a save while another is being written, and says so only by what it returns.
        self._orbax.wait()
        self._orbax.save_async(step, state, custom_metadata=note)

    def restore(self, abstract: Any) -> Restored | None:
        """Returns the newest sound checkpoint, or None where there is none at all.

        Args:
          abstract: a pytree of `jax.ShapeDtypeStruct` or arrays with the structure that was saved, and the
            shardings that are wanted.

        Raises:
          CheckpointError: there are checkpoints, and every one of them is damaged.
        """
        self._orbax.wait()
        failures = []
        for found in sorted(self._orbax.checkpoints, key=lambda found: found.step, reverse=True):
            try:
                state = self._orbax.load(found.step, abstract)
                note = self._orbax.metadata(found.step).custom_metadata
            except Exception as error:  # noqa: BLE001  # Orbax has many kinds for one cause: damaged files
                # What Orbax says of a state of other shapes is all of them, on one line of pages.
                said = textwrap.shorten(str(error).splitlines()[0], _SAID, placeholder=" …")
                failures.append(f"step {found.step} ({type(error).__name__}: {said})")
                continue
            if not isinstance(note, dict) or not _is_sound(state, str(note.get("digest"))):
                failures.append(f"step {found.step} (its bytes do not match its digest)")
                continue
            return Restored(state=state, iterator=json.loads(str(note["iterator"])), step=found.step)
        if failures:
            raise CheckpointError(
                f"No checkpoint in {self.folder} can be used: {'; '.join(failures)}. They are damaged, or of networks "
                "of another size than the experiment has now. Remove the folder to begin anew, or choose another with "
                "--run."
            )
        return None

    def close(self) -> None:
        """Waits for what is being written."""
        self._orbax.wait()
        self._orbax.close()


def _is_sound(state: Any, digest: str) -> bool:
    # Runs that began earlier keep another digest, which has to put all arrays together.
    return digest == (tree_digest(state) if digest.startswith("sha256:") else tree_fingerprint(state))


def abstract_like(tree: Any) -> Any:
    """Returns shapes and dtypes of a pytree, with the sharding of its arrays, as `restore` wants them."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), tree)
