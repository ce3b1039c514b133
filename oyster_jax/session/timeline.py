"""The tree of a session: its branches with their ticks, times, snapshots and labels."""

import dataclasses

from oyster_jax.session.archive import Archive
from oyster_jax.session.branch import Branch, Event
from oyster_jax.session.intervention import Intervention


@dataclasses.dataclass(frozen=True, kw_only=True)
class BranchLine:
    """One branch, as people look at it.

    Attributes:
      name: of the branch.
      parent: that it left, None for the first.
      at: the tick at which it left.
      end: its last tick.
      created: seconds of the Unix epoch.
      lived: seconds that the session had been running for at its last tick; None without a tick of its own.
      snapshots: ticks of its own with a snapshot on the disk.
      events: labels, pauses and the rest, in order.
      interventions: what was done on it beside acting, in order.
    """

    name: str
    parent: str | None
    at: int
    end: int
    created: float
    lived: float | None
    snapshots: tuple[int, ...]
    events: tuple[Event, ...]
    interventions: tuple[Intervention, ...]

    @property
    def labels(self) -> tuple[Event, ...]:
        """What people wrote beside its ticks, by tick."""
        return tuple(sorted((e for e in self.events if e.kind == "label"), key=lambda event: event.tick))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timeline:
    """All branches of a session, each after the one that it left."""

    branches: tuple[BranchLine, ...]

    def children(self, parent: str | None) -> tuple[BranchLine, ...]:
        """Returns the branches that left `parent`, None for the first branch."""
        return tuple(line for line in self.branches if line.parent == parent)

    def draw(self, here: tuple[str, int] | None = None) -> str:
        """Returns the tree as lines of text.

        Args:
          here: branch and tick to point at.
        """
        return "\n".join(self._lines(None, "", here))

    def _lines(self, parent: str | None, indent: str, here: tuple[str, int] | None) -> list[str]:
        lines = []
        for line in self.children(parent):
            origin = "" if parent is None else f" from {parent} at {line.at}"
            pointer = f"  ← at tick {here[1]}" if here is not None and here[0] == line.name else ""
            lived = "" if line.lived is None else f", lived at {line.lived:.1f} s of wall time"
            kept = f"{len(line.snapshots)} snapshots"
            lines.append(f"{indent}{line.name}{origin}: ticks to {line.end}{lived}, {kept}{pointer}")
            done = [(one.tick, f"{one.kind} {one.text}") for one in line.interventions]
            beside = sorted([*done, *((label.tick, label.text) for label in line.labels)], key=lambda found: found[0])
            lines += [f"{indent}    tick {tick}: {text}" for tick, text in beside]
            lines += self._lines(line.name, indent + "  ", here)
        return lines


def timeline_of(archive: Archive) -> Timeline:
    """Returns the timeline of a session as it stands."""
    branches = sorted(archive.branches.values(), key=lambda branch: (branch.parent is not None, branch.created))
    return Timeline(branches=tuple(_line(archive, branch) for branch in branches))


def _line(archive: Archive, branch: Branch) -> BranchLine:
    return BranchLine(
        name=branch.name,
        parent=branch.parent,
        at=branch.at,
        end=branch.end,
        created=branch.created,
        lived=branch.lived(branch.end),
        snapshots=tuple(archive.snapshots.ticks(branch.name)),
        events=tuple(branch.events),
        interventions=tuple(branch.interventions),
    )
