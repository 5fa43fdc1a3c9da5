"""The goals, each a ratio within one run: what the same code takes differs by two between machines, ratios hardly."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bench import soak
from bench.contestants import BEFORE, BONDS, GRO
from bench.results import beyond_bare, ratios, samples, summary

Measure = Callable[[Mapping[str, Any]], list[float]]
"""Gives a run's ratios, one of each turn; nothing where the run has not measured it."""


@dataclass(frozen=True)
class Goal:
    """One row of the table."""

    what: str
    limit: float | None
    """None: there is no goal for it; it stands beside the row above."""
    measure: Measure
    at_least: bool = True
    """Whether more is better."""
    optional: bool = False
    """Whether a run may do without it, so that it is shown only where it was measured."""

    @property
    def wanted(self) -> str:
        """The goal in words."""
        return "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {self.limit:g} x"

    def verdict(self, value: float) -> str:
        """Tell whether the goal is met."""
        if self.limit is None:
            return ""
        met = value >= self.limit if self.at_least else value <= self.limit
        return "met" if met else "missed"


@dataclass(frozen=True)
class Row:
    """What one or more runs say about a goal."""

    goal: Goal
    values: list[float]
    """What its median and its range are taken of: see `bench.results.summary`."""

    @property
    def median(self) -> float:
        """The median, which counts."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """Whether the goal is met."""
        return self.goal.verdict(self.median) if self.values else "not measured"


def rows(runs: Sequence[Mapping[str, Any]], *, whole: bool = True) -> list[Row]:
    """Hold runs against the goals.

    Args:
        runs: the results of each.
        whole: whether a row that nobody has measured stands there as well.
    """
    every = [Row(goal, summary([goal.measure(run) for run in runs])) for goal in GOALS]
    return [row for row in every if row.values or (whole and not row.goal.optional)]


def compare(run: Mapping[str, Any], one: str, other: str, figure: str) -> list[float]:
    """Give a contestant's figure as a multiple of another one's, turn by turn."""
    return ratios(samples(run, one, figure), samples(run, other, figure))


def compare_added(run: Mapping[str, Any], one: str, other: str, figure: str) -> list[float]:
    """Give the same of what a figure is beyond the bare link's."""
    return ratios(beyond_bare(run, one, figure), beyond_bare(run, other, figure))


def beside_c(run: Mapping[str, Any], way: str) -> list[float]:
    """Give a packet's cost in the compiled engine as a multiple of what C needs at least."""
    engine = run.get("engine", {})
    if engine.get("form") != "compiled":
        return []
    return ratios(engine["seconds"].get(way, {}), engine["seconds"].get(f"C {way}", {}))


def grown(run: Mapping[str, Any]) -> list[float]:
    """Give a packet's cost, out and in, with everything grown, as a multiple of the base's."""
    seconds = run.get("engine", {}).get("seconds", {})
    both = [{turn: out + seconds[f"{name} in"][turn] for turn, out in seconds.get(f"{name} out", {}).items()}
            for name in ("grown", "base")]
    return ratios(*both)


def soaked(run: Mapping[str, Any]) -> list[float]:
    """Give a node's memory after long work as a multiple of that at its begin."""
    found = run.get("soak")
    return [soak.growth(found)] if found and found["minutes"] >= LONG else []


GOODPUT: Final = "tcp_bit_per_s"
COST: Final = "cpu_s_per_gb"
LONG: Final = 10.0
"""Minutes that the goal asks for."""


def _goal(what: str, limit: float | None, one: str, other: str, figure: str = GOODPUT, *, at_least: bool = True,
          optional: bool = False) -> Goal:
    return Goal(what, limit, partial(compare, one=one, other=other, figure=figure), at_least, optional)


def _gro() -> list[Goal]:
    beside = [_goal(f"- GRO on at the receivers: {bond} / kernel MPTCP", None, f"alagg-{bond}{GRO}", f"mptcp{GRO}")
              for bond in BONDS]
    return [*beside, _goal("- kernel MPTCP: GRO on / GRO off", None, f"mptcp{GRO}", "mptcp")]


def _versus_wireguard() -> list[Goal]:
    one, other = "alagg-redundant", "wireguard-go"
    rates = [_goal(f"UDP packets/s at ≤ 0.5 % loss, {size:,} bytes, redundant / wireguard-go of 2022", 2, one, other,
                   f"udp_{size}_per_s") for size in (64, 1400)]
    trips = [Goal(f"added round trip, idle, {label}, redundant / wireguard-go of 2022", 0.8,
                  partial(compare_added, one=one, other=other, figure=f"rtt_{label}_s"), at_least=False)
             for label in ("p50", "p99")]
    return rates + trips


def _before() -> list[Goal]:
    found = []
    for bond in BONDS:
        one, other = f"alagg-{bond}", f"{BEFORE}{bond}"
        found += [
            _goal(f"TCP goodput, {bond} / before", 1, one, other, optional=True),
            _goal(f"CPU seconds per GB, {bond} / before", 1, one, other, COST, at_least=False, optional=True),
            _goal(f"round trip, idle, p50, {bond} / before", 1, one, other, "rtt_p50_s", at_least=False,
                  optional=True),
        ]
    return found


GOALS: Final = (
    _goal("TCP goodput, redundant on two links / kernel MPTCP", 0.80, "alagg-redundant", "mptcp"),
    _goal("TCP goodput, round-robin on two links / kernel MPTCP", 1.20, "alagg-round-robin", "mptcp"),
    *_gro(),
    _goal("TCP goodput, one link / wireguard-go of 2022, before its GSO", 6, "alagg-one-link", "wireguard-go"),
    _goal("TCP goodput, one link / OpenVPN", 6, "alagg-one-link", "openvpn"),
    _goal("TCP goodput, redundant, plain engine with compiled edges (ALAGG_PURE=1) / kernel MPTCP", 0.35,
          "alagg-redundant-plain-engine", "mptcp"),
    _goal("- the same, all plain, edges too (ALAGG_PURE=all)", None, "alagg-redundant-plain", "mptcp"),
    _goal("CPU seconds per GB, redundant / kernel MPTCP", 2, "alagg-redundant", "mptcp", COST, at_least=False),
    *(Goal(f"engine alone, compiled, 1,400 bytes, two links, {way} / copy of its bytes and header work in C", 2,
           partial(beside_c, way=way), at_least=False) for way in ("out", "in")),
    Goal("engine's cost per packet, round-robin: 8 links, 1,000 flows, 128 peers / 2, 1, 1", 1.25, grown,
         at_least=False),
    *_versus_wireguard(),
    Goal("memory of a node after ten minutes at full speed / at the begin", 1.02, soaked, at_least=False),
    *_before(),
)
"""The table, row by row; a row that begins with a dash has no goal and stands beside those above."""
