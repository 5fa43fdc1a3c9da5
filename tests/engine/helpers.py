"""What the engine's tests share: packets with numbers in them, frames by hand, and two endpoints face to face."""

from __future__ import annotations

import ipaddress
import itertools
import struct
from typing import TYPE_CHECKING

from google_crc32c import value as crc32c

from alagg.engine.endpoint import Endpoint
from alagg.engine.header import DATA, SIZE, encode
from alagg.engine.peer import LinkSettings, NodeSettings, PeerSettings
from alagg.engine.sequence import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from alagg.engine.addresses import Network
    from alagg.engine.link import Link

ONE, TWO = "10.0.0.1", "10.0.0.2"
ONE6, TWO6 = "fd00::1", "fd00::2"


def ipv4(payload: bytes = b"", source: str = ONE, destination: str = TWO) -> bytes:
    """Give an IPv4 packet (no checksums: the engine never looks at them)."""
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(destination).packed
    return struct.pack(">BBHIBBH", 0x45, 0, 20 + len(payload), 0, 64, 253, 0) + addresses + payload


def ipv6(payload: bytes = b"", source: str = ONE6, destination: str = TWO6) -> bytes:
    """Give an IPv6 packet."""
    addresses = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address(destination).packed
    return struct.pack(">IHBB", 6 << 28, len(payload), 253, 64) + addresses + payload


def numbered(numbers: Iterable[int], size: int = 4, source: str = ONE, destination: str = TWO) -> list[bytes]:
    """Give IPv4 packets that carry numbers, and zeros up to `size` bytes."""
    return [ipv4(number.to_bytes(4, "big").ljust(size, b"\0"), source, destination) for number in numbers]


def numbers(packets: Iterable[bytes]) -> list[int]:
    """Give the numbers that `numbered` packets carry."""
    return [int.from_bytes(packet[20:24], "big") for packet in packets]


def frame(
    sequence: int,
    payload: bytes = b"",
    *,
    epoch: int = 1,
    lane: int = 0,
    link_sequence: int | None = None,
    place: tuple[int, int] = (0, 0),
    frame_type: int = DATA,
) -> bytes:
    """Give one frame; without a link sequence it is the only kind of frame on its link, numbered like its packet."""
    link_sequence = sequence if link_sequence is None else link_sequence
    header = encode(
        frame_type, epoch, lane, sequence & MASK, 0, link_sequence & MASK, *place, len(payload), crc32c(payload)
    )
    return header + payload


def data_frames(sequences: Iterable[int], epoch: int = 1, first_link_sequence: int | None = None) -> list[bytes]:
    """Give frames whose packets carry their sequences."""
    link_sequences: Iterable[int | None] = (
        itertools.repeat(None) if first_link_sequence is None else itertools.count(first_link_sequence)
    )
    return [
        frame(sequence, packet, epoch=epoch, link_sequence=link_sequence)
        for sequence, link_sequence in zip(sequences, link_sequences, strict=False)
        for packet in numbered([sequence & MASK])
    ]


def batch(frames: Iterable[bytes]) -> tuple[bytes, list[bytes | None]]:
    """Give frames as a port hands them over: the headers in one piece, and what came behind each of them."""
    frames = list(frames)
    headers = [data[:SIZE] if len(data) >= SIZE else bytes(SIZE) for data in frames]
    return b"".join(headers), [data[SIZE:] if len(data) >= SIZE else None for data in frames]


def networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


def settings(*links: str, name: str = "peer", destinations: Sequence[str] = (TWO, TWO6), mtu: int = 1500,
             copies: int | None = None, reorder_timeout: float | None = None) -> PeerSettings:
    """Give the settings of a peer with these links."""
    return PeerSettings(
        name, networks(*destinations), tuple(LinkSettings(link, mtu) for link in links), copies=copies,
        reorder_timeout=reorder_timeout,
    )


def endpoint(peer: PeerSettings, *local: str, epoch: int = 1, now: float = 0.0, window: int = 1 << 10) -> Endpoint:
    """Give an endpoint with one peer."""
    return Endpoint(NodeSettings(epoch, window=window), [peer], networks(*local), now)


def pair(*links: str, mtu: int = 1500, reorder_timeout: float | None = None) -> tuple[Endpoint, Endpoint]:
    """Give two endpoints that are each other's peer."""
    one = settings(*links, mtu=mtu, reorder_timeout=reorder_timeout)
    two = settings(*links, mtu=mtu, reorder_timeout=reorder_timeout, destinations=(ONE, ONE6))
    return endpoint(one, ONE, ONE6, epoch=1), endpoint(two, TWO, TWO6, epoch=2)


def queued_frames(link: Link) -> list[bytes]:
    """Give the frames that wait on a link, each in one piece."""
    headers = bytes(link.headers)
    assert len(headers) == SIZE * len(link.payloads)
    return [headers[SIZE * index : SIZE * (index + 1)] + payload for index, payload in enumerate(link.payloads)]


def take_frames(link: Link, taken: int | None = None) -> list[bytes]:
    """Do what a port does: take the first `taken` of the queued frames (None: all) and settle the link."""
    frames = queued_frames(link)[:taken]
    link.settle(len(frames))
    return frames


def carry(origin: Endpoint, target: Endpoint, now: float, *, without: Sequence[str] = ()) -> list[bytes]:
    """Carry all queued frames over, except those on some links; give the packets that come out."""
    queued = {link.name: take_frames(link) for link in origin.queued_links()}
    origin.settle()
    (peer,) = target.peers.values()
    for name, frames in queued.items():
        if name not in without:
            target.receive(peer.links[name], *batch(frames), now)
    return target.take_packets()
