"""A plan as text, as JSON and as a page."""

import dataclasses
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oyster_jax.evaluate.machine import versions
from oyster_jax.evaluate.page import STYLE
from oyster_jax.files import write_whole
from oyster_jax.plan.advice import verdict
from oyster_jax.plan.collectives import sent_by_axes
from oyster_jax.plan.compiling import Compiled
from oyster_jax.plan.roofline import Roofline
from oyster_jax.plan.sweep import Tried
from oyster_jax.plan.topology import Topology

REPORT, PAGE = "plan.json", "plan.html"
SCHEMA_VERSION = 1

type Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Price:
    """What is paid.

    Attributes:
      chip_hour: for one chip for an hour, in any currency.
      steps: training steps of the run.
    """

    chip_hour: float
    steps: int

    def cost(self, roofline: Roofline, topology: Topology) -> float:
        """Returns what the steps cost at the least."""
        return self.chip_hour * topology.chips * self.steps * roofline.seconds / 3600


def described(compiled: Compiled, roofline: Roofline, topology: Topology, price: Price | None = None) -> dict[str, Any]:
    """Returns all that is known of one program, JSON-ready."""
    program = compiled.program
    found: dict[str, Any] = {
        "program": program.name,
        "stage": program.stage,
        "verdict": verdict(compiled),
        "fits": compiled.fits,
        "mesh": dict(program.mesh.shape),
        "rows": program.rows,
        "ticks": program.ticks,
        "devices_a_chip": topology.peaks.devices,
        "bytes_a_device": dict(compiled.memory),
        "needed": compiled.needed,
        "usable": compiled.usable,
        "share": compiled.share,
        "exchanges": [dataclasses.asdict(exchange) for exchange in compiled.exchanges],
        "sent_by_axes": sent_by_axes(compiled.exchanges),
        "model_flops": program.model_flops,
        "device_flops": program.device_flops,
        "compile_seconds": compiled.seconds,
        "roofline": None,
    }
    if compiled.fits:
        parts = dataclasses.asdict(roofline)
        figures = ("seconds", "bound", "utilization", "frames_per_second")
        found["roofline"] = parts | {name: getattr(roofline, name) for name in figures}
        if price is not None and program.name == "train":
            found["cost"] = dataclasses.asdict(price) | {"least": price.cost(roofline, topology)}
    return found


def report(
    programs: Sequence[dict[str, Any]], tried: Sequence[Tried], topology: Topology, *, name: str, command: str
) -> dict[str, Any]:
    """Returns a whole plan, JSON-ready.

    Args:
      programs: what `described` returned.
      tried: what a sweep compiled, the best first.
      topology: that was planned for.
      name: of the experiment.
      command: the command line.
    """
    about = {"name": topology.name, "slices": topology.slices, "chips": topology.chips, "usable": topology.usable}
    return {
        "schema_version": SCHEMA_VERSION,
        "experiment": name,
        "topology": about | {"peaks": dataclasses.asdict(topology.peaks)},
        "programs": list(programs),
        "sweep": [
            described(one.compiled, one.roofline, topology) | {"known": one.candidate.known} for one in tried
        ],
        "versions": versions(),
        "command": command,
    }  # fmt: skip


def write_report(folder: Path, report: dict[str, Any]) -> Path:
    """Writes `plan.json` and `plan.html` into `folder`, whole or not at all, and returns the page's path."""
    files = {REPORT: json.dumps(report, indent=1), PAGE: _page(report)}
    write_whole(folder, {name: text.encode() for name, text in files.items()})
    return folder / PAGE


def tables(found: dict[str, Any]) -> list[Table]:
    """Returns what is known of one program as tables: title, columns, rows."""
    memory = [(name, f"{size / 2**30:.3f}") for name, size in found["bytes_a_device"].items()]
    memory.append(("all", f"{found['needed'] / 2**30:.3f} of {found['usable'] / 2**30:.2f}"))
    heading = "memory of a device"
    if (devices := found["devices_a_chip"]) > 1:
        heading += f", of which a chip has {devices}"
        chip = (devices * found[name] / 2**30 for name in ("needed", "usable"))
        memory.append(("all of a chip", "{:.3f} of {:.2f}".format(*chip)))
    listed: list[Table] = [(heading, ("what", "GiB"), memory)]
    if found["exchanges"]:
        rows = [
            (
                one["kind"],
                one["axes"],
                f"{one['count']:,}",
                f"{one['bytes'] / 1e6:,.1f}",
                f"{one['largest'] / 1e6:,.1f}",
            )
            for one in found["exchanges"]
        ]
        columns = ("exchange", "along", "times", "MB sent", "largest MB")
        listed.append(("exchanges of a device", columns, rows))
    if (line := found["roofline"]) is not None:
        least = [(part, f"{1e3 * line[part]:,.2f}") for part in ("compute", "memory", "interconnect", "network")]
        listed.append(("milliseconds, at the least", ("part", "ms"), least))
    return listed


