"""The goals of the fast path, each as a ratio (or a cost) within one run, and whether it is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench import growth
from bench.summary import ratio, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.end_to_end import Standing
    from bench.engine import Cost
    from bench.growth import Growth


@dataclass
class Results:
    """Everything that one run has measured; what was not asked for is empty."""

    engine_form: str = ""
    costs: Sequence[Cost] = ()
    growths: Sequence[Growth] = ()
    standings: Mapping[str, Standing] = field(default_factory=dict)

    def samples(self, contestant: str, figure: str) -> list[float] | None:
        """Give a contestant's figure, round by round; None if it was not measured."""
        standing = self.standings.get(contestant)
        return standing.samples.get(figure) if standing else None


Measured = tuple[float, float] | None
"""A median and its spread; None where the run has not measured it."""


@dataclass(frozen=True)
class Goal:
    """One row of the table."""

    what: str
    limit: float
    measure: Callable[[Results], Measured]
    at_least: bool = True
    """Whether more is better."""
    unit: str = "x"

    @property
    def wanted(self) -> str:
        """The goal in words."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g} {self.unit}"

    def reached(self, value: float) -> bool:
        """Tell whether a value reaches the goal."""
        return value >= self.limit if self.at_least else value <= self.limit


def against(results: Results, contestant: str, other: str, figure: str, other_figure: str = "") -> Measured:
    """Give a figure as a multiple of another contestant's, round by round."""
    mine, theirs = results.samples(contestant, figure), results.samples(other, other_figure or figure)
    if not mine or not theirs or not all(theirs):
        return None
    return ratio(mine, theirs), summarise([one / two for one, two in zip(mine, theirs, strict=True)]).spread


def engine_cost(results: Results, stage: str) -> Measured:
    """Give what a 1,400-byte packet costs on two links in batches, in µs; only of the compiled engine."""
    found = _cost(results, stage)
    if found is None or results.engine_form != "compiled":
        return None
    summary = summarise(found.samples)
    return summary.median * 1e6, summary.spread


def engine_ratio(results: Results, stage: str) -> Measured:
    """Give the same cost as a multiple of what C needs at least, in the same repeats."""
    found, least = _cost(results, stage), _cost(results, stage.replace("whole", "C reference"))
    if found is None or least is None or results.engine_form != "compiled" or not all(least.samples):
        return None
    ratios = [one / two for one, two in zip(found.samples, least.samples, strict=True)]
    summary = summarise(ratios)
    return summary.median, summary.spread


def _cost(results: Results, stage: str) -> Cost | None:
    """Find a stage's cost on two links in batches; all of a stage's batches but those of one packet are alike."""
    return next((cost for cost in results.costs
                 if (cost.case.stage, cost.case.size, cost.case.links) == (stage, 1400, 2) and cost.case.batch != 1),
                None)


def grown(results: Results) -> Measured:
    """Give a packet's cost with everything grown, relative to the base."""
    if not results.growths:
        return None
    base, all_three = growth.combined(list(results.growths))
    summary = summarise([one / two for one, two in zip(all_three.total, base.total, strict=True)])
    return summary.median, summary.spread


def memory(results: Results) -> Measured:
    """Give the most that a node of the fastest form held, in MB."""
    held = [samples for name in ("alagg-one-link", "alagg-redundant", "alagg-round-robin")
            if (samples := results.samples(name, "memory_bytes"))]
    if not held:
        return None
    summary = max((summarise(samples) for samples in held), key=lambda one: one.median)
    return summary.median / 1e6, summary.spread


def _goal(what: str, limit: float, contestant: str, other: str, figure: str, *, at_least: bool = True) -> Goal:
    measure = partial(against, contestant=contestant, other=other, figure=figure)
    return Goal(what, limit, measure, at_least)


TCP: Final = "tcp_1_bit_per_s"
GOALS: Final = (
    _goal("TCP goodput, redundant on two links / kernel MPTCP", 0.80, "alagg-redundant", "mptcp", TCP),
    _goal("TCP goodput, round-robin on two links / kernel MPTCP", 1.20, "alagg-round-robin", "mptcp", TCP),
    _goal("TCP goodput, one link / wireguard-go", 6, "alagg-one-link", "wireguard-go", TCP),
    _goal("TCP goodput, one link / OpenVPN", 6, "alagg-one-link", "openvpn", TCP),
    _goal("TCP goodput, all plain, redundant / kernel MPTCP", 0.35, "alagg-redundant-plain", "mptcp", TCP),
    *(Goal(f"engine alone, compiled, 1,400 bytes, two links, {way}", 0.5, partial(engine_cost, stage=f"whole, {way}"),
           at_least=False, unit="µs") for way in ("out", "out, cut", "in", "in, merged")),
    Goal("the same, out / copy and header work in C", 2, partial(engine_ratio, stage="whole, out"), at_least=False),
    Goal("the same, in / copy and header work in C", 2, partial(engine_ratio, stage="whole, in"), at_least=False),
    *(_goal(f"UDP packets/s, {size:,} bytes, redundant / wireguard-go", 2, "alagg-redundant", "wireguard-go",
            f"udp_{size}_per_s") for size in (64, 1400)),
    *(_goal(f"added round trip, idle, {label}, redundant / wireguard-go", 0.8, "alagg-redundant", "wireguard-go",
            f"added_rtt_udp_{label}_s", at_least=False) for label in ("p50", "p99")),
    _goal("CPU seconds per GB, redundant / kernel MPTCP", 2, "alagg-redundant", "mptcp", "tcp_1_cpu_s_per_gb",
          at_least=False),
    Goal("cost per packet, 8 links, 1,000 flows, 128 peers / 2, 1, 1", 1.25, grown, at_least=False),
    Goal("memory of a node at full speed", 80, memory, at_least=False, unit="MB"),
)
"""The table of the issue, row by row. Ten minutes of the last one: `python -m bench soak`."""


def values(results: Results) -> list[dict[str, Any]]:
    """Give the rows for the JSON file."""
    rows = []
    for goal in GOALS:
        measured = goal.measure(results)
        rows.append({
            "what": goal.what, "goal": goal.wanted,
            "measured": measured and measured[0], "spread": measured and measured[1],
            "reached": measured and goal.reached(measured[0]),
        })
    return rows
