"""Where the figures of a run go: JSONL, TensorBoard, a progress bar, and Weights & Biases where it is wanted."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tensorboardX import SummaryWriter

from oyster_jax.parallel.distributed import alive

#: Where no terminal shows a bar, a line is written at most every so many seconds, and at the end.
LINE_SECONDS = 10.0


@contextlib.contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows a bar for work outside the training loop; what it yields is called with the frames done so far."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task(title, total=total)

        def progress(done: int) -> None:
            bar.update(task, completed=done)
            alive()

        yield progress


class MetricsLog:
    """Writes the metrics of one stage; a context manager.

    Args:
      folder: gets `metrics.jsonl` and the TensorBoard events.
      title: shown beside the bar.
      steps: length of the run.
      start: steps done before.
      wandb_project: logs there too when given (needs `wandb` installed and set up).

    Raises:
      ModuleNotFoundError: a `wandb_project` is given and wandb is not installed.
    """

    def __init__(self, folder: Path, title: str, steps: int, *, start: int = 0, wandb_project: str | None = None):
        self._lines = _truncated(folder / "metrics.jsonl", start).open("a")
        self._board = SummaryWriter(str(folder), purge_step=start + 1 if start else None)
        self._wandb = None
        if wandb_project is not None:
            import wandb  # pyright: ignore[reportMissingImports]  # optional, installed by who wants it

            self._wandb = wandb.init(project=wandb_project, dir=folder, name=title, resume="allow")
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
        )
        self.console = Console()
        self._bar = Progress(*columns, console=self.console)
        self._task = self._bar.add_task(title, total=steps, completed=start, figures="")
        self._title, self._steps = title, steps
        self._next_line = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        self._lines.close()
        self._board.close()
        if self._wandb is not None:
            self._wandb.finish()

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Records the metrics of one step everywhere."""
        record: dict[str, Any] = {"step": step, "time": round(time.time(), 3), **metrics}
        self._lines.write(json.dumps(record) + "\n")
        self._lines.flush()
        for name, value in metrics.items():
            self._board.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(dict(metrics), step=step)
        figures = f"loss {metrics['loss']:.4f}  {metrics['frames_per_second']:,.0f} frames/s"
        self._bar.update(self._task, completed=step, figures=figures)
        if not self.console.is_terminal and (step == self._steps or time.monotonic() >= self._next_line):
            self._next_line = time.monotonic() + LINE_SECONDS
            self.console.print(f"{self._title} {step}/{self._steps}  {figures}", soft_wrap=True)


def _truncated(path: Path, start: int) -> Path:
    """Drops lines after step `start`, which a killed run wrote after its last checkpoint and which come again."""
    if path.exists():
        kept = []
        for line in path.read_text().splitlines():
            try:
                if json.loads(line)["step"] <= start:
                    kept.append(line + "\n")
            except ValueError:
                break  # a line cut short by the kill
        temporary = path.with_suffix(".tmp")
        temporary.write_text("".join(kept))
        temporary.replace(path)
    return path
