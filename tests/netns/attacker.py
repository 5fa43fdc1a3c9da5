"""An attacker on a link's segment: listens for a moment, then sends hostile frames of every kind at a steady pace.

It runs in the namespace between the hosts, as a program of its own, and prints how many frames of each kind it sent.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from google_crc32c import value as crc32c

from alagg.engine.header import DATA, PROBE, PROBE_REPLY, SIZE, decode, encode
from alagg.engine.sequence import HALF, MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alagg.engine.header import FrameValues

ETHERNET: Final = 14
ETHERTYPE: Final = b"\x88\xb5"
LISTEN: Final = 300
"""Frames of the good traffic that are listened to."""
PATIENCE: Final = 10.0
"""Seconds to wait for them."""
BURST: Final = 50
"""Frames that are sent in one go."""


@dataclass(frozen=True)
class Segment:
    """What the attacker knows: who talks to whom on the segment, and what it has heard from them."""

    prefix: bytes
    """The Ethernet header of the peer's frames."""
    heard: Sequence[bytes]
    """Whole frames of the peer that carry packets."""
    last: FrameValues
    """What the last of them said."""

    def wrapped(self, frame: bytes) -> bytes:
        """Put a frame behind the peer's Ethernet header."""
        return self.prefix + frame


# --- kinds of frames: each function makes one -----------------------------------------------------------------------


def garbage(random: Random, segment: Segment) -> bytes:
    return segment.wrapped(random.randbytes(random.randrange(1500)))


def garbage_behind_a_good_start(random: Random, segment: Segment) -> bytes:
    return segment.wrapped(bytes((0x10 | random.choice((DATA, PROBE, PROBE_REPLY)), 0)) + random.randbytes(200))


def truncated(random: Random, segment: Segment) -> bytes:
    frame = random.choice(segment.heard)
    return frame[: random.randrange(ETHERNET, len(frame))]


def damaged(random: Random, segment: Segment) -> bytes:
    frame = bytearray(random.choice(segment.heard))
    frame[random.randrange(ETHERNET, ETHERNET + SIZE)] ^= 1 << random.randrange(8)
    return bytes(frame)


def replayed(random: Random, segment: Segment) -> bytes:
    return random.choice(segment.heard)


def of_another_life(random: Random, segment: Segment) -> bytes:
    return _forged(random, segment, epoch=random.getrandbits(32), sequence=random.getrandbits(32))


def far_ahead(random: Random, segment: Segment) -> bytes:
    """Jump to the maximum, and to the farthest number that still lies ahead of the stream."""
    frame = segment.last
    return _forged(random, segment, epoch=frame[1], sequence=random.choice((MASK, (frame[3] + HALF - 1) & MASK)))


def in_any_lane(random: Random, segment: Segment) -> bytes:
    return _forged(random, segment, epoch=segment.last[1], sequence=segment.last[3], lane=random.randrange(1, 256))


def piece(random: Random, segment: Segment) -> bytes:
    """Begin packets of many pieces that never end."""
    return _forged(random, segment, epoch=random.getrandbits(32), sequence=random.getrandbits(32), place=(3, 255))


def probe(random: Random, segment: Segment) -> bytes:
    return _control(segment, PROBE, random.randbytes(8))


def reply(random: Random, segment: Segment) -> bytes:
    return _control(segment, PROBE_REPLY, random.randbytes(8))


def bad_cookie(random: Random, segment: Segment) -> bytes:
    return _control(segment, random.choice((PROBE, PROBE_REPLY)), random.randbytes(random.choice((0, 7, 9, 1000))))


def from_another_address(random: Random, segment: Segment) -> bytes:
    frame = random.choice(segment.heard)
    return frame[:6] + b"\x02" + random.randbytes(5) + frame[12:]


def to_another_address(random: Random, segment: Segment) -> bytes:
    return b"\x02" + random.randbytes(5) + random.choice(segment.heard)[6:]


def of_another_ethertype(random: Random, segment: Segment) -> bytes:
    frame = random.choice(segment.heard)
    return frame[:12] + b"\x88\xb6" + frame[14:]


COUNTED: Final[tuple[Callable[[Random, Segment], bytes], ...]] = (
    garbage, garbage_behind_a_good_start, truncated, damaged, replayed, of_another_life, far_ahead, in_any_lane,
    piece, probe, reply, bad_cookie,
)  # fmt: skip
"""What reaches the node, and must be counted there under a reason."""
FILTERED: Final[tuple[Callable[[Random, Segment], bytes], ...]] = (
    from_another_address, to_another_address, of_another_ethertype,
)  # fmt: skip
"""What the filter in the kernel keeps from the node."""


def _forged(
    random: Random, segment: Segment, *, epoch: int, sequence: int, lane: int = 0, place: tuple[int, int] = (0, 0)
) -> bytes:
    """Give a frame with a right checksum, as good as one of the peer's; its packet is from and to a stranger."""
    packet = bytes.fromhex("4500001c0000000040110000") + random.randbytes(8) + bytes(8)
    header = encode(DATA, epoch, lane, sequence, 0, 0, *place, len(packet), crc32c(packet))
    return segment.wrapped(header + packet)


def _control(segment: Segment, kind: int, cookie: bytes) -> bytes:
    return segment.wrapped(encode(kind, 1, 0, 0, 0, 0, 0, 0, len(cookie), crc32c(cookie)) + cookie)


# --- the program ----------------------------------------------------------------------------------------------------


def listen(wire: socket.socket, target: bytes) -> Segment:
    """Collect frames with packets that travel to the target."""
    heard: list[bytes] = []
    deadline = time.monotonic() + PATIENCE
    while len(heard) < LISTEN and select.select([wire], (), (), max(0.0, deadline - time.monotonic()))[0]:
        frame = wire.recv(65536)
        if frame[:6] == target and frame[12:14] == ETHERTYPE and frame[14] & 0x0F == DATA:
            heard.append(frame)
    return Segment(heard[0][:ETHERNET], heard, decode(heard[-1], ETHERNET))


def attack(wire: socket.socket, segment: Segment, count: int, rate: float, seed: int) -> dict[str, int]:
    """Send `count` frames, about `rate` a second; give how many of each kind."""
    random = Random(seed)
    kinds = (*COUNTED, *FILTERED)
    sent = dict.fromkeys((kind.__name__ for kind in kinds), 0)
    start = time.monotonic()
    for number in range(count):
        kind = kinds[number % len(kinds)]
        wire.send(kind(random, segment))
        sent[kind.__name__] += 1
        if number % BURST == 0:
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
    return sent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.netns.attacker", description=__doc__)
    parser.add_argument("interface", help="the attacker's interface on the segment")
    parser.add_argument("target", help="the MAC address of the host that is attacked")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=10_000, help="frames a second")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    target = bytes.fromhex(arguments.target.replace(":", ""))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as wire:
        wire.bind((arguments.interface, 0x0003))
        segment = listen(wire, target)
    # Another socket, which receives nothing: what it would hear costs time.
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((arguments.interface, 0))
        sent = attack(wire, segment, arguments.count, arguments.rate, arguments.seed)
    sys.stdout.write(json.dumps(sent) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
