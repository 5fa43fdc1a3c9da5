"""Merged: one view of a node from the snapshots of its workers."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final

from alagg.control import counters
from alagg.control.counters import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from alagg.control.snapshot import Json


def merge(snapshots: Sequence[Json]) -> Json:
    """Give one snapshot for all workers; each one's own goes under `workers` when there are several.

    Counters are summed, so every identity that holds in one snapshot holds in the sum. A link is in the worst state
    that a worker sees it in. Its `rtt_ms` is the median, and `loss` is taken over the frames of all workers. `epoch`
    is the first worker's.

    Args:
        snapshots: the workers' in the order of their numbers, all of the same configuration; at least one.
    """
    first = snapshots[0]
    if len(snapshots) == 1:
        return first
    edges = [{key: each[key] for key in each if key not in ("epoch", "peers", "links")} for each in snapshots]
    return {
        **_merge_tables("", edges),
        "epoch": first["epoch"],
        "peers": [_merge_tables("", group) for group in _groups(snapshots, "peers")],
        "links": [_link(group) for group in _groups(snapshots, "links")],
        "workers": list(snapshots),
    }


def _groups(snapshots: Sequence[Json], key: str) -> Iterable[tuple[Json, ...]]:
    """Give what all workers say of the same peer or link; one that has just come or gone is not known to all."""
    first, *others = ({(one.get("peer"), one["name"]): one for one in each[key]} for each in snapshots)
    for name, one in first.items():
        if all(name in other for other in others):
            yield one, *(other[name] for other in others)


def _merge_tables(table: str, parts: Sequence[Json]) -> Json:
    """Merge tables of counters; one that a worker lacks is 0 there, as an open port's are where it is closed."""
    keys = dict.fromkeys(key for part in parts for key in part)
    return {key: _merge_values(table, key, [part[key] for part in parts if key in part]) for key in keys}


def _merge_values(table: str, key: str, values: Sequence[Any]) -> Any:
    if isinstance(values[0], dict):
        return _merge_tables(key, values)
    counter = counters.find(table, key)
    if counter is not None and counter.merge in _MERGES:
        return _MERGES[counter.merge](values)
    return sum(values) if counter is None and isinstance(values[0], int) else values[0]


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 6) if known else None


def _sum_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


_MERGES: Final[dict[str, Callable[[Sequence[Any]], Any]]] = {
    counters.SUM: sum,
    counters.LEAST: min,
    counters.MOST: max,
    counters.MEDIAN: _median,
    counters.SUM_KNOWN: _sum_known,
}
"""How values alone are merged; the rest needs a look at the whole link."""


def _link(parts: Sequence[Json]) -> Json:
    worst = max(parts, key=lambda part: STATES.index(part["state"]))
    same = sum(part["state"] == worst["state"] for part in parts)
    reason = worst["reason"]
    if same < len(parts):
        reason = f"{reason or worst['state']} (for {same} of {len(parts)} workers)"
    losses = {"loss": _loss(parts, "loss", "rx_expected"), "tx_loss": _loss(parts, "tx_loss", "tx_expected")}
    view = {"state": worst["state"], "reason": reason, **losses}
    return {**_merge_tables("link", parts), **_way(parts), **view}


def _way(parts: Sequence[Json]) -> Json:
    """Say by what a link sends; where workers differ, those that do not have the fast way."""
    ways = [(part.get("sends_by"), part.get("sends_by_reason", "")) for part in parts]
    others = [way for way in ways if way[0] != "af_xdp"]
    way, reason = (others or ways)[0]
    if 0 < len(others) < len(ways):
        reason = f"{reason} (for {len(others)} of {len(ways)} workers)"
    return {"sends_by": way, "sends_by_reason": reason}


def _loss(parts: Sequence[Json], loss: str, frames: str) -> float | None:
    """Weigh each worker's loss by the frames that were expected there."""
    known = [part for part in parts if part[loss] is not None]
    expected = sum(part[frames] for part in known)
    lost: float = sum(part[loss] * part[frames] for part in known)
    return round(lost / expected, 6) if expected > 0 else (0.0 if known else None)
