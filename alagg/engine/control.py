"""Control frames: what two nodes tell each other about themselves and about what they see of each other's frames.

A payload is a version and items of (kind, length, value), each value a fixed structure or a short list. What is
unknown is skipped, what is damaged ends the reading and is counted: nothing here makes a receiver do or keep more
than a bound.
`docs/protocol.md`, Control frames, has the tables.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alagg.engine.header import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alagg.engine.addresses import Network

CONTROL_VERSION: Final = 1
"""The version of what stands in a control frame."""
HELLO: Final = 1
"""Kind of item: who sends, and what to expect of him."""
REPORT: Final = 2
"""Kind of item: what came of the frames of one of the receiver's lanes over this link."""
TAKES: Final = 3
"""Kind of item: networks of the receiver whose packets the sender takes (its `destinations`)."""
OWNS: Final = 4
"""Kind of item: networks of the sender to which packets may go."""
REFUSES: Final = 5
"""Kind of item: source and destination of packets of the receiver that the sender has refused of late, in turns."""

MAX_ITEMS: Final = 64
"""Items of one frame that are read."""
MAX_NETWORKS: Final = 32
"""Networks of one list; a longer one is told only in part, and says so."""
MAX_MISSING: Final = 16
"""Ranges of missing numbers in one report, the newest ones."""
SCHEDULERS: Final = ("redundant", "round-robin", "weighted", "latency", "adaptive")
"""The schedulers by their numbers in HELLO; 255 is none of them."""
MEASURING: Final = frozenset((3, 4))
"""Those of them that go by what reports say, and want them more often."""

_ITEM: Final = struct.Struct(">BH")
_HELLO: Final = struct.Struct(">BBIBBBBBIII")
_REPORT: Final = struct.Struct(">BBIIIQIIB")
_RANGE: Final = struct.Struct(">IH")


class ControlError(ValueError):
    """A control frame whose content is damaged or beyond its bounds."""


@dataclass(frozen=True)
class Hello:
    """Who sends, and what to expect."""

    oldest: int = VERSION
    """The oldest version of the frame that the sender reads."""
    newest: int = VERSION
    features: int = 0
    """Bits of what it can do besides; none is defined yet."""
    workers: int = 1
    links: int = 1
    """How many links it has to the receiver."""
    scheduler: int = 255
    """A place in `SCHEDULERS`, or 255."""
    copies: int = 0
    """How many copies it sends of each packet; 0 for one on each link."""
    far_link: int = 255
    """The receiver's number for this link, as far as the sender knows; 255 while it does not."""
    mtu: int = 0
    """Bytes of the largest frame that its interface takes."""
    probe_interval: int = 100_000
    """Microseconds between two of its probes."""
    digest: int = 0
    """Changes whenever what stands in its HELLO does, this number apart."""


@dataclass(frozen=True)
class Report:
    """What came of the frames of one lane over this link."""

    lane: int
    """The receiver's lane that this is about."""
    link_id: int
    """The receiver's number for the link."""
    epoch: int
    highest: int
    """The highest link sequence that came."""
    received: int
    """Frames that came in this epoch, modulo 2**32."""
    received_bytes: int
    age: int
    """Microseconds since the highest one came."""
    arrived: int = 0
    """When it came, in microseconds of the reporter's clock, modulo 2**32."""
    missing: tuple[tuple[int, int], ...] = ()
    """Ranges of numbers that have not come: the first, and how many (at most 65,535)."""


Item = Hello | Report | tuple[int, "tuple[Network, ...]"]
"""What a frame may hold; networks with their kind, `TAKES`, `OWNS` or `REFUSES`."""


def encode(items: Sequence[Item]) -> bytes:
    """Give the payload of a control frame with these items."""
    return bytes([CONTROL_VERSION]) + b"".join(map(_encode, items))


