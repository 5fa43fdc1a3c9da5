"""Snapshot: every counter of a worker, in the form in which `alagg status --json` shows it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from alagg import values
from alagg.control.recent import Recent
from alagg.engine.addresses import in_words
from alagg.ports import sockaddr

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from alagg.config import Config, LinkConfig, Network
    from alagg.engine.endpoint import Endpoint
    from alagg.engine.lane import Lane
    from alagg.engine.link import Link
    from alagg.engine.peer import Peer
    from alagg.ports.base import Capture, Injector, Port
    from alagg.whereabouts import Whereabouts

Json = dict[str, Any]

PART: Final = 16
"""Links of one part, with their peers: well under a millisecond's work."""
_MAX_KNOWN: Final = 10_000
"""Peers whose destinations are kept as text."""


def parts(
    endpoint: Endpoint,
    config: Config,
    port_of: Callable[[Link], Port | None],
    captures: Sequence[Capture],
    injector: Injector,
    strangers: int = 0,
    recent: Recent | None = None,
    now: float = 0.0,
    whereabouts: Whereabouts | None = None,
    caps_used: Mapping[tuple[str, str], tuple[int, str]] | None = None,
) -> Iterator[tuple[Json, bool]]:
    """Give every counter, some peers at a time, and whether that was all: packets are moved in between.

    The identities that hold in all of it, as long as no peer was removed, and no packets came while it was put
    together: `capture.captured` = the peers' `tx.captured` + `drops.no_peer` + the capture's own drops;
    `tx.captured` = `tx.sent` + `tx.waiting` + each `tx.dropped_…`; `rx.frames` = `rx.passed` + `rx.discarded` +
    `rx.rogue` + `rx.probes` + `rx.replies` + `rx.bad_cookie` + `rx.control_frames` = the `rx_frames` of the peer's
    links, those included that were removed; the peers' `rx.delivered` = `injector.injected` + each
    `injector.dropped_…`.
    """
    recent = recent or Recent()
    part: Json = {
        "epoch": endpoint.settings.epoch,
        "peers": [],
        "links": [],
        "capture": _sum(capture.counters() for capture in captures),
        "injector": injector.counters(),
        "drops": {"no_peer": endpoint.no_peer, "stranger": strangers, **_strangers(whereabouts)},
    }
    ports = _Ports(port_of)
    for configured in config.peers:
        peer = endpoint.peers[configured.name]
        part["peers"].append(_peer(peer, now))
        for config_of_link in configured.links:
            link = peer.links[config_of_link.name]
            port = ports.facts(link)
            values = _link(peer, config_of_link, port, whereabouts)
            values |= _cap(config_of_link, caps_used or {})
            values["recent"] = recent.since(link, port.counters, now)
            part["links"].append(values)
        if len(part["links"]) >= PART:
            yield part, False
            part = {"peers": [], "links": []}
            ports = _Ports(port_of)
    yield part, True


class _Facts(NamedTuple):
    """What a port says of itself."""

    sends_by: str | None
    reason: str
    counters: dict[str, int]


class _Ports:
    """Asks each port once for all links over it: some ask the kernel."""

    def __init__(self, port_of: Callable[[Link], Port | None]) -> None:
        self._port_of = port_of
        self._facts: dict[int, _Facts] = {}

    def facts(self, link: Link) -> _Facts:
        port = self._port_of(link)
        known = self._facts.get(id(port))
        if known is None:
            known = _Facts(None, "", {}) if port is None else _Facts(*port.sends_by, port.counters())
            self._facts[id(port)] = known
        return known


def whole(found: Sequence[Json]) -> Json:
    """Give one snapshot for its parts, the first of which grows to it."""
    first, *others = found
    for part in others:
        for key in ("peers", "links"):
            first[key] += part[key]
    return first


