"""Names: what a counter is called as a metric, by Prometheus' conventions.

A metric's name is where it stands, the counter's own, and its base unit: `rtt_ms` of a link is
`alagg_link_rtt_seconds`, `tx_frames` is `alagg_link_tx_frames_total`. A counter that stands for many (`…_REASON`) is
one metric with the label `reason`; where there is one for the sum as well, it is the sum's `…_by_reason`.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from alagg.control.counters import COUNTER, REASON, TABLES, TEXT, Counter, find

PLACES: Final = {
    "node": ("node", ()),
    "peer": ("peer", ("peer",)),
    "link": ("link", ("peer", "link")),
    "tx": ("peer_tx", ("peer",)),
    "rx": ("peer_rx", ("peer",)),
    "capture": ("node_capture", ()),
    "injector": ("node_injector", ()),
    "drops": ("node_drops", ()),
}
"""Tables of counters that are metrics: what their metrics' names begin with, and their labels.

`recent` is none of them: Prometheus' own `rate` says that.
"""
INFO: Final = {
    "node": ("version", "engine", "edges"),
    "peer": ("scheduler",),
    "link": ("type", "interface", "mac", "sends_by"),
}
"""Words of a table that are the labels of its `…_info`, which is always 1."""
UP: Final = "alagg_link_up"
UP_HELP: Final = "Whether the link carries packets both ways, as far as is known: 1 or 0."
STATE: Final = "alagg_link_state"
STATE_HELP: Final = "Always 1, the link's state being the label `state`: only the one that it is in is told."
INFO_HELP: Final = "Always 1; words that belong to it are its labels."
_UNITS: Final = {
    "seconds": ("seconds", 1.0),
    "ms": ("seconds", 1e-3),
    "bit/s": ("bytes_per_second", 1 / 8),
    "bytes": ("bytes", 1.0),
    "ratio": ("ratio", 1.0),
    "times": ("", 1.0),
    "periods": ("", 1.0),
}
"""The base unit of each unit, and what to multiply by; any other is its own."""
_SUFFIXES: Final = ("_ms", "_bps", "_s")
"""Ends of names that tell a unit which is not a base unit."""


class Metric(NamedTuple):
    """A counter as Prometheus sees it."""

    name: str
    """Without `_total`."""
    kind: str
    """`COUNTER` or `GAUGE`."""
    help: str
    factor: float
    """Of the base unit in the status' own."""
    labels: tuple[str, ...]
    reason: int
    """How many characters of a counter's name stand before its reason; 0 where there is none."""

    @property
    def shown(self) -> str:
        """The name that a scraper reads."""
        return f"{self.name}_total" if self.kind == COUNTER else self.name


@cache
def metric(table: str, name: str) -> Metric | None:
    """Give the metric of a counter that a status tells; None where it is none, words, or not known."""
    counter = find(table, name)
    if counter is None or counter.kind == TEXT or table not in PLACES:
        return None
    return of(table, counter)


def of(table: str, counter: Counter) -> Metric:
    """Give the metric of a line of the table."""
    place, labels = PLACES[table]
    unit, factor = _UNITS.get(counter.unit, (counter.unit, 1.0))
    stem = counter.name.removesuffix(f"_{REASON}")
    reason = 0
    if stem != counter.name:
        reason, labels = len(stem) + 1, (*labels, "reason")
        if any(other.name == stem for other in TABLES[table]):
            stem += "_by_reason"
    for suffix in _SUFFIXES:
        stem = stem.removesuffix(suffix)
    if unit and stem != unit and not stem.endswith(f"_{unit}"):
        stem += f"_{unit}"
    text = counter.help.replace("`", "")
    return Metric(f"alagg_{place}_{stem}", counter.kind, f"{text[0].upper()}{text[1:]}.", factor, labels, reason)


def metrics() -> list[Metric]:
    """Give all metrics that come from the table of counters, in its order."""
    return [of(table, counter) for table in PLACES for counter in TABLES[table] if counter.kind != TEXT]
