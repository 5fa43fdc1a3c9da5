"""The goals of the fast path, each as a ratio (or a cost) within one run, and whether it is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench import growth
from bench.standing import beside
from bench.summary import summarise

if TYPE_CHECKING:
    from bench.engine import Cost
    from bench.growth import Growth
    from bench.growth_net import Way
    from bench.soak import Soak
    from bench.standing import Standing


@dataclass
class Results:
    """Everything that one run has measured; what was not asked for is empty."""

    engine_form: str = ""
    costs: Sequence[Cost] = ()
    growths: Sequence[Growth] = ()
    standings: Mapping[str, Standing] = field(default_factory=dict)
    ways: Sequence[Way] = ()
    """Growth end to end."""
    soak: Soak | None = None


@dataclass(frozen=True)
class Measured:
    """What a run says about a goal."""

    value: float
    spread: float = 0.0
    repeats: int = 1


Measure = Callable[[Results], "Measured | None"]
"""Gives None where the run has not measured it."""


@dataclass(frozen=True)
class Goal:
    """One row of the table."""

    what: str
    limit: float | None
    """None: there is no goal for it; it stands beside the row above."""
    measure: Measure
    at_least: bool = True
    """Whether more is better."""
    unit: str = "x"

    @property
    def wanted(self) -> str:
        """The goal in words."""
        return "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {self.limit:g} {self.unit}"

    def verdict(self, measured: Measured | None) -> str:
        """Tell whether the goal is met."""
        if measured is None:
            return "not measured"
        if self.limit is None:
            return ""
        met = measured.value >= self.limit if self.at_least else measured.value <= self.limit
        return "met" if met else "missed"


def median_of(samples: Sequence[float]) -> Measured | None:
    """Sum up; None without samples."""
    if not samples:
        return None
    summary = summarise(samples)
    return Measured(summary.median, summary.spread, len(samples))


def against(results: Results, contestant: str, other: str, figure: str) -> Measured | None:
    """Give a figure as a multiple of another contestant's, round by round."""
    if contestant not in results.standings or other not in results.standings:
        return None
    pairs = beside(results.standings[contestant], results.standings[other], figure)
    return median_of([mine / theirs for mine, theirs in pairs if theirs > 0])


def engine_cost(results: Results, stage: str) -> Measured | None:
    """Give what a 1,400-byte packet costs on two links in batches, in µs; only of the compiled engine."""
    found = _cost(results, stage)
    return median_of([sample * 1e6 for sample in found.samples]) if found else None


def engine_ratio(results: Results, stage: str) -> Measured | None:
    """Give the same cost as a multiple of what C needs at least, in the same repeats."""
    found, least = _cost(results, stage), _cost(results, stage.replace("whole", "C reference"))
    if found is None or least is None:
        return None
    return median_of([one / two for one, two in zip(found.samples, least.samples, strict=True) if two])


def _cost(results: Results, stage: str) -> Cost | None:
    """Find a stage's cost on two links in batches; all of a stage's batches but those of one packet are alike."""
    costs = results.costs if results.engine_form == "compiled" else ()
    return next((cost for cost in costs
                 if (cost.case.stage, cost.case.size, cost.case.links) == (stage, 1400, 2) and cost.case.batch != 1),
                None)


def grown(results: Results) -> Measured | None:
    """Give a packet's cost in the engine with everything grown, relative to the base."""
    if not results.growths:
        return None
    base, all_three = growth.combined(list(results.growths))
    return median_of([one / two for one, two in zip(all_three.total, base.total, strict=True)])


def grown_net(results: Results, axis: str, value: int, base: int) -> Measured | None:
    """Give the processors' time per byte end to end with one thing grown, relative to less of it."""
    cost = {(way.axis, way.value): way.rounds for way in results.ways}
    grown, less = cost.get((axis, value), {}), cost.get((axis, base), {})
    return median_of([grown[number].cpu_s_per_gb / less[number].cpu_s_per_gb for number in grown if number in less])


def memory(results: Results) -> Measured | None:
    """Give the most that a node of the fastest form held, in MB."""
    held = [[sample / 1e6 for sample in samples] for name in FASTEST if name in results.standings
            if (samples := results.standings[name].samples("memory_bytes"))]
    return max(filter(None, map(median_of, held)), key=lambda one: one.value, default=None)


def soaked(results: Results) -> Measured | None:
    """Give by how much a node's memory grew while it worked for long, in MB."""
    if results.soak is None or results.soak.minutes < LONG:
        return None
    return Measured(results.soak.growth / 1e6)


