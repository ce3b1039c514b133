"""What devices say to each other, read from the compiled program: which exchange, how many bytes, along which axis.

XLA writes a program as computations that call each other. Here every exchange is counted as often as the loops around
it turn, and belongs to those axes of the mesh along which the devices of one of its groups differ.
"""

import collections
import dataclasses
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jax.sharding import AbstractMesh, Mesh

#: Bytes a device sends for one byte of its result, for groups of so many (ring algorithms: arXiv 1909.08053's
#: all-reduce is a reduce-scatter and an all-gather).
_SENT = {
    "all-gather": lambda group: (group - 1) / group,
    "all-reduce": lambda group: 2 * (group - 1) / group,
    "reduce-scatter": lambda group: group - 1,
    "all-to-all": lambda group: (group - 1) / group,
    "collective-permute": lambda _: 1.0,
}

_BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2, "f32": 4, "s32": 4, "u32": 4, "f64": 8}

_HEAD = re.compile(r"^(?:ENTRY )?%?([\w.\-]+) \(.*\{$")
_CALLED = re.compile(r"(?:calls|body|condition|to_apply|branch_computations)=\{?(%[\w.\-]+(?:, *%[\w.\-]+)*)")
_EXCHANGE = re.compile(rf"= (.*?) ({'|'.join(_SENT)})(-start)?\(")
#: How slices of TPUs exchange: each device hands what is left after its slice's own exchange to the runtime.
_ACROSS = re.compile(r'= \((.*?)\) send\(.*_xla_megascale_transfer_type="([A-Z_]+)"')
#: What it is called where one device hands over to one other.
_ONE_TO_ONE = {"one-to-one": "collective-permute"}
_ARRAY = re.compile(r"\b([a-z]+\d*)\[([\d,]*)\]")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exchange:
    """All exchanges of one kind along one set of axes.

    Attributes:
      kind: as XLA calls it, as in `all-gather`.
      axes: names of the mesh's axes along which a group's devices differ, joined by `+`.
      count: how often one runs, loops counted.
      bytes: that one device sends in all of them.
      largest: bytes of the largest single result.
    """

    kind: str
    axes: str
    count: int
    bytes: int
    largest: int


