"""The engine's cost per packet: each stage by itself, and the whole way out and in as the worker goes it.

It measures the form of the engine that this process imports (see `alagg.form`); another form is measured by another
process, such as `ALAGG_PURE=1 python -m bench engine`. The cases take turns, repeat after repeat, so that a busy
moment of the machine spreads over all of them.
"""

from __future__ import annotations

import gc
import ipaddress
import struct
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg.engine.crc import crc32c
from alagg.engine.endpoint import Endpoint
from alagg.engine.fragment import Piece, Rejoiner, split
from alagg.engine.header import DATA, SIZE, encode, parse, write
from alagg.engine.merge import Merger
from alagg.engine.peer import LinkSettings, NodeSettings, Peer, PeerSettings
from alagg.engine.recovery import Recovery
from alagg.engine.reorder import Item, Reorder
from alagg.engine.segment import cut
from bench.native import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from alagg.engine.link import Link

PACKETS: Final = 2048
"""Packets of one measurement."""
SIZES: Final = (64, 512, 1400)
"""Bytes of an IP packet."""
SEGMENT: Final = 1400
"""Bytes of a segment cut off a super-packet, IP header included."""
PER_SUPER: Final = 32
"""Segments of a super-packet; a kernel's has some 45."""
BIG: Final = 4000
"""Bytes of the packet that is split and rejoined: three pieces."""
PACE: Final = 5e-6
"""Seconds between packets on the engine's clock: timers come due as often as at full speed, some 2.2 Gbit/s."""
WINDOW: Final = 1 << 16

HERE, THERE = ipaddress.IPv4Network("10.99.0.1"), ipaddress.IPv4Network("10.99.0.2")


@dataclass(frozen=True)
class Case:
    """Something that is measured."""

    stage: str
    prepare: Callable[[], Callable[[], object]]
    """Makes everything ready for `PACKETS` packets, and gives what is timed."""
    size: int | None = None
    """Bytes of each packet; None where they do not matter."""
    links: int | None = None
    batch: int | None = None
    packets: int | None = None
    """How many it handles where that is not `PACKETS`."""


@dataclass(frozen=True)
class Cost:
    """What a case cost: seconds per packet, one of each repeat."""

    case: Case
    samples: tuple[float, ...]


def measure(cases: Sequence[Case], repeats: int) -> list[Cost]:
    """Let the cases take turns."""
    samples: list[list[float]] = [[] for _ in cases]
    for _ in range(repeats):
        gc.collect()
        for case, own in zip(cases, samples, strict=True):
            own.append(time_once(case))
    return [Cost(case, tuple(own)) for case, own in zip(cases, samples, strict=True)]


def time_once(case: Case) -> float:
    """Give the seconds per packet of one run.

    The processor's time, as the engine waits for nothing: what else runs on the machine hardly counts. What was
    prepared is kept from the garbage collector's eyes.
    """
    work = case.prepare()
    gc.freeze()
    try:
        start = time.process_time()
        work()
        return (time.process_time() - start) / (case.packets or PACKETS)
    finally:
        gc.unfreeze()


def cases() -> list[Case]:
    """Give everything that is measured."""
    return [*stages(), *sides(), *whole(), *references()]


# --- stages --------------------------------------------------------------------------------------------------------


def stages() -> Iterator[Case]:
    """Give the parts that the way of a packet is made of."""
    for size in SIZES:
        yield Case("checksum", partial(checksum_work, size), size)
        yield Case("encode", partial(encode_work, size), size)
        yield Case("decode", partial(decode_work, size), size)
    yield Case("recovery, first copy", partial(recovery_work, copies=1))
    yield Case("recovery, both copies", partial(recovery_work, copies=2))
    yield Case("reorder, in order", partial(reorder_work, range(PACKETS)))
    yield Case("reorder, neighbours swapped", partial(reorder_work, [number ^ 1 for number in range(PACKETS)]))
    yield Case(f"split {BIG} bytes", split_work)
    yield Case(f"rejoin {BIG} bytes", rejoin_work)


def checksum_work(size: int) -> Callable[[], object]:
    """CRC-32C of a payload."""
    payload = packet(size)
    return lambda: [crc32c(0, payload, 0, size) for _ in range(PACKETS)]


def encode_work(size: int) -> Callable[[], object]:
    """One header, its payload's checksum known."""
    payload = packet(size)
    length, checksum = len(payload), crc32c(0, payload, 0, size)
    headers = bytearray(SIZE)

    def work() -> None:
        for number in range(PACKETS):
            write(headers, 0, DATA, 1, 0, number, 0, number, 0, 0, length, checksum)

    return work


def decode_work(size: int) -> Callable[[], object]:
    """One frame, verified."""
    payload = packet(size)
    header = encode(DATA, 1, 0, 1, 0, 1, 0, 0, size, crc32c(0, payload, 0, size))
    return lambda: [parse(header, 0, payload) for _ in range(PACKETS)]