def title(found: dict[str, Any]) -> str:
    """Returns what one program is called: `train (dynamics)`, or `rollout`."""
    return found["program"] if found["stage"] is None else f"{found['program']} ({found['stage']})"


def peaks_table(topology: dict[str, Any]) -> Table:
    """Returns what a chip can do at most, with which the roofline reckons, from a report's `topology`."""
    peaks = topology["peaks"]
    rows = [
        ("bfloat16", f"{peaks['flops'] / 1e12:,.0f} TFLOP/s"),
        ("HBM", f"{peaks['memory'] / 1e9:,.0f} GB/s"),
        ("all links within a slice, one direction", f"{peaks['interconnect'] / 1e9:,.0f} GB/s"),
        ("network to other slices", f"{peaks['network'] / 1e9:,.1f} GB/s"),
        ("devices", f"{peaks['devices']}"),
        ("HBM that programs may use of a device", f"{topology['usable'] / 2**30:.2f} GiB"),
    ]
    return f"peaks of a chip of {peaks['name']}", ("what", "at most"), rows


def sentences(found: dict[str, Any]) -> list[str]:
    """Returns what is to be said of one program beside its tables."""
    mesh = ", ".join(f"{axis} {ways}" for axis, ways in found["mesh"].items() if ways > 1) or "one device"
    rows = "windows" if found["program"] == "train" else "worlds"
    said = [f"{found['rows']:,} {rows} of {found['ticks']} ticks on {mesh}.", found["verdict"]]
    if (line := found["roofline"]) is not None:
        said.append(
            f"A call takes at least {1e3 * line['seconds']:,.1f} ms, bound by {line['bound']}: at most "
            f"{line['frames_per_second']:,.0f} frames/s and {100 * line['utilization']:.0f} % MFU, "
            f"{found['model_flops'] / 1e12:,.1f} TFLOP of the model and {found['device_flops'] / 1e12:,.1f} in all."
        )
    if (cost := found.get("cost")) is not None:
        said.append(f"{cost['steps']:,} steps cost at least {cost['least']:,.2f} at {cost['chip_hour']} a chip hour.")
    return said


def sweep_table(swept: Sequence[dict[str, Any]]) -> Table:
    """Returns what a sweep found as a table, the best first."""
    rows = []
    for found in swept:
        line, mesh = found["roofline"], found["mesh"]
        speed = ("", "", "") if line is None else (
            f"{line['frames_per_second']:,.0f}", line["bound"], f"{100 * line['utilization']:.0f} %"
        )  # fmt: skip
        ways = " × ".join(f"{axis} {mesh[axis]}" for axis in ("slice", "data", "fsdp", "tensor") if mesh[axis] > 1)
        rows.append((ways, f"{found['rows']:,}", f"{100 * found['share']:.0f} %", *speed))
    return "meshes", ("mesh", "batch", "memory", "frames/s at most", "bound by", "MFU at most"), rows


def _page(report: dict[str, Any]) -> str:
    topology = report["topology"]
    label = f"{topology['slices']} × {topology['name']}" if topology["slices"] > 1 else topology["name"]
    heading = html.escape(f"{report['experiment']} on {label}")
    parts = [f"<h1>{heading}</h1>", f'<p class="dim">{html.escape(report["command"])}</p>']
    for found in report["programs"]:
        parts.append(f"<h2>{html.escape(title(found))}</h2>")
        parts += [f"<p>{html.escape(sentence)}</p>" for sentence in sentences(found)]
        parts += [_html(table) for table in tables(found)]
    if report["sweep"]:
        parts += ["<h2>sweep</h2>", _html(sweep_table(report["sweep"]))]
    parts.append(_html(peaks_table(topology)))
    source = topology["peaks"]["source"]
    parts.append(f'<footer>Peaks: <a href="{source}">{source}</a>. All figures are in {REPORT}.</footer>')
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{heading} – Oyster</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _html(table: Table) -> str:
    heading, columns, rows = table
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f'<h3>{html.escape(heading)}</h3><div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