def decode(payload: bytes) -> list[Item]:
    """Read a control frame's payload; unknown kinds are left out.

    Raises:
        ControlError: it is of another version, cut, or beyond its bounds.
    """
    if payload[:1] != bytes([CONTROL_VERSION]):
        raise ControlError("unknown version")
    return list(_decode(payload))


def scheduler_number(name: str) -> int:
    """Give a scheduler's number in HELLO."""
    return SCHEDULERS.index(name) if name in SCHEDULERS else 255


def scheduler_name(number: int) -> str:
    """Give the name that goes with a number in HELLO."""
    return SCHEDULERS[number] if number < len(SCHEDULERS) else "unknown"


def _encode(item: Item) -> bytes:
    if isinstance(item, Hello):
        kind, value = HELLO, _HELLO.pack(
            item.oldest, item.newest, item.features, item.workers, item.links, item.scheduler, item.copies,
            item.far_link, item.mtu, item.probe_interval, item.digest,
        )  # fmt: skip
    elif isinstance(item, Report):
        kind, value = REPORT, _encode_report(item)
    else:
        kind, value = item[0], _encode_networks(item[1])
    return _ITEM.pack(kind, len(value)) + value


def _encode_report(report: Report) -> bytes:
    missing = report.missing[-MAX_MISSING:]
    head = _REPORT.pack(
        report.lane, report.link_id, report.epoch, report.highest, report.received, report.received_bytes, report.age,
        report.arrived, len(missing),
    )  # fmt: skip
    return head + b"".join(_RANGE.pack(first, count) for first, count in missing)


def _encode_networks(networks: Sequence[Network]) -> bytes:
    told = networks[:MAX_NETWORKS]
    parts = (bytes([one.version, one.prefixlen]) + one.network_address.packed for one in told)
    return bytes([len(told) < len(networks)]) + b"".join(parts)


def _decode(payload: bytes) -> Iterator[Item]:
    at = 1
    for _ in range(MAX_ITEMS):
        if at == len(payload):
            return
        if at + _ITEM.size > len(payload):
            raise ControlError("cut")
        kind, length = _ITEM.unpack_from(payload, at)
        at += _ITEM.size
        value = payload[at : at + length]
        at += length
        if len(value) < length:
            raise ControlError("cut")
        item = _item(kind, value)
        if item is not None:
            yield item
    if at != len(payload):
        raise ControlError("too many items")


def _item(kind: int, value: bytes) -> Item | None:
    if kind == HELLO:
        if len(value) < _HELLO.size:  # a later version may say more behind it
            raise ControlError("short hello")
        return Hello(*_HELLO.unpack_from(value))
    if kind == REPORT:
        return _decode_report(value)
    if kind in (TAKES, OWNS, REFUSES):
        return kind, tuple(_decode_networks(value))
    return None


def _decode_report(value: bytes) -> Report:
    if len(value) < _REPORT.size:
        raise ControlError("short report")
    lane, link_id, epoch, highest, received, received_bytes, age, arrived, count = _REPORT.unpack_from(value)
    if count > MAX_MISSING or len(value) < _REPORT.size + count * _RANGE.size:
        raise ControlError("bad report")
    ranges = (_RANGE.unpack_from(value, _REPORT.size + index * _RANGE.size) for index in range(count))
    return Report(lane, link_id, epoch, highest, received, received_bytes, age, arrived, tuple(ranges))


def _decode_networks(value: bytes) -> Iterator[Network]:
    """Read a list; one that is told only in part reads as everything, since nothing may be concluded from it."""
    if not value or value[0]:
        yield from (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
        return
    at = 1
    for _ in range(MAX_NETWORKS):
        if at == len(value):
            return
        size = {4: 4, 6: 16}.get(value[at], 0)
        if not size or at + 2 + size > len(value):
            raise ControlError("bad network")
        address = ipaddress.ip_address(value[at + 2 : at + 2 + size])
        try:
            yield ipaddress.ip_network((address, value[at + 1]))
        except ValueError:
            raise ControlError("bad network") from None
        at += 2 + size
    if at != len(value):
        raise ControlError("too many networks")
