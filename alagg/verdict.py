"""The verdict of a status: what is wrong now, with which link or peer, since when, and which option to look at.

Counters only grow, so what they have counted since the node's start says little of now: the last minute decides, and
what is older is told beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from alagg.engine.events import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Status = dict[str, Any]
"""The node's answer, or a part of it, as it came."""

SUSPICIOUS_LOSS: Final = 0.01
"""Share of lost frames from which a link is called bad."""
FEW: Final = 2
"""Fewer lost frames than this say nothing: an idle link carries hardly more than a hundred in ten seconds."""
MINUTE: Final = 60.0
"""Seconds for which something that has happened counts as now."""
_LOSS_TIME: Final = "in the last 10 s"
"""What `loss` is measured over (alagg.engine.lane.LOSS_PERIODS)."""
_FAULTS: Final = {
    "tx_dropped_full": ("tx_frames", "found the link full"),
    "rx_dropped": ("rx_frames", "came faster than they were read"),
    "malformed": ("rx_frames", "arrived damaged"),
}
"""Counters that speak against a link: what they are a share of, besides themselves, and what they say."""


def lines(status: Status) -> list[Text]:
    """Say what is wrong: one line for all, and one for each thing."""
    links = status.get("links", [])
    bad = [(link, faults(link)) for link in links]
    bad = [(link, found) for link, found in bad if found]
    peers = [f"  {line}" for line in _peers(status)]
    host = [f"  {line}" for line in _host(status)]
    if bad:
        head = Text(f"{len(bad)} of {len(links)} links {'is' if len(bad) == 1 else 'are'} bad", "bold red")
    else:
        also = "; but see below" if peers or host else ""
        head = Text(f"no link is bad (of {len(links)}){also}", "yellow" if also else "green")
    return [
        head,
        *(Text(f"  {link['name']}: {', '.join(found)}", "bold red") for link, found in bad),
        *(Text(line, "bold red") for line in peers),
        *(Text(line, "yellow") for line in (*host, *(f"  {line}" for line in _notes(status)))),
    ]


def faults(link: Status) -> list[str]:
    """Say what is wrong with a link now; nothing when it is well."""
    found = []
    if link.get("state") not in ("up", "standby"):
        found.append(str(link.get("reason") or f"is {link.get('state', 'in an unknown state')}"))
    elif link.get("reason") and link.get("state") == "up":
        found.append(str(link["reason"]))
    if is_lossy(link, "loss", "rx_expected"):
        found.append(f"lost {_lost(link, 'loss', 'rx_expected')} {_LOSS_TIME}")
    if link.get("state") == "up" and is_lossy(link, "tx_loss", "tx_expected"):
        found.append(f"the peer missed {_lost(link, 'tx_loss', 'tx_expected')} of late")
    # A link with a rate of its own is full whenever there is more than that: so it was asked.
    keys = [key for key in _FAULTS if not (key == "tx_dropped_full" and link.get("rate_bps"))]
    return found + [_share(link, key) for key in keys if _recent(link).get(key)]


def is_lossy(link: Mapping[str, Any], share: str, expected: str) -> bool:
    """Tell whether a link loses so many frames that people should look: a share of them, and more than one.

    Args:
        link: what the status says of it.
        share: the key of the lost share of the frames, from 0 to 1.
        expected: the key of how many it is a share of; 0, or no such key: unknown.
    """
    loss, among = link.get(share) or 0, link.get(expected) or 0
    return loss >= SUSPICIOUS_LOSS and (not among or round(loss * among) >= FEW)


def count(value: Any) -> str:
    """Write a number for people."""
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def percent(share: float) -> str:
    """Write a share for people."""
    return f"{100 * share:.3g} %"


def _lost(link: Status, share: str, expected: str) -> str:
    loss, among = link[share], int(link.get(expected) or 0)
    return f"{count(round(loss * among))} of {count(among)} frames" if among else percent(loss)


def _share(link: Status, key: str) -> str:
    recent = _recent(link)
    others, words = _FAULTS[key]
    among = recent[key] + recent.get(others, 0)
    return f"{count(recent[key])} of {count(among)} frames {words} {_period(recent.get('seconds', 0))}"


def _recent(link: Status) -> dict[str, Any]:
    found: dict[str, Any] = link.get("recent") or {}
    return found


def _period(seconds: float) -> str:
    return f"in the last {seconds:.0f} s" if seconds < MINUTE - 5 else "in the last minute"


def _peers(status: Status) -> Iterator[str]:
    for peer in status.get("peers", ()):
        name = peer.get("name", "?")
        yield from (f"peer {name}: {line}" for line in peer.get("advice", ()))
        for reason, last in peer.get("refused", {}).items():
            if last["seconds_ago"] < MINUTE:
                counted = peer.get("rx", {}).get(f"refused_{reason}", 0)
                yield f"peer {name}: {refusal(reason, counted, last['source'], last['destination'])}"


def _host(status: Status) -> Iterator[str]:
    for one in status.get("put_back", ()):
        if one["seconds_ago"] < MINUTE:
            yield f"another program takes away what the node needs, and it is put back: {_put_back(one)}"


def _rules(status: Status) -> Iterator[str]:
    if status.get("without_rules"):
        yield f"no rules, the device captures everything: {status['without_rules']}"


def _unreachable(status: Status) -> Iterator[str]:
    for name in status.get("unreachable", ()):
        yield f"peer {name}: no link works, its packets go by this host's own routes (when_unreachable)"


def _notes(status: Status) -> Iterator[str]:
    """Tell what is no fault, or was one more than a minute ago."""
    yield from _rules(status)
    yield from _unreachable(status)
    if any(link.get("state") in ("new", "silent") for link in status.get("links", ())):
        yield "where nobody answers, alagg check says what comes instead: of another address, of another EtherType"
    for link in status.get("links", ()):
        recent = _recent(link)
        if 0 < (link.get("path_mtu") or 0) < (link.get("mtu") or 0):
            wider = f"although {link.get('interface') or 'its interface'} takes {link['mtu']}"
            yield f"{link['name']}: frames of at most {link['path_mtu']} bytes get through, {wider}"
        if link.get("rate_bps") and recent.get("tx_dropped_full"):
            yield f"{link['name']}: {_share(link, 'tx_dropped_full')}: it has a rate, the others carry the rest"
        past = [key for key in _FAULTS if recent and link.get(key) and not recent.get(key)]
        if past:
            told = ", ".join(f"{count(link[key])} frames {_FAULTS[key][1]}" for key in past)
            yield f"{link['name']}: {told} since the node's start, none {_period(recent.get('seconds', 0))}"
    for one in status.get("put_back", ()):
        if one["seconds_ago"] >= MINUTE:
            yield f"put back what another program had taken away: {_put_back(one)}"


def _put_back(one: Status) -> str:
    times = "once" if one["times"] == 1 else f"{one['times']} times"
    return f"{', '.join(one['what'])} ({times}, {one['seconds_ago']:.0f} s ago)"