def exchanges(program: str, mesh: Mesh | AbstractMesh) -> list[Exchange]:
    """Returns the exchanges of a compiled program, those that send most first.

    Args:
      program: the text of the optimized HLO.
      mesh: that it was compiled for.
    """
    computations = _computations(program)
    turns = _turns(program, computations)
    # The start, the middle and the end of one exchange share a channel.
    found: dict[str, tuple[int, str, str]] = {}
    for name, lines in computations.items():
        for line in lines:
            if (match := _EXCHANGE.search(line)) is None or not turns[name]:
                continue
            kind = "reduce-scatter" if "all-reduce-scatter" in name else match[2]
            channel = re.search(r"channel_id=(\d+)", line)
            # The compiler gives all sums into parts one channel, the first, as JAX does all that it writes itself.
            key = channel[1] if channel and channel[1] != "1" else name + line
            if key not in found or turns[name] > found[key][0]:
                found[key] = (turns[name], kind, line)
    total: dict[tuple[str, str], list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    for count, kind, line in found.values():
        group = _group(line, mesh.size)
        if len(group) < 2:
            continue
        size = _result(line, kind)
        if kind == "reduce-scatter" and "all-reduce(" in line:
            size //= len(group)
        sums = total[kind, _axes(group, mesh)]
        sums[0] += count
        sums[1] += round(count * size * _SENT[kind](len(group)))
        sums[2] = max(sums[2], size)
    for kind, count, size in _across(computations, turns):
        sums = total[kind, "slice"]
        sums[0] += count
        sums[1] += round(count * size * _SENT[kind](mesh.shape["slice"]))
        sums[2] = max(sums[2], size)
    listed = [
        Exchange(kind=kind, axes=axes, count=count, bytes=sent, largest=largest)
        for (kind, axes), (count, sent, largest) in total.items()
    ]
    return sorted(listed, key=lambda exchange: -exchange.bytes)


def sent_by_axes(found: Sequence[Exchange]) -> dict[str, int]:
    """Returns the bytes that a device sends along each set of axes."""
    total: collections.Counter[str] = collections.Counter()
    for exchange in found:
        total[exchange.axes] += exchange.bytes
    return dict(total)


def _across(computations: Mapping[str, list[str]], turns: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    """Yields kind, count and bytes of what a device hands over to other slices."""
    for name, lines in computations.items():
        for line in lines:
            if (match := _ACROSS.search(line)) is not None and turns[name]:
                kind = match[2].lower().replace("_", "-")
                yield _ONE_TO_ONE.get(kind, kind), turns[name], next(_sizes(match[1]))


def _computations(program: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in program.splitlines():
        if (head := _HEAD.match(line)) is not None:
            current = found.setdefault(head[1], [])
        elif line.startswith("  "):
            current.append(line)
    return found


def _turns(program: str, computations: Mapping[str, list[str]]) -> dict[str, int]:
    """Returns how often each computation runs in one run of the program."""
    entry = re.search(r"^ENTRY %?([\w.\-]+)", program, re.MULTILINE)
    assert entry is not None, "a compiled program has an entry"
    turns: collections.Counter[str] = collections.Counter()
    waiting = [(entry[1], 1)]
    while waiting:
        name, times = waiting.pop()
        turns[name] += times
        for line in computations.get(name, ()):
            inside = times * _trips(line, computations)
            names = itertools.chain(*(match.split(",") for match in _CALLED.findall(line)))
            waiting += [(name.strip().removeprefix("%"), inside) for name in names]
    return turns


def _trips(line: str, computations: Mapping[str, list[str]]) -> int:
    """Returns how often the body of a loop runs: it counts up to a constant."""
    if " while(" not in line:
        return 1
    if (known := re.search(r'"known_trip_count":\{"n":"(\d+)"\}', line)) is not None:
        return int(known[1])
    condition = re.search(r"condition=%?([\w.\-]+)", line)
    limits = [
        int(match[1])
        for text in computations.get(condition[1] if condition else "", ())
        if (match := re.search(r"= [su]32\[\]\S* constant\((\d+)\)", text)) is not None
    ]
    return max(limits, default=1)


def _group(line: str, devices: int) -> Sequence[int]:
    """Returns the devices of one group of an exchange, as places in the mesh."""
    if (pairs := re.search(r"source_target_pairs=\{(.*?)\}\}", line)) is not None:
        # Some devices may pass on to themselves.
        ends = [(int(one), int(other)) for one, other in re.findall(r"\{(\d+),(\d+)", pairs[0])]
        return next((pair for pair in ends if pair[0] != pair[1]), ())
    named = re.search(r"replica_groups=mesh\[(.*?)\] \{(.*?)\}", line)
    if named is not None:
        return _named_group(named[1], named[2], line)
    iota = re.search(r"replica_groups=\[(\d+),(\d+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?", line)
    if iota is not None:
        grid = np.arange(devices).reshape([int(size) for size in iota[3].split(",")])
        if iota[4]:
            grid = grid.transpose([int(axis) for axis in iota[4].split(",")])
        return grid.reshape(int(iota[1]), int(iota[2]))[0].tolist()
    listed = re.search(r"replica_groups=\{\{([\d,]+)\}", line)
    return [int(device) for device in listed[1].split(",")] if listed else range(devices)


def _named_group(sizes: str, axes: str, line: str) -> list[int]:
    """Reads groups that are written as axes of a mesh, as in `mesh['a'=2,'b'=8] {'b':(2)4}`: a part of `b`."""
    shape = {name: int(size) for name, size in re.findall(r"'([^']+)'=(\d+)", sizes)}
    order = np.arange(math.prod(shape.values()))
    if (listed := re.search(r"device_ids=\(\[([\d,]+)\](?:T\(([\d,]+)\))?\)", line)) is not None:
        order = order.reshape([int(size) for size in listed[1].split(",")])
        order = order.transpose([int(axis) for axis in listed[2].split(",")]) if listed[2] else order
    coordinates = np.unravel_index(np.arange(order.size), tuple(shape.values()))
    free = np.ones(order.size, bool)
    inside: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
    for name, before, part in re.findall(r"'([^']+)'(?::\((\d+)\)(\d+))?", axes):
        inside[name].append((int(before or 1), int(part or shape[name])))
    for (name, size), place in zip(shape.items(), coordinates, strict=True):
        digits = np.zeros_like(place)
        for before, part in inside.get(name, ()):
            after = size // (before * part)
            digits += (place // after % part) * after
        free &= place == digits
    return order.reshape(-1)[free].tolist()


def _axes(group: Sequence[int], mesh: Mesh | AbstractMesh) -> str:
    """Names the axes along which the devices of a group differ."""
    places = np.array(np.unravel_index(np.asarray(group), tuple(mesh.shape.values())))
    return "+".join(name for name, row in zip(mesh.axis_names, places, strict=True) if np.ptp(row))


def _result(line: str, kind: str) -> int:
    """Returns the bytes of an exchange's result on one device."""
    match = _EXCHANGE.search(line)
    assert match is not None, "only exchanges are asked"
    arrays = list(_sizes(match[1]))
    # What starts an exchange holds its operands and its results side by side, and what it keeps track with.
    if match[3] and kind in ("all-gather", "collective-permute"):
        return max(arrays)
    return sum(arrays)


def _sizes(text: str) -> Iterator[int]:
    for dtype, dimensions in _ARRAY.findall(text):
        if dtype in _BYTES:
            yield _BYTES[dtype] * math.prod(int(size) for size in dimensions.split(",") if size)
