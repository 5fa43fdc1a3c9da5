"""Shows results as tables, on a terminal or on a page; of several runs the median counts."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.contestants import GRO
from bench.goals import rows
from bench.results import BARE, beyond_bare, ratios, samples, summary
from bench.sheet import Sheet
from bench.soak import growth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Run = Mapping[str, Any]

NOTHING: Final = "-"


@dataclass(frozen=True)
class Column:
    """How a figure is shown."""

    name: str
    title: str
    scale: float = 1.0
    digits: int = 0
    compared: bool = True
    """Whether its ratio to another contestant's says something."""


COLUMNS: Final = (
    Column("tcp_bit_per_s", "TCP, Mbit/s", 1e-6),
    Column("cpu_s_per_gb", "CPU s/GB", 1, 2),
    Column("udp_64_per_s", "UDP packets/s, 64 bytes"),
    Column("udp_1400_per_s", "UDP packets/s, 1,400 bytes"),
    Column("rtt_p50_s", "round trip p50, µs", 1e6, compared=False),
    Column("rtt_p99_s", "round trip p99, µs", 1e6, compared=False),
    Column("memory_bytes", "node's memory, MB", 1e-6, 1, compared=False),
    Column("others_load", "others' load, %", 100, compared=False),
)


def sheets(runs: Sequence[Run]) -> Iterator[Sheet]:
    """Give a table of each thing that was measured, but the goals."""
    if any(run.get("end_to_end") for run in runs):
        yield contestants_sheet(runs)
    if any(run.get("engine") for run in runs):
        yield engine_sheet([run["engine"]["seconds"] for run in runs if run.get("engine")])
    for run in runs:
        if run.get("scale"):
            yield scale_sheet(run["scale"])
        if run.get("soak"):
            yield soak_sheet(run["soak"])


def goal_sheet(runs: Sequence[Run], *, whole: bool = True) -> Sheet:
    """Show the goals, and what was measured."""
    shown = []
    for row in rows(runs, whole=whole):
        cells = (f"{row.median:.2f} x", f"{min(row.values):.2f} to {max(row.values):.2f}") if row.values else (
            NOTHING, NOTHING)
        shown.append((row.goal.what, row.goal.wanted, *cells, row.verdict))
    return Sheet(f"Goals, {summed_up(runs)}", ("what", "goal", "median", "range", "verdict"), shown,
                 words=("verdict",))


def summed_up(runs: Sequence[Run]) -> str:
    """Say what medians and ranges are taken of."""
    return f"{len(runs)} runs; median and range of the runs" if len(runs) > 1 else (
        "a single run; median and range of its turns")


def contestants_sheet(runs: Sequence[Run]) -> Sheet:
    """Show the contestants one below the other."""
    titles = {name: one["title"] for run in runs for name, one in run.get("end_to_end", {}).items()}
    columns = [column for column in COLUMNS
               if any(samples(run, name, column.name) for run in runs for name in titles)]
    lines = [(title, *(_cell(runs, name, column) for column in columns)) for name, title in titles.items()]
    return Sheet("End to end, medians; x: times kernel MPTCP with the same GRO, where it has none, bare veth; "
                 "(+): beyond bare veth; ≥: the generator was the limit",
                 ("", *(column.title for column in columns)), lines)


def _cell(runs: Sequence[Run], name: str, column: Column) -> str:
    values = summary([list(samples(run, name, column.name).values()) for run in runs])
    if not values:
        return NOTHING
    capped = summary([list(samples(run, name, column.name.replace("_per_s", "_capped")).values()) for run in runs])
    text = f"{statistics.median(values) * column.scale:,.{column.digits}f}"
    if column.name.startswith("udp") and capped and statistics.median(capped) > 0.5:
        text = f"≥ {text}"
    if column.name.startswith("rtt") and name != BARE:
        added = summary([list(beyond_bare(run, name, column.name).values()) for run in runs])
        text += f" ({statistics.median(added) * column.scale:+,.0f})" if added else ""
    if column.compared and (found := summary([_relative(run, name, column.name) for run in runs])):
        text += f" x{statistics.median(found):.2f}"
    return text


def _relative(run: Run, name: str, figure: str) -> list[float]:
    """Give a figure as a multiple of the reference's: MPTCP's on the same bed if it has the figure, else veth's."""
    bed = GRO if name.endswith(GRO) else ""
    other = samples(run, f"mptcp{bed}", figure) or samples(run, f"{BARE}{bed}", figure)
    return ratios(samples(run, name, figure), other)


def engine_sheet(runs: Sequence[Mapping[str, Mapping[str, float]]]) -> Sheet:
    """Show what a packet costs in the engine."""
    lines = []
    for name in runs[0]:
        values = summary([list(run[name].values()) for run in runs])
        lines.append((ENGINE.get(name, name), f"{statistics.median(values) * 1e6:.2f}",
                      f"{min(values) * 1e6:.2f} to {max(values) * 1e6:.2f}"))
    return Sheet("The engine alone, µs per packet of 1,400 bytes", ("way", "median", "range"), lines)


ENGINE: Final = {
    "out": "redundant on two links, out", "in": "the same, in",
    "C out": "copy of its bytes and header work in C, out", "C in": "the same, in",
    "base out": "super-packets, round-robin, 2 links, 1 flow, 1 peer, out", "base in": "the same, in",
    "grown out": "super-packets, round-robin, 8 links, 1,000 flows, 128 peers, out",
    "grown in": "the same, in",
}
"""What each way of `bench.engine` is called."""


def scale_sheet(crowds: Sequence[Mapping[str, Any]]) -> Sheet:
    """Show what many peers cost."""
    lines = [(f"{one['peers']:,}", f"{one['idle_cpu']:.1%}", f"{one['status_s'] * 1e3:.1f}",
              f"{one['rtt_p50_s'] * 1e3:.2f}", f"{one['rtt_max_s'] * 1e3:.1f}", str(one["lost"])) for one in crowds]
    return Sheet("Peers on two links each, of which one answers; round trips while the status is asked for",
                 ("peers", "idle, % of a core", "status, ms", "round trip p50, ms", "longest, ms", "lost"), lines)


def soak_sheet(soak: Mapping[str, Any]) -> Sheet:
    """Show what a node's memory did for minutes."""
    line = (f"{soak['minutes']:g}", f"{soak['bit_per_s'] / 1e6:,.0f}", f"{max(soak['memory_bytes']) / 1e6:.1f}",
            f"{growth(soak):.4f}")
    return Sheet("Soak: redundant on two links at full speed; last tenth of the time / second tenth",
                 ("minutes", "Mbit/s", "MB at most", "x"), [line])
