"""Shows results: tables for the terminal, and plain values for the JSON file."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from alagg import form
from bench.contestants import CEILING, REFERENCE
from bench.engine import SIZES
from bench.goals import GOALS
from bench.summary import ratio, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.end_to_end import Standing
    from bench.engine import Cost
    from bench.goals import Results
    from bench.growth import Growth


@dataclass(frozen=True)
class Figure:
    """How a figure is shown."""

    title: str
    unit: str
    scale: float = 1.0
    digits: int = 0
    compared: bool = True
    """Whether a ratio to another contestant's makes sense."""

    def show(self, value: float) -> str:
        """Write a value in the figure's unit."""
        return f"{value * self.scale:,.{self.digits}f}"


_RTT: Final = {"tcp": "TCP round trip", "udp": "UDP round trip", "loaded": "Round trip beside TCP"}
_PERCENTILES: Final = ("p50", "p99", "p99.9")
FIGURES: Final = {
    "tcp_{}_bit_per_s": Figure("TCP goodput, flows: {}", "Mbit/s", 1e-6),
    "tcp_{}_cpu_s_per_gb": Figure("TCP cost, flows: {}", "s/GB", 1, 2),
    "udp_{}_per_s": Figure("UDP, {} bytes, loss ≤ 0.5 %", "packets/s"),
    **{f"rtt_{name}_{label}_s": Figure(f"{title}, {label}", "µs", 1e6)
       for name, title in _RTT.items() for label in _PERCENTILES},
    **{f"added_rtt_{name}_{label}_s": Figure(f"{title}, {label}, beyond veth", "µs", 1e6, compared=False)
       for name, title in _RTT.items() for label in _PERCENTILES},
    "memory_bytes": Figure("Memory of a node, at most", "MB", 1e-6, 1),
    "others_load": Figure("Others' load meanwhile", "%", 100, compared=False),
}
"""Every figure by its name, in the order of the table; `{}` stands for a number that the plan decides."""
_NUMBER: Final = re.compile(r"(?<=^tcp_)\d+|(?<=^udp_)\d+")


def figure_of(name: str) -> Figure:
    """Give how a figure is shown.

    Raises:
        KeyError: there is no such figure.
    """
    figure = FIGURES[_NUMBER.sub("{}", name)]
    number = _NUMBER.search(name)
    return replace(figure, title=figure.title.format(number[0])) if number else figure


def figures(standings: Mapping[str, Standing]) -> dict[str, Figure]:
    """Give the figures that were measured, in the order of the table."""
    order = list(FIGURES)
    measured = {name for standing in standings.values() for name in standing.samples}

    def place(name: str) -> tuple[int, int]:
        number = _NUMBER.search(name)
        return order.index(_NUMBER.sub("{}", name)), int(number[0]) if number else 0

    return {name: figure_of(name) for name in sorted(measured, key=place)}


def reference(standings: Mapping[str, Standing], name: str) -> str | None:
    """Say to whom a figure's ratios are: the reference if it has the figure, else the ceiling, else nobody."""
    return next((one for one in (REFERENCE, CEILING) if one in standings and name in standings[one].samples), None)


def ratio_of(standings: Mapping[str, Standing], contestant: str, name: str) -> float | None:
    """Give a figure as a multiple of the reference's in the same rounds; None where that says nothing."""
    other = reference(standings, name)
    if other is None or not figure_of(name).compared:
        return None
    base = standings[other].samples[name]
    return ratio(standings[contestant].samples[name], base) if all(base) else None


def engine_table(costs: Sequence[Cost]) -> Table:
    """Show the engine's costs, the sizes side by side."""
    table = Table(title=f"The engine ({form.engine()}): µs per packet, median ± half the quartiles' distance",
                  title_justify="left")
    for title in ("stage", "links", "batch", "any size", *(f"{size} bytes" for size in SIZES)):
        table.add_column(title, justify="left" if title == "stage" else "right")
    rows: dict[tuple[str, int | None, int | None], dict[int | None, str]] = {}
    for cost in costs:
        summary = summarise(cost.samples)
        key = (cost.case.stage, cost.case.links, cost.case.batch)
        rows.setdefault(key, {})[cost.case.size] = f"{summary.median * 1e6:.2f} [dim]±{summary.spread:4.0%}[/]"
    for (stage, links, batch), cells in rows.items():
        table.add_row(stage, str(links or ""), str(batch or ""), *(cells.get(size, "") for size in (None, *SIZES)))
    return table