FASTEST: Final = ("alagg-one-link", "alagg-redundant", "alagg-round-robin")
"""Each bond in its fastest form."""
TCP: Final = "tcp_1_bit_per_s"
LONG: Final = 10.0
"""Minutes that the goal asks for."""
FLAT: Final = 1.0
"""MB by which a node's memory may differ between the begin and the end of ten minutes to count as flat."""


def _goal(what: str, limit: float | None, contestant: str, other: str, figure: str, *, at_least: bool = True) -> Goal:
    measure = partial(against, contestant=contestant, other=other, figure=figure)
    return Goal(what, limit, measure, at_least)


def _engine() -> list[Goal]:
    ways = {"out": "out", "out, cut": "out, cut from super-packets", "in": "in", "in, merged": "in, merged"}
    costs = [Goal(f"engine alone, compiled, 1,400 bytes, two links, {shown}", 0.5,
                  partial(engine_cost, stage=f"whole, {way}"), at_least=False, unit="µs")
             for way, shown in ways.items()]
    ratios = [Goal(f"the same, {way} / copy of its bytes and header work in C", 2,
                   partial(engine_ratio, stage=f"whole, {way}"), at_least=False) for way in ("out", "in")]
    return costs + ratios


def _versus_wireguard() -> list[Goal]:
    rows = []
    for size in (64, 1400):
        what, figure = f"UDP packets/s at ≤ 0.5 % loss, {size:,} bytes", f"udp_{size}_per_s"
        rows += [_goal(f"{what}, redundant / wireguard-go", 2, "alagg-redundant", "wireguard-go", figure),
                 _goal("- the same on one link", None, "alagg-one-link", "wireguard-go", figure)]
    for label in ("p50", "p99"):
        what, figure = f"added round trip, idle, {label}", f"added_rtt_udp_{label}_s"
        rows += [_goal(f"{what}, redundant / wireguard-go", 0.8, "alagg-redundant", "wireguard-go", figure,
                       at_least=False),
                 _goal("- the same on one link", None, "alagg-one-link", "wireguard-go", figure),
                 _goal("- redundant, busy_poll = 50us", None, "alagg-redundant-busy-poll", "wireguard-go", figure),
                 _goal("- redundant, workers that do not preempt (SCHED_BATCH)", None, "alagg-redundant-batch",
                       "wireguard-go", figure)]
    return rows


GOALS: Final = (
    _goal("TCP goodput, redundant on two links / kernel MPTCP", 0.80, "alagg-redundant", "mptcp", TCP),
    _goal("TCP goodput, round-robin on two links / kernel MPTCP", 1.20, "alagg-round-robin", "mptcp", TCP),
    _goal("TCP goodput, one link / wireguard-go", 6, "alagg-one-link", "wireguard-go", TCP),
    _goal("TCP goodput, one link / OpenVPN", 6, "alagg-one-link", "openvpn", TCP),
    _goal("TCP goodput, redundant, plain engine with compiled edges (ALAGG_PURE=1) / kernel MPTCP", 0.35,
          "alagg-redundant-plain-engine", "mptcp", TCP),
    _goal("- the same, all plain, edges too (ALAGG_PURE=all)", None, "alagg-redundant-plain", "mptcp", TCP),
    *_engine(),
    *_versus_wireguard(),
    _goal("CPU seconds per GB, redundant / kernel MPTCP", 2, "alagg-redundant", "mptcp", "tcp_1_cpu_s_per_gb",
          at_least=False),
    Goal("engine's cost per packet, round-robin: 8 links, 1,000 flows, 128 peers / 2, 1, 1", 1.25, grown,
         at_least=False),
    *(Goal(f"- CPU seconds per GB end to end: {value:,} {axis} / {base}", None,
           partial(grown_net, axis=axis, value=value, base=base))
      for axis, value, base in (("links", 8, 2), ("flows", 1000, 1), ("peers", 128, 1))),
    Goal("- the same without alagg, over bare veth: 1,000 flows / 1", None,
         partial(grown_net, axis="flows, bare veth", value=1000, base=1)),
    Goal("memory of a node at full speed, at most", 80, memory, at_least=False, unit="MB"),
    Goal("growth of a node's memory in ten minutes at full speed", FLAT, soaked, at_least=False, unit="MB"),
)
"""The table of the issue, row by row; a row that begins with a dash has no goal and stands beside the one above."""


def values(results: Results) -> list[dict[str, Any]]:
    """Give the rows for the JSON file."""
    rows = []
    for goal in GOALS:
        measured = goal.measure(results)
        rows.append({
            "what": goal.what, "goal": goal.wanted, "unit": goal.unit,
            "measured": measured and measured.value, "spread": measured and measured.spread,
            "repeats": measured.repeats if measured else 0, "verdict": goal.verdict(measured),
        })
    return rows
