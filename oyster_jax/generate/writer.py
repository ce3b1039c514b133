"""Writing what is generated while more of it is computed: whole files through TensorStore, then a line in the journal.

What waits to be written is bounded, however slow the disk: whoever brings more waits with it.
"""

import concurrent.futures
import json
import os
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import tensorstore

from oyster_jax.data.manifest import Shard, digest
from oyster_jax.files import sync_names
from oyster_jax.generate import journal
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.journal import Journal
from oyster_jax.generate.layout import ArrayLayout, Axes, write_group
from oyster_jax.parallel.distributed import once

#: Jobs that may wait while one is written; each holds the arrays of one span of as many blocks as there are devices.
WAITING = 1

#: What is left of files over which a process was killed: by TensorStore, and by `files.write_whole`.
_LEFT_OVER = ("*.__lock", ".zarr.json.*", ".0.*")

#: `arrays()` → for every block that was computed together, its arrays by name.
type Fetch = Callable[[], list[dict[str, np.ndarray]]]


class Writer:
    """Writes the blocks of one process into a folder; a context manager.

    Args:
      folder: new, empty, or of the same request, which is then gone on with.
      arrays: what is written, by name.
      axes: how episodes and ticks are cut.
      request: all that decides over what is generated, JSON-ready.
      process: number of this process.

    Raises:
      GenerateError: the folder is not empty, holds another generation, or is being written by another process.
    """

    def __init__(
        self,
        folder: Path,
        arrays: Mapping[str, ArrayLayout],
        axes: Axes,
        request: Mapping[str, Any],
        *,
        process: int = 0,
    ) -> None:
        self.folder, self.arrays, self.axes = folder, arrays, axes
        self._waiting: deque[concurrent.futures.Future[None]] = deque()
        self._files: dict[int, list[Shard]] = {}
        check_folder(folder, request)
        folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder, process)
        once((folder / "zarr.json").exists, lambda: write_group(folder, arrays, axes, {"request": request}))
        #: Blocks that need not be computed any more.
        self.done = frozenset(journal.finished(folder))
        self._stores = {name: open_array(folder / name) for name in arrays}
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "writer")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._wait(0)
        finally:
            self._pool.shutdown(cancel_futures=True)
            self._journal.close()

    def put(self, blocks: list[int], fetch: Fetch, *, span: int = 0, last: bool = False) -> None:
        """Takes over arrays that are still being computed; waits while too much is unwritten.

        Args:
          blocks: the numbers of the blocks that are wanted of those computed, in their order.
          fetch: returns the arrays of all blocks computed, waiting for them.
          span: number of the span that the arrays with an axis of ticks belong to.
          last: the blocks are complete with it.

        Raises:
          GenerateError: something before could not be written.
        """
        self._waiting.append(self._pool.submit(self._write, blocks, fetch, span, last))
        self._wait(1 + WAITING)

    def _wait(self, allowed: int) -> None:
        while len(self._waiting) > allowed or (self._waiting and self._waiting[0].done()):
            try:
                self._waiting.popleft().result()
            except (ValueError, OSError) as error:
                raise GenerateError(
                    f"{self.folder} cannot be written ({str(error).splitlines()[0]}). What is there stays; once this "
                    "is mended, give the same command again and it goes on."
                ) from error

    def _write(self, blocks: list[int], fetch: Fetch, span: int, last: bool) -> None:
        writes, names = [], []
        for block, arrays in zip(blocks, fetch(), strict=False):
            for name, array in arrays.items():
                layout = self.arrays[name]
                first, count = block * self.axes.block, self.axes.episodes_of(block)
                place: Any = np.s_[first : first + count]
                if layout.ticked:
                    tick = span * self.axes.span
                    place = np.s_[first : first + count, tick : tick + array.shape[1]]
                writes.append(write_file(self._stores[name], place, array[:count]))
                names.append((block, layout.file(block, span), array[:count] if name == "lengths" else None))
        for write in writes:
            write.result()
        for block, name, lengths in names:
            path = self.folder / name
            ticks = () if lengths is None else tuple(map(int, lengths))
            shard = Shard(name=name, bytes=path.stat().st_size, sha256=digest(path), lengths=ticks)
            self._files.setdefault(block, []).append(shard)
        if last:
            for block in blocks:
                self._journal.add(block, self._files.pop(block))


def check_folder(folder: Path, request: Mapping[str, Any]) -> None:
    """Checks that a folder may take what is requested: it is new or empty, or was begun with the same request.

    Raises:
      GenerateError: it is not.
    """
    path = folder / "zarr.json"
    if folder.exists() and not folder.is_dir():
        raise GenerateError(f"{folder} is a file; give a folder that does not exist yet.")
    if not path.exists():
        # Who was killed before there was more to see has left a journal.
        if folder.is_dir() and any(folder.iterdir()) and not journal.is_begun(folder):
            raise GenerateError(f"{folder} is not empty; give a new folder, or delete this one first.")
        return
    try:
        found = json.loads(path.read_text())["attributes"]["request"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GenerateError(f"{folder} holds something else than a generation; give a new folder.") from error
    wanted = json.loads(json.dumps(request))
    if found != wanted:
        changed = ", ".join(
            f"{name} {_short(found.get(name))} → {_short(wanted.get(name))}"
            for name in {**found, **wanted}
            if found.get(name) != wanted.get(name)
        )
        raise GenerateError(
            f"{folder} was begun with another request ({changed}); give the same, or a new folder for this one."
        )


def complete(folder: Path, axes: Axes) -> list[Shard] | None:
    """Returns the files of all blocks in their order, after clearing up; None where blocks are missing."""
    found = journal.finished(folder)
    if len(found) < axes.blocks:
        return None
    clear_left_over(folder)
    described = sorted([folder / "zarr.json", *folder.glob("*/zarr.json"), folder / "episode/c/0", folder / "tick/c/0"])
    own = [
        Shard(name=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=digest(path), lengths=())
        for path in described
    ]
    return own + [shard for block in range(axes.blocks) for shard in found[block]]


def clear_left_over(folder: Path) -> None:
    """Removes what is left of files over which a process was killed."""
    for path in [path for pattern in _LEFT_OVER for path in folder.rglob(pattern)]:
        path.unlink()


def settle(folder: Path) -> None:
    """Removes what was needed while the folder was being written."""
    journal.clear(folder)
    sync_names(folder)


def open_array(path: Path) -> Any:
    """Opens an array whose description is there, to write it."""
    description = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": f"{path}{os.sep}"},
        # Otherwise blocks of zeros would have no file, and a lost file would be taken for one.
        "store_data_equal_to_fill_value": True,
    }
    return tensorstore.open(description, open=True, read=True, write=True).result()


def write_file(store: Any, place: Any, array: np.ndarray) -> Any:
    """Begins to write the part of an array that one file holds; returns what is waited for with `result()`."""
    # In a transaction all chunks of a file are known before the first byte is written.
    transaction = tensorstore.Transaction()
    store.with_transaction(transaction)[place].write(array).result()
    return transaction.commit_async()


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
