"""An engine in each form that is there, given the same and held to the same results, and to what must always hold."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from tests import forms
from tests.engine.helpers import batch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import SimpleNamespace

HERE: Final = tuple(map(ipaddress.ip_network, ("10.0.0.1", "fd00::1")))
THERE: Final = tuple(map(ipaddress.ip_network, ("10.0.0.2", "fd00::2")))
LINKS: Final = 3
WINDOWS: Final = (64, 1 << 16)
"""One so small that few frames reach each of its ends, and one that spans more than the buffer for reordering."""

SENDER: Final = (
    "sequence", "captured", "sent", "dropped_no_link", "dropped_too_big", "dropped_full", "split", "room",
    "waiting", "due",
)  # fmt: skip
RECEIVER: Final = (
    "frames", "probes", "replies", "bad_cookie", "control_frames", "data_frames", "delivered", "refused",
)  # fmt: skip
REORDER: Final = ("late", "alone", "given_up", "overflows", "crowded", "held", "timeout")
REJOINER: Final = ("joined", "again", "waiting", "incomplete", "inconsistent")
TRACK: Final = ("epoch", "passed", "received", "expected", "reordered", "reordering", "loss")
LINK: Final = (
    "open", "answering", "full", "mtu", "path_mtu", "link_sequence", "tx_frames", "tx_bytes",
    "tx_dropped_full", "tx_dropped_down", "rx_frames", "rx_bytes", "rx_last", "malformed", "headers", "payloads",
)  # fmt: skip
MONITOR: Final = ("state", "rtt", "probes_ignored", "stray_replies", "next_time")


def values(thing: Any, names: Sequence[str]) -> dict[str, Any]:
    """Give some attributes of an object, in copies: what they say now must not change later."""
    found = {name: getattr(thing, name) for name in names}
    changing = (list, dict, bytearray)
    return {name: value.copy() if isinstance(value, changing) else value for name, value in found.items()}


def state(endpoint: Any) -> dict[str, Any]:
    """Give all that an engine counts and shows."""
    (peer,) = endpoint.peers.values()
    return {
        "sender": values(peer.sender, SENDER),
        "receiver": values(peer.receiver, RECEIVER),
        "deadlines": (endpoint.deadline(), peer.due, peer.receiver.deadline()),
        "lanes": {number: lane_state(lane) for number, lane in peer.receiver.lanes.items()},
        "links": {link.name: values(link, LINK) for link in peer.links.values()},
        "monitors": {link.name: values(monitor, MONITOR) for link, monitor in peer.monitors.items()},
    }


def lane_state(lane: Any) -> dict[str, Any]:
    """Give what is known of one number space."""
    return {
        "epoch": lane.recovery.epoch,
        "recovery": lane.recovery.counters(),
        "reorder": [values(stream.reorder, REORDER) for stream in lane.recovery.streams()],
        "rejoiner": values(lane.rejoiner, REJOINER),
        "tracks": {link.name: values(track, TRACK) for link, track in lane.tracks.items()},
    }


def check_accounts(endpoint: Any) -> None:
    """Hold an engine to its identities: each packet and each frame is counted once."""
    (peer,) = endpoint.peers.values()
    sender, receiver = peer.sender, peer.receiver
    lanes = receiver.lanes.values()
    counters = [lane.recovery.counters() for lane in lanes]
    passed = sum(counter["passed"] for counter in counters)
    judged = sum(counter[key] for counter in counters for key in ("passed", "discarded", "rogue"))
    others = receiver.probes + receiver.replies + receiver.bad_cookie + receiver.control_frames
    assert receiver.frames == judged + others == sum(link.rx_frames for link in peer.links.values())
    orders = [stream.reorder for lane in lanes for stream in lane.recovery.streams()]
    waiting = sum(lane.rejoiner.waiting for lane in lanes) + sum(order.held for order in orders)
    thrown_away = sum(lane.rejoiner.incomplete + lane.rejoiner.inconsistent for lane in lanes)
    joined = sum(lane.rejoiner.joined - lane.rejoiner.again for lane in lanes)
    out = receiver.delivered + joined + sum(receiver.refused.values())
    assert passed == out + waiting + thrown_away
    dropped = sender.dropped_no_link + sender.dropped_too_big + sender.dropped_full
    assert sender.captured == sender.sent + sender.waiting + dropped
    assert all(counter["lost"] >= 0 for counter in counters)


def check_bounds(engine: SimpleNamespace, endpoint: Any) -> None:
    """Hold an engine to the memory that it may take, whatever came."""
    (peer,) = endpoint.peers.values()
    assert len(peer.receiver.lanes) <= engine.header.LANES
    for lane in peer.receiver.lanes.values():
        assert len(lane.recovery.aside) <= engine.recovery.ASIDE
        assert not lane.recovery.retired
        for stream in lane.recovery.streams():
            assert 0 <= stream.reorder.held <= engine.reorder.SLOTS
            assert len(stream.reorder._arrivals) <= 2 * engine.reorder.SLOTS
        assert len(lane.rejoiner._partials) <= engine.fragment.MAX_PARTIAL
        assert len(lane.tracks) <= LINKS
        assert not lane.out


class Twins:
    """The forms of one endpoint; every verb goes to all of them, and all must answer alike."""

    def __init__(self, *, scheduler: str = "redundant", window: int = WINDOWS[0], mtu: int = 300) -> None:
        """Set both up with `LINKS` links to the one peer."""
        self.now = 0.0
        self.packets: list[bytes] = []
        """All packets that came out."""
        self._engines = forms.both()
        self._endpoints = [_endpoint(engine, scheduler, window, mtu) for engine in self._engines]

    def send(self, packets: list[bytes], taken: Sequence[int]) -> None:
        """Send packets; each link's port takes so many of the frames."""
        for endpoint in self._endpoints:
            endpoint.send(packets, self.now)
        self._compare()
        for endpoint in self._endpoints:
            for link in endpoint.queued_links():
                link.settle(min(taken[link.id], len(link.payloads)))
            endpoint.settle()
        self.check()

    def receive(self, link: int, frames: Sequence[bytes]) -> None:
        """Receive frames on a link."""
        headers, payloads = batch(frames)
        for endpoint in self._endpoints:
            endpoint.receive(_link(endpoint, link), headers, payloads, self.now)
        self.check()

    def wait(self, seconds: float) -> None:
        """Let time pass and the timer ring."""
        self.now += seconds
        for endpoint in self._endpoints:
            endpoint.handle_timer(self.now)
        self.check()

    def change_link(self, link: int, mtu: int, *, is_open: bool) -> None:
        """Say that a port is open or not, and what fits through it."""
        for endpoint in self._endpoints:
            endpoint.link_changed(_link(endpoint, link), is_open=is_open, mtu=mtu, reason="test", now=self.now)
        self.check()

    def set_timeout(self, timeout: float | None) -> None:
        """Change how long packets are waited for."""
        for endpoint in self._endpoints:
            endpoint.peers["peer"].receiver.set_timeout(timeout, self.now)
        self.check()

    def flush(self) -> None:
        """Release all that waits."""
        for endpoint in self._endpoints:
            endpoint.flush(self.now)
        self.check()

    def check(self) -> None:
        """Compare what came out and all counters, and hold each form to its identities and bounds."""
        self._compare()
        for engine, endpoint in zip(self._engines, self._endpoints, strict=True):
            check_accounts(endpoint)
            check_bounds(engine, endpoint)
        packets, *others = [endpoint.take_packets() for endpoint in self._endpoints]
        assert all(other == packets for other in others)
        self.packets += packets
        events, *others = [list(map(str, endpoint.take_events())) for endpoint in self._endpoints]
        assert all(other == events for other in others)

    def _compare(self) -> None:
        expected, *others = map(state, self._endpoints)
        for other in others:
            assert other == expected, "the compiled form differs"


def _endpoint(engine: SimpleNamespace, scheduler: str, window: int, mtu: int) -> Any:
    links = tuple(engine.peer.LinkSettings(f"link{number}", mtu) for number in range(LINKS))
    peer = engine.peer.PeerSettings("peer", THERE, links, scheduler)
    return engine.endpoint.Endpoint(engine.peer.NodeSettings(1, window=window), [peer], HERE, 0.0)


def _link(endpoint: Any, number: int) -> Any:
    return endpoint.peers["peer"].links[f"link{number}"]