def recovery_work(copies: int) -> Callable[[], object]:
    """One number, and its later copies."""
    recovery = Recovery(WINDOW)
    return lambda: [recovery.accept(1, number, 0.0) for number in range(PACKETS) for _ in range(copies)]


def reorder_work(numbers: Sequence[int]) -> Callable[[], object]:
    """One packet through the buffer."""
    reorder, payload = Reorder(None), packet(SIZES[0])
    out: list[Item] = []

    def work() -> None:
        for number in numbers:
            reorder.push(number, payload, 0.0, out)

    reorder.push(-1 & 0xFFFF_FFFF, payload, 0.0, out)
    return work


def split_work() -> Callable[[], object]:
    """One packet into pieces."""
    big = packet(BIG)
    return lambda: [split(big, 1500 - SIZE) for _ in range(PACKETS)]


def rejoin_work() -> Callable[[], object]:
    """The pieces of one packet together again."""
    rejoiner, pieces = Rejoiner(), split(packet(BIG), 1500 - SIZE)
    last = len(pieces) - 1

    def work() -> None:
        for first in range(0, PACKETS * len(pieces), len(pieces)):
            for number, piece in enumerate(pieces):
                rejoiner.join(Piece(1, first + number, number, last, piece), 0.0)

    return work


# --- sender and receiver -------------------------------------------------------------------------------------------


def sides() -> Iterator[Case]:
    """Give both halves of a peer, without the endpoint around them."""
    for links in (1, 2):
        for size in SIZES:
            yield Case("sender", partial(sender_work, size, links), size, links, 64)
            yield Case("receiver", partial(receiver_work, size, links), size, links, 64)


def sender_work(size: int, links: int) -> Callable[[], object]:
    """Number, schedule and seal, and account for what the ports took."""
    peer = Peer(peer_settings(THERE, links), NodeSettings(1), (HERE,), 0.0)
    packets = batches(size, 64)

    def work() -> None:
        for batch in packets:
            peer.sender.send(batch, 0.0)
            for link in peer.links.values():
                link.settle(len(link.payloads))
            peer.sender.settle()
        assert peer.sender.sent == PACKETS

    return work


def receiver_work(size: int, links: int) -> Callable[[], object]:
    """Verify, eliminate copies, order, and judge addresses."""
    peer = Peer(peer_settings(HERE, links), NodeSettings(2), (THERE,), 0.0)
    frames = frame_batches(size, links, 64)

    def work() -> None:
        for number, batch in frames:
            peer.receiver.receive(peer.links[f"link{number}"], *batch, 0.0)
            peer.receiver.packets = []
        assert peer.receiver.delivered == PACKETS

    return work


# --- the whole -----------------------------------------------------------------------------------------------------


def whole() -> Iterator[Case]:
    """Give the whole engine, as `alagg.worker` drives it."""
    for links in (1, 2):
        for batch in (1, 64):
            for size in SIZES:
                yield Case("whole, out", partial(out_work, size, links, batch), size, links, batch)
                yield Case("whole, in", partial(in_work, size, links, batch), size, links, batch)
        yield Case("whole, out, cut", partial(cut_work, SEGMENT, links), SEGMENT, links, PER_SUPER)
        yield Case("whole, in, merged", partial(merge_work, SEGMENT, links), SEGMENT, links, PER_SUPER)


def out_work(size: int, links: int, batch: int) -> Callable[[], object]:
    """From captured packets to frames."""
    endpoint = Endpoint(NodeSettings(1), [peer_settings(THERE, links)], (HERE,), 0.0)
    packets = batches(size, batch)

    def work() -> None:
        now = 0.0
        for captured in packets:
            now += PACE * batch
            endpoint.send(captured, now)
            finish_round(endpoint, now)
        assert endpoint.peers["peer"].sender.sent == PACKETS

    return work


def in_work(size: int, links: int, batch: int) -> Callable[[], object]:
    """From frames to packets."""
    endpoint = Endpoint(NodeSettings(2), [peer_settings(HERE, links)], (THERE,), 0.0)
    link_of = list(endpoint.peers["peer"].links.values())
    frames = [(link_of[number], batch) for number, batch in frame_batches(size, links, batch)]

    def work() -> None:
        now = 0.0
        for link, batch_of_link in frames:
            now += PACE * batch / links
            endpoint.receive(link, *batch_of_link, now)
            finish_round(endpoint, now)
        assert endpoint.peers["peer"].receiver.delivered == PACKETS

    return work