def end_to_end_table(standings: Mapping[str, Standing], *, brief: bool = False) -> Table:
    """Show the contestants side by side.

    Args:
        standings: the contestants.
        brief: whether only figures that all of them have are shown, as those without processes have no memory.
    """
    shown = {
        name: figure for name, figure in figures(standings).items()
        if not name.startswith("added_")
        and (not brief or all(name in one.samples for one in standings.values()) or name == "memory_bytes")
    }
    table = Table(title="End to end: median ± half the quartiles' distance; x: times the reference's in the same "
                        "rounds", title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    for standing in standings.values():
        table.add_column(standing.contestant.title, justify="right", overflow="fold")
    table.add_column("x is to")
    for name, figure in shown.items():
        cells = [_cell(standings, contestant, name, figure) for contestant in standings]
        other = reference(standings, name)
        to = standings[other].contestant.title if other and figure.compared else ""
        table.add_row(figure.title, figure.unit, *cells, f"[dim]{to}[/]")
    return table


def growth_table(growths: Sequence[Growth]) -> Table:
    """Show what a packet costs as things grow."""
    table = Table(title=f"Growth, the engine alone ({form.engine()}): µs per packet; x: to the base",
                  title_justify="left")
    for title in ("what grows", "to", "out", "in", "x"):
        table.add_column(title, justify="left" if title == "what grows" else "right")
    for one in growths:
        out, into = (f"{summarise(side).median * 1e6:.2f}" for side in (one.out, one.into))
        table.add_row(one.axis, one.value, out, into, f"{ratio(one.total, growths[0].total):.2f}")
    return table


def goal_table(results: Results) -> Table:
    """Show the goals, and what was measured."""
    table = Table(title="Goals, all in this run", title_justify="left")
    for title in ("what", "goal", "measured", "reached"):
        table.add_column(title, justify="right" if title in ("goal", "measured") else "left")
    for goal in GOALS:
        measured = goal.measure(results)
        if measured is None:
            table.add_row(goal.what, goal.wanted, "[dim]not measured[/]", "")
        else:
            value, spread = measured
            verdict = "[green]yes[/]" if goal.reached(value) else "[red]no[/]"
            table.add_row(goal.what, goal.wanted, f"{value:.2f} [dim]±{spread:4.0%}[/]", verdict)
    return table


def _cell(standings: Mapping[str, Standing], contestant: str, name: str, figure: Figure) -> str:
    standing = standings[contestant]
    if name not in standing.samples:
        return "[dim]-[/]"
    summary = summarise(standing.samples[name])
    at_least = "≥ " if standing.capped[name] * 2 > len(standing.samples[name]) else ""
    text = f"{at_least}{figure.show(summary.median)}"
    if figure.compared:
        text += f" [dim]±{summary.spread:.0%}[/]"
    factor = ratio_of(standings, contestant, name)
    return text if factor is None else f"{text} x{factor:.2f}"


def engine_values(costs: Sequence[Cost]) -> dict[str, Any]:
    """Give the engine's costs for the JSON file; times in seconds per packet."""
    return {
        "form": form.engine(),
        "cases": [
            {
                "stage": cost.case.stage, "size": cost.case.size, "links": cost.case.links, "batch": cost.case.batch,
                **asdict(summarise(cost.samples)), "samples": cost.samples,
            }
            for cost in costs
        ],
    }


def end_to_end_values(standings: Mapping[str, Standing]) -> dict[str, Any]:
    """Give the contestants' figures for the JSON file; units stand in their names."""
    return {
        contestant: {
            "title": standing.contestant.title,
            "links": standing.contestant.links,
            "figures": {
                name: {
                    **asdict(summarise(samples)),
                    "ratio": ratio_of(standings, contestant, name),
                    "ratio_to": reference(standings, name),
                    "rounds_capped": standing.capped[name],
                    "samples": samples,
                }
                for name, samples in standing.samples.items()
            },
        }
        for contestant, standing in standings.items()
    }


def growth_values(growths: Sequence[Growth]) -> list[dict[str, Any]]:
    """Give what a packet costs as things grow, for the JSON file; times in seconds per packet."""
    return [
        {
            "axis": one.axis, "value": one.value, "out": one.out, "in": one.into,
            "relative": ratio(one.total, growths[0].total),
        }
        for one in growths
    ]
