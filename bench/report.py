"""Shows results: tables for the terminal, and plain values for the JSON file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from alagg import form
from bench.contestants import CEILING, REFERENCE
from bench.engine import SIZES
from bench.summary import ratio, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.end_to_end import Standing
    from bench.engine import Cost


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


_UDP: Final = Figure("", "packets/s")
FIGURES: Final = {
    "tcp_bit_per_s": Figure("TCP goodput", "Mbit/s", 1e-6),
    "tcp_cpu_s_per_gb": Figure("TCP, processors' time", "s/GB", 1, 2),
    "rtt_tcp_p50_s": Figure("TCP round trip, p50", "µs", 1e6),
    "rtt_tcp_p99_s": Figure("TCP round trip, p99", "µs", 1e6),
    "added_rtt_tcp_p50_s": Figure("  beyond veth, p50", "µs", 1e6, compared=False),
    "added_rtt_tcp_p99_s": Figure("  beyond veth, p99", "µs", 1e6, compared=False),
    "rtt_udp_p50_s": Figure("UDP round trip, p50", "µs", 1e6),
    "rtt_udp_p99_s": Figure("UDP round trip, p99", "µs", 1e6),
    "added_rtt_udp_p50_s": Figure("  beyond veth, p50", "µs", 1e6, compared=False),
    "added_rtt_udp_p99_s": Figure("  beyond veth, p99", "µs", 1e6, compared=False),
    "memory_bytes": Figure("Memory of both ends", "MB", 1e-6, 1),
    "others_load": Figure("Others' load meanwhile", "%", 100, compared=False),
}
"""Every figure by its name, except those of UDP, whose names hold the sizes that were measured."""


def figures(standings: Mapping[str, Standing]) -> dict[str, Figure]:
    """Give the figures that were measured, in the order of the table."""
    measured = {name for standing in standings.values() for name in standing.samples}
    udp = sorted((name for name in measured if name.startswith("udp_")), key=lambda name: int(name.split("_")[1]))
    shown = {name: Figure(f"UDP, {name.split('_')[1]} bytes, loss ≤ 0.5 %", _UDP.unit) for name in udp}
    known = {name: figure for name, figure in FIGURES.items() if name in measured}
    tcp = {name: known.pop(name) for name in list(known) if name.startswith("tcp_")}
    return {**tcp, **shown, **known}


def reference(standings: Mapping[str, Standing], name: str) -> str | None:
    """Say to whom a figure's ratios are: the reference if it has the figure, else the ceiling, else nobody."""
    return next((one for one in (REFERENCE, CEILING) if one in standings and name in standings[one].samples), None)


def ratio_of(standings: Mapping[str, Standing], contestant: str, name: str) -> float | None:
    """Give a figure as a multiple of the reference's in the same rounds; None where that says nothing."""
    other = reference(standings, name)
    if other is None or (name in FIGURES and not FIGURES[name].compared):
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


def end_to_end_table(standings: Mapping[str, Standing]) -> Table:
    """Show the contestants side by side."""
    table = Table(title="End to end: median ± half the quartiles' distance, x times the reference in the same rounds",
                  title_justify="left")
    table.add_column("")
    table.add_column("unit")
    for standing in standings.values():
        table.add_column(standing.contestant.title, justify="right")
    table.add_column("x is to")
    for name, figure in figures(standings).items():
        cells = [_cell(standings, contestant, name, figure) for contestant in standings]
        other = reference(standings, name)
        shown = standings[other].contestant.title if other and figure.compared else ""
        table.add_row(figure.title, figure.unit, *cells, f"[dim]{shown}[/]")
    return table


def _cell(standings: Mapping[str, Standing], contestant: str, name: str, figure: Figure) -> str:
    standing = standings[contestant]
    if name not in standing.samples:
        return "[dim]-[/]"
    summary = summarise(standing.samples[name])
    at_least = "≥ " if standing.capped[name] * 2 > len(standing.samples[name]) else ""
    text = f"{at_least}{figure.show(summary.median)}"
    if figure.compared:
        text += f" [dim]±{summary.spread:4.0%}[/]"
    factor = ratio_of(standings, contestant, name)
    return text if factor is None else f"{text}  x{factor:5.2f}"


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
