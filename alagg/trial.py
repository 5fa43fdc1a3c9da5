"""Trial: what a worker does on a link because somebody wants to know how it is (`alagg ping`, `alagg speed`).

All of it are frames of its own beside the packets: probes, which the peer answers, and control frames with nothing in
them, which its reports count.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Final

from google_crc32c import value as crc32c

from alagg.engine.control import CONTROL_VERSION
from alagg.engine.events import Measured, Ponged
from alagg.engine.header import CONTROL, COOKIE_SIZE, SIZE
from alagg.messages import Burst, Ping

if TYPE_CHECKING:
    from alagg.engine.endpoint import Endpoint
    from alagg.engine.link import Link
    from alagg.engine.peer import Peer
    from alagg.messages import Try

NOTHING: Final = 65
"""Kind of item in a control frame that says nothing: receivers skip it."""
LARGEST: Final = 9000
"""Bytes of the largest frame that is sent to try a link's speed."""
AT_ONCE: Final = 256
"""Frames of one burst, at most."""
_ITEM: Final = struct.Struct(">BH")


def attempt(endpoint: Endpoint, message: Try, now: float) -> None:
    """Do what the supervisor asks; of peers and links that are gone, nothing but to say so."""
    peer = endpoint.peers.get(message.peer)
    link = peer.links.get(message.link) if peer is not None else None
    if peer is None or link is None:
        return
    if isinstance(message, Ping):
        _ping(peer, link, message, now)
    elif isinstance(message, Burst):
        _burst(link, message, endpoint.settings.epoch)
    else:
        peer.events.append(_measured(peer, link, message.number))
    endpoint.touch(peer)


def _ping(peer: Peer, link: Link, ping: Ping, now: float) -> None:
    if why := obstacle(link):
        peer.events.append(Ponged(ping.peer, ping.link, ping.number, -1.0, why))
        return

    def tell(rtt: float) -> None:
        peer.events.append(Ponged(ping.peer, ping.link, ping.number, rtt))

    peer.monitors[link].ping(max(ping.size, SIZE + COOKIE_SIZE), now, tell)


def _burst(link: Link, burst: Burst, epoch: int) -> None:
    if obstacle(link):
        return
    payload, checksum = _nothing(size_of(link.room) - SIZE)
    for _ in range(min(burst.frames, AT_ONCE)):
        link.append(CONTROL, epoch, payload, checksum)


def _measured(peer: Peer, link: Link, number: int) -> Measured:
    outgoing = peer.dialogue.outgoing.get(link.name)
    newest = None if outgoing is None else outgoing.newest
    highest, received, reports = (newest.highest, newest.received, 1) if newest is not None else (0, 0, 0)
    dropped = link.tx_dropped_full + link.tx_dropped_down
    return Measured(
        peer.settings.name, link.name, number, link.tx_frames, dropped, highest, received, reports,
        size_of(link.room), obstacle(link),
    )  # fmt: skip


def obstacle(link: Link) -> str:
    """Give why nothing can be tried on a link, in words; empty where something can."""
    if link.is_shut or not link.open:
        return f"{link.state}: {link.reason or link.trouble}"
    return ""


def size_of(room: int) -> int:
    """Give the bytes of a frame by which a link's speed is tried."""
    return max(min(room, LARGEST), SIZE + 1 + _ITEM.size)


@cache
def _nothing(size: int) -> tuple[bytes, int]:
    """Give a payload that says nothing, and its checksum."""
    length = size - 1 - _ITEM.size
    payload = bytes([CONTROL_VERSION]) + _ITEM.pack(NOTHING, length) + bytes(length)
    return payload, crc32c(payload)
