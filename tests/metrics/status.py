"""A status as a node gives it, with every counter of the table in it."""

from __future__ import annotations

from typing import Any, Final

from alagg.control.counters import COUNTER, GAUGE, REASON, TABLES
from alagg.engine.header import MALFORMED_REASONS

_REASONS: Final = {
    "malformed_REASON": MALFORMED_REASONS,
    "pcap_REASON": ("written", "dropped"),
    "refused_REASON": ("foreign_source", "foreign_destination", "not_ip"),
    "dropped_REASON": ("full", "refused"),
}


def values(table: str) -> dict[str, Any]:
    """Give a value for each number of a table: 1, or 0.5 of what is no whole number."""
    found: dict[str, Any] = {}
    for counter in TABLES[table]:
        if counter.kind in (COUNTER, GAUGE):
            for name in _names(counter.name):
                found[name] = 0.5 if counter.unit in ("ratio", "ms") else 1
    return found


def _names(name: str) -> list[str]:
    if not name.endswith(REASON):
        return [name]
    return [name.removesuffix(REASON) + reason for reason in _REASONS.get(name, ("one", "another"))]


def link(peer: str, name: str, **changed: Any) -> dict[str, Any]:
    words = {"peer": peer, "name": name, "type": "ethernet", "interface": "eth0", "mac": "52:54:00:12:34:56"}
    state = {"state": "up", "reason": "", "sends_by": "af_xdp", "sends_by_reason": ""}
    return {**values("link"), **words, **state, "recent": values("recent"), **changed}


def peer(name: str, **changed: Any) -> dict[str, Any]:
    words = {"name": name, "scheduler": "redundant", "destinations": ["10.99.0.2/32"], "advice": [], "refused": {}}
    return {**values("peer"), **words, "tx": values("tx"), "rx": values("rx"), **changed}


def status(*links: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Give a whole status; its peers are those of the links."""
    shown = links or (link("office", "fibre"), link("office", "copper"))
    words = {"version": "1.2.3", "pid": 4711, "engine": "compiled", "edges": "compiled", "epoch": 1, "put_back": []}
    words |= {"without_rules": "", "unreachable": []}
    peers = [peer(name) for name in dict.fromkeys(one["peer"] for one in shown)]
    edges = {place: values(place) for place in ("capture", "injector", "drops")}
    return {**values("node"), **words, "peers": peers, "links": list(shown), **edges, **changed}
