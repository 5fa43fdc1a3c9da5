"""Snapshot: every counter of a worker, in the form in which `alagg status --json` shows it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from alagg.config import Config, LinkConfig
    from alagg.engine.endpoint import Endpoint
    from alagg.engine.link import Link
    from alagg.engine.peer import Peer
    from alagg.ports.base import Capture, Injector, Port

Json = dict[str, Any]


def snapshot(
    endpoint: Endpoint,
    config: Config,
    ports: Mapping[Link, Port | None],
    captures: Sequence[Capture],
    injector: Injector,
    strangers: int = 0,
) -> Json:
    """Give every counter.

    The identities that hold in it, as long as no peer was removed: `capture.captured` = the peers' `tx.captured` +
    `drops.no_peer` + the capture's own drops; `tx.captured` = `tx.sent` + `tx.waiting` + each `tx.dropped_…`;
    `rx.frames` = `rx.passed` + `rx.discarded` + `rx.rogue` + `rx.probes` + `rx.replies` + `rx.bad_cookie` +
    `rx.control_frames` = the `rx_frames` of the peer's links, those included that were removed; the peers'
    `rx.delivered` = `injector.injected` + each `injector.dropped_…`.
    """
    peers = [endpoint.peers[peer.name] for peer in config.peers]
    links = [
        _link(endpoint.peers[link.peer], link, ports) for peer in config.peers for link in peer.links
    ]
    return {
        "epoch": endpoint.settings.epoch,
        "peers": [_peer(peer) for peer in peers],
        "links": links,
        "capture": _sum(capture.counters() for capture in captures),
        "injector": injector.counters(),
        "drops": {"no_peer": endpoint.no_peer, "stranger": strangers},
    }


def _sum(counters: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counters:
        total.update(each)
    return dict(total)


def _peer(peer: Peer) -> Json:
    return {
        "name": peer.settings.name,
        "scheduler": peer.settings.scheduler,
        "destinations": [str(network) for network in peer.settings.destinations],
        "advice": list(peer.dialogue.advice),
        "tx": _tx(peer),
        "rx": _rx(peer),
    }


def _tx(peer: Peer) -> dict[str, int]:
    sender = peer.sender
    return {
        "captured": sender.captured,
        "sent": sender.sent,
        "dropped_no_link": sender.dropped_no_link,
        "dropped_full": sender.dropped_full,
        "dropped_too_big": sender.dropped_too_big,
        "split": sender.split,
        "waiting": sender.waiting,
    }


def _rx(peer: Peer) -> Json:
    receiver = peer.receiver
    lanes = receiver.lanes.values()
    recovery = {"passed": 0, "discarded": 0, "out_of_order": 0, "rogue": 0, "lost": 0, "resets": 0}
    for lane in lanes:
        for key, value in lane.recovery.counters().items():
            recovery[key] += value
    orders = [stream.reorder for lane in lanes for stream in lane.recovery.streams()]
    timeouts = [lane.reorder.timeout * 1000 for lane in lanes]
    return {
        **recovery,
        "frames": receiver.frames,
        "probes": receiver.probes,
        "replies": receiver.replies,
        "bad_cookie": receiver.bad_cookie,
        "control_frames": receiver.control_frames,
        "bad_control": peer.dialogue.bad_control,
        "reports": peer.dialogue.reports,
        "held": sum(order.held for order in orders),
        "late": sum(order.late for order in orders),
        "given_up": sum(order.given_up for order in orders),
        "released_alone": sum(order.alone for order in orders),
        "overflows": sum(order.overflows for order in orders),
        "reorder_timeout_ms": round(max(timeouts, default=0.0), 3),
        "pieces_joined": receiver.pieces_joined,
        "pieces_waiting": sum(lane.rejoiner.waiting for lane in lanes),
        "pieces_incomplete": sum(lane.rejoiner.incomplete for lane in lanes),
        "pieces_inconsistent": sum(lane.rejoiner.inconsistent for lane in lanes),
        "delivered": receiver.delivered,
        **{f"refused_{reason}": count for reason, count in receiver.refused.items()},
        "latent_errors": peer.latent_errors,
    }


def _link(peer: Peer, config: LinkConfig, ports: Mapping[Link, Port | None]) -> Json:
    link = peer.links[config.name]
    monitor = peer.monitors[link]
    port = ports.get(link)
    sends_by, sends_by_reason = (None, "") if port is None else port.sends_by
    loss, tx_loss = peer.loss(link), peer.dialogue.tx_loss(link)
    return {
        "name": link.name,
        "peer": config.peer,
        "type": config.type,
        "interface": config.interface,
        "mac": config.mac.hex(":"),
        "state": peer.state(link),
        "reason": link.reason,
        "mtu": link.mtu,
        "path_mtu": link.room,
        "sends_by": sends_by,
        "sends_by_reason": sends_by_reason,
        "rtt_ms": None if monitor.rtt is None else round(monitor.rtt * 1000, 3),
        "jitter_ms": None if monitor.rtt is None else round(monitor.rtt_deviation * 1000, 3),
        "loss": None if loss is None else round(loss, 6),
        "tx_loss": None if tx_loss is None else round(tx_loss, 6),
        "rx_expected": peer.expected(link),
        "tx_frames": link.tx_frames,
        "tx_bytes": link.tx_bytes,
        "tx_dropped_full": link.tx_dropped_full,
        "tx_dropped_down": link.tx_dropped_down,
        "rx_frames": link.rx_frames,
        "rx_bytes": link.rx_bytes,
        **({} if port is None else port.counters()),
        "malformed": sum(link.malformed.values()),
        **{f"malformed_{reason}": count for reason, count in link.malformed.items() if count},
        "probes_ignored": monitor.probes_ignored,
        "stray_replies": monitor.stray_replies,
    }