def cut_work(size: int, links: int) -> Callable[[], object]:
    """From TCP super-packets to frames."""
    endpoint = Endpoint(NodeSettings(1), [peer_settings(THERE, links)], (HERE,), 0.0)
    captured = [super_packet(size, number) for number in range(PACKETS // PER_SUPER)]

    def work() -> None:
        now = 0.0
        for one in captured:
            now += PACE * PER_SUPER
            endpoint.send(cut(one, size), now)
            finish_round(endpoint, now)
        assert endpoint.peers["peer"].sender.sent == PACKETS

    return work


def merge_work(size: int, links: int) -> Callable[[], object]:
    """From frames to TCP super-packets."""
    endpoint = Endpoint(NodeSettings(2), [peer_settings(HERE, links)], (THERE,), 0.0)
    link_of = list(endpoint.peers["peer"].links.values())
    segments = [cut(super_packet(size, number), size) for number in range(PACKETS // PER_SUPER)]
    frames = [(link_of[number], batch) for number, batch in frames_of(segments, links)]
    merger = Merger(udp=True)

    def work() -> None:
        now, items = 0.0, 0
        for link, batch in frames:
            now += PACE * PER_SUPER / links
            endpoint.receive(link, *batch, now)
            items += len(merger.merge(finish_round(endpoint, now)))
        assert items == len(segments)

    return work


def finish_round(endpoint: Endpoint, now: float) -> list[bytes]:
    """Do what the worker does in each round, with ports that take everything; give the packets to be injected."""
    endpoint.handle_timer(now)
    for link in endpoint.queued_links():
        link.settle(len(link.payloads))
    endpoint.settle()
    packets = endpoint.take_packets()
    endpoint.take_events()
    return packets


# --- what C needs at least ------------------------------------------------------------------------------------------


def references() -> Iterator[Case]:
    """Give the copy of the bytes and the header work in C, as a measure for the whole."""
    reference = Reference()
    for links in (1, 2):
        for size in SIZES:
            yield Case("C reference, out", partial(reference_work, reference.out, size, links), size, links)
            yield Case("C reference, in", partial(reference_work, reference.into, size, links), size, links)


def reference_work(function: Callable[[int, int, int], None], size: int, links: int) -> Callable[[], object]:
    """One packet: its bytes copied once, a header on each link, the checksums."""
    return partial(function, size, links, PACKETS)


# --- packets -------------------------------------------------------------------------------------------------------


def packet(size: int) -> bytes:
    """Give an IPv4 packet (without checksums: the engine never looks at them)."""
    addresses = HERE.network_address.packed + THERE.network_address.packed
    return (struct.pack(">BBHIBBH", 0x45, 0, size, 0, 64, 253, 0) + addresses).ljust(size, b"\xa5")


def batches(size: int, batch: int) -> list[list[bytes]]:
    """Give `PACKETS` packets in batches."""
    return [[packet(size) for _ in range(batch)] for _ in range(PACKETS // batch)]


def super_packet(
    size: int, number: int, *, segments: int = PER_SUPER, port: int = 5000,
    destination: ipaddress.IPv4Network = THERE,
) -> bytes:
    """Give a TCP super-packet of so many segments of a size; a flow's bytes go on from number to number."""
    step = size - 40
    ports = struct.pack(">HHII", port, 5001, number * segments * step & 0xFFFF_FFFF, 1)
    body = (ports + struct.pack(">BBHHH", 0x50, 0x10, 512, 0, 0)).ljust(20 + segments * step, b"\xa5")
    addresses = HERE.network_address.packed + destination.network_address.packed
    identification = number * segments & 0xFFFF
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), identification, 0x4000, 64, 6, 0) + addresses + body


class Frames(NamedTuple):
    """A batch of frames."""

    headers: bytes
    payloads: list[bytes | None]

    def some(self, numbers: Sequence[int]) -> Frames:
        """Give the frames with these numbers."""
        headers = b"".join(self.headers[SIZE * number : SIZE * (number + 1)] for number in numbers)
        return Frames(headers, [self.payloads[number] for number in numbers])


def frame_batches(size: int, links: int, batch: int) -> list[tuple[int, Frames]]:
    """Give the frames of `PACKETS` packets as ports hand them over: the links in turn, each with its number."""
    return frames_of(batches(size, batch), links)


def frames_of(
    packets: Sequence[list[bytes]], links: int, scheduler: str = "redundant"
) -> list[tuple[int, Frames]]:
    """Give the frames of packets as ports hand them over, batch by batch: the links in turn, each with its number."""
    settings = replace(peer_settings(THERE, links), scheduler=scheduler)
    peer = Peer(settings, NodeSettings(1), (HERE,), 0.0)
    frames: list[tuple[int, Frames]] = []
    for batch in packets:
        peer.sender.send(batch, 0.0)
        frames += [(number, take_frames(link)) for number, link in enumerate(peer.links.values()) if link.headers]
    return frames


def take_frames(link: Link) -> Frames:
    """Give what is queued on a link as its port at the other end hands it over."""
    frames = Frames(bytes(link.headers), list(link.payloads))
    link.settle(len(frames.payloads))
    return frames


def peer_settings(destination: ipaddress.IPv4Network, links: int) -> PeerSettings:
    """Give the settings of a peer."""
    named = tuple(LinkSettings(f"link{number}", 1500) for number in range(links))
    return PeerSettings("peer", (destination,), named)