def _sum(counters: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counters:
        total.update(each)
    return dict(total)


def _peer(peer: Peer, now: float) -> Json:
    return {
        "name": peer.settings.name,
        "scheduler": peer.settings.scheduler,
        "destinations": _texts(peer.settings.destinations),
        "advice": list(peer.dialogue.advice),
        "refused": _refused(peer, now),
        "tx": _tx(peer),
        "rx": _rx(peer),
    }


def _refused(peer: Peer, now: float) -> Json:
    """Give the last packet that was refused, by reason."""
    found = {}
    for reason, (since, packet) in peer.receiver.refused_last.items():
        source, destination = in_words(packet)
        found[reason] = {"source": source, "destination": destination, "seconds_ago": round(max(now - since, 0.0), 1)}
    return found


_known: dict[int, tuple[tuple[Network, ...], list[str]]] = {}


def _texts(networks: tuple[Network, ...]) -> list[str]:
    """Give networks as text; to write an address out takes longer than all that is counted for a peer."""
    known = _known.get(id(networks))
    if known is None or known[0] is not networks:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[id(networks)] = known = networks, [str(network) for network in networks]
    return known[1]


def _tx(peer: Peer) -> dict[str, int]:
    sender = peer.sender
    queue = None if sender.late is None else sender.late.queue
    return {
        "captured": sender.captured,
        "sent": sender.sent,
        "dropped_no_link": sender.dropped_no_link,
        "dropped_full": sender.dropped_full + (queue.dropped_full if queue else 0),
        "dropped_delay": queue.dropped_delay if queue else 0,
        "marked": queue.marked if queue else 0,
        "dropped_too_big": sender.dropped_too_big,
        "split": sender.split,
        "waiting": sender.waiting,
    }


def _rx(peer: Peer) -> Json:
    receiver, dialogue = peer.receiver, peer.dialogue
    lanes = receiver.lanes.values()
    return {
        **_recovered(lanes),
        "frames": receiver.frames,
        "probes": receiver.probes,
        "replies": receiver.replies,
        "bad_cookie": receiver.bad_cookie,
        "control_frames": receiver.control_frames,
        "bad_control": dialogue.bad_control,
        "reports": dialogue.reports,
        "refused_reports": dialogue.refused_reports,
        **_reordered(lanes),
        **_rejoined(lanes),
        "delivered": receiver.delivered,
        **{_REFUSED[reason]: count for reason, count in receiver.refused.items()},
        "latent_errors": peer.latent_errors,
    }


def _recovered(lanes: Collection[Lane]) -> dict[str, int]:
    total = {"passed": 0, "discarded": 0, "out_of_order": 0, "rogue": 0, "lost": 0, "resets": 0}
    for lane in lanes:
        for key, value in lane.recovery.counters().items():
            total[key] += value
    return total


def _reordered(lanes: Collection[Lane]) -> dict[str, float]:
    held = late = given_up = alone = overflows = crowded = 0
    timeout = 0.0
    for lane in lanes:
        timeout = max(timeout, lane.reorder.timeout)
        for stream in lane.recovery.streams():
            order = stream.reorder
            held += order.held
            late += order.late
            given_up += order.given_up
            alone += order.alone
            overflows += order.overflows
            crowded += order.crowded
    return {
        "held": held, "late": late, "given_up": given_up, "released_alone": alone, "overflows": overflows,
        "crowded": crowded,
        "reorder_timeout_ms": round(timeout * 1000, 3),
    }  # fmt: skip


def _rejoined(lanes: Collection[Lane]) -> dict[str, int]:
    joined = again = waiting = incomplete = inconsistent = 0
    for lane in lanes:
        rejoiner = lane.rejoiner
        joined += rejoiner.joined
        again += rejoiner.again
        waiting += rejoiner.waiting
        incomplete += rejoiner.incomplete
        inconsistent += rejoiner.inconsistent
    return {
        "pieces_joined": joined, "joined_again": again, "pieces_waiting": waiting, "pieces_incomplete": incomplete,
        "pieces_inconsistent": inconsistent,
    }  # fmt: skip


class _Names(dict[str, str]):
    """Names of counters, each put together once."""

    def __missing__(self, reason: str) -> str:
        self[reason] = name = f"refused_{reason}"
        return name


_REFUSED: Final = _Names()


def _strangers(whereabouts: Whereabouts | None) -> dict[str, int]:
    """Give, where there are UDP links, what became of frames from addresses that no link leads to."""
    if whereabouts is None or not whereabouts.ways:
        return {}
    return {f"stranger_{reason}": count for reason, count in whereabouts.door.counts.items()}


def _link(peer: Peer, config: LinkConfig, port: _Facts, whereabouts: Whereabouts | None) -> Json:
    link = peer.links[config.name]
    monitor = peer.monitors[link]
    loss, tx_loss = peer.loss(link), peer.dialogue.tx_loss(link)
    remote = b"" if whereabouts is None else whereabouts.address(link)
    outgoing = peer.dialogue.outgoing.get(link.name)
    return {
        "name": link.name,
        "peer": config.peer,
        "type": config.type,
        "interface": config.interface,
        "mac": values.mac_text((config.finds and remote) or config.mac),
        "rate_bps": config.rate,
        **_udp(config, remote),
        "state": peer.state(link),
        "reason": link.reason if link.open or link.is_shut else link.trouble,
        "mtu": link.mtu,
        "path_mtu": link.room,
        "sends_by": port.sends_by,
        "sends_by_reason": port.reason,
        "rtt_ms": None if monitor.rtt is None else round(monitor.rtt * 1000, 3),
        "jitter_ms": None if monitor.rtt is None else round(monitor.rtt_deviation * 1000, 3),
        "queue_ms": None if monitor.rtt is None else round((link.rtt - link.base_rtt) * 1000, 3),
        "tx_rate_bps": None if outgoing is None else round(outgoing.rate * 8),
        "capacity_bps": round(link.capacity * 8) or None,
        "loss": None if loss is None else round(loss, 6),
        "tx_loss": None if tx_loss is None else round(tx_loss, 6),
        "rx_expected": peer.expected(link),
        "tx_expected": 0 if outgoing is None else outgoing.expected,
        "tx_frames": link.tx_frames,
        "tx_bytes": link.tx_bytes,
        "tx_dropped_full": link.tx_dropped_full,
        "tx_dropped_down": link.tx_dropped_down,
        "rx_frames": link.rx_frames,
        "rx_bytes": link.rx_bytes,
        **port.counters,
        **_malformed(link),
        "probes_ignored": monitor.probes_ignored,
        "stray_replies": monitor.stray_replies,
    }


def _cap(config: LinkConfig, used: Mapping[tuple[str, str], tuple[int, str]]) -> Json:
    """Say what a link may carry, and what of that it has carried; null without a cap."""
    if config.cap is None:
        return {"cap_bytes": None, "cap_used_bytes": None, "cap_until": None}
    size, until = used.get((config.peer, config.name), (0, None))
    return {"cap_bytes": config.cap.size, "cap_used_bytes": size, "cap_until": until}


def _udp(config: LinkConfig, remote: bytes) -> dict[str, str]:
    """Say where a UDP link has its ends: what is configured, and where its frames go now."""
    if config.type != "udp":
        return {}
    return {
        "local": str(config.local or ""), "remote": str(config.remote or ""), "address": sockaddr.text(remote),
    }  # fmt: skip


def _malformed(link: Link) -> dict[str, int]:
    total = sum(link.malformed.values())
    if not total:
        return {"malformed": 0}
    return {"malformed": total, **{f"malformed_{reason}": count for reason, count in link.malformed.items() if count}}
