"""What a run has measured as plain values, for the JSON file; whatever shows results reads these."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from alagg import form
from bench.contestants import CEILING, REFERENCE
from bench.figures import figure_of
from bench.standing import beside
from bench.summary import ratio, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.end_to_end import Plan
    from bench.engine import Cost
    from bench.growth import Growth
    from bench.standing import Standing

FORMAT: Final = 3
"""Version of the JSON file's layout."""


def reference(standings: Mapping[str, Standing], name: str) -> str | None:
    """Say to whom a figure's ratios are: the reference if it has the figure, else the ceiling, else nobody."""
    return next((one for one in (REFERENCE, CEILING) if one in standings and standings[one].samples(name)), None)


def ratio_of(standings: Mapping[str, Standing], contestant: str, name: str) -> float | None:
    """Give a figure as a multiple of the reference's in the same rounds; None where that says nothing."""
    other = reference(standings, name)
    if other is None or not figure_of(name).compared:
        return None
    ratios = [mine / base for mine, base in beside(standings[contestant], standings[other], name) if base > 0]
    return summarise(ratios).median if ratios else None


def engine_values(costs: Sequence[Cost]) -> dict[str, Any]:
    """Give the engine's costs; times in seconds per packet."""
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


def plan_values(plan: Plan) -> dict[str, Any]:
    """Give the plan."""
    return {**asdict(plan), "only_tcp": sorted(share.name for share in plan.only_tcp)}


def end_to_end_values(standings: Mapping[str, Standing]) -> dict[str, Any]:
    """Give the contestants' figures; units stand in their names."""
    return {
        contestant: {
            "title": standing.contestant.title,
            "links": standing.contestant.links,
            "share": standing.contestant.share.name,
            "rounds_failed": standing.failed,
            "figures": {
                name: {
                    **asdict(summarise(list(rounds.values()))),
                    "ratio": ratio_of(standings, contestant, name),
                    "ratio_to": reference(standings, name),
                    "rounds_capped": standing.capped[name],
                    "rounds": list(rounds),
                    "samples": list(rounds.values()),
                }
                for name, rounds in standing.rounds.items()
            },
        }
        for contestant, standing in standings.items()
    }


def others_load(end_to_end: Mapping[str, Any]) -> float:
    """Give the share of the processors that others used while the contestant worked that suffered most from them."""
    figures = [one["figures"].get("others_load") for one in end_to_end.values()]
    return max((figure["median"] for figure in figures if figure), default=0.0)


def growth_values(growths: Sequence[Growth]) -> list[dict[str, Any]]:
    """Give what a packet costs in the engine as things grow; times in seconds per packet."""
    return [
        {
            "axis": one.axis, "value": one.value, "out": one.out, "in": one.into,
            "relative": ratio(one.total, growths[0].total),
        }
        for one in growths
    ]
