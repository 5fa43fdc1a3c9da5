"""The Alagg header: its specification, and the fast codec that follows it.

`HEADER` is the specification, written once with construct; it is what the documentation, the tools and the
tests read. `pack` and `Header.parse` do the same with `struct`, fast enough for the packet path; property tests
hold the two against each other. `docs/protocol.md` has the picture, the rules and the test vectors.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import construct
from google_crc32c import extend as crc32c

VERSION: Final = 1
"""The only version of the protocol so far."""

DATA: Final = 1
"""Frame type: the payload is an IP packet, or one piece of it."""
PROBE: Final = 2
"""Frame type: asks the peer to answer on the same link; the payload is a cookie of 8 bytes."""
PROBE_REPLY: Final = 3
"""Frame type: the answer to a probe; the payload is the probe's cookie, unchanged."""
TYPES: Final = frozenset((DATA, PROBE, PROBE_REPLY))
"""The types that a receiver understands. All others are counted and dropped."""

SIZE: Final = 24
"""Bytes of the header, checksum included."""
MAX_PAYLOAD: Final = 0xFFFF
"""Largest payload length that the header can say."""
MAX_PIECES: Final = 256
"""Largest number of pieces that one packet can be split into."""
COOKIE_SIZE: Final = 8
"""Bytes of a probe's payload."""

HEADER: Final = construct.Struct(
    "version_type"
    / construct.BitStruct("version" / construct.BitsInteger(4), "type" / construct.BitsInteger(4)),
    "flags" / construct.Const(0, construct.Int8ub),
    "payload_length" / construct.Int16ub,
    "epoch" / construct.Int32ub,
    "sequence" / construct.Int32ub,
    "link_sequence" / construct.Int32ub,
    "lane" / construct.Int8ub,
    "link_id" / construct.Int8ub,
    "piece" / construct.Int8ub,
    "last_piece" / construct.Int8ub,
    "checksum" / construct.Int32ub,
)
"""The specification of the header (big-endian). The checksum is CRC-32C (RFC 9260, appendix A) over the
payload followed by the header's first 20 bytes: in this order the copies of a packet share the payload's part."""

_FIELDS = struct.Struct(">BBHIIIBBBB")
_CHECKSUM = struct.Struct(">I")
_WHOLE = struct.Struct(">BBHIIIBBBBI")


class Header(NamedTuple):
    """The values of one frame's header."""

    type: int
    """`DATA`, `PROBE` or `PROBE_REPLY`."""
    payload_length: int
    """Bytes after the header that belong to the frame; what follows them is the link's padding."""
    epoch: int
    """A random number of the sender's life, 32 bits."""
    lane: int
    """The number space that `sequence` counts in, 8 bits."""
    sequence: int
    """The number of the packet (or piece) in its lane, modulo 2**32; 0 for frames that carry none."""
    link_id: int
    """The sender's number for the link, 8 bits."""
    link_sequence: int
    """The number of the frame on its link and lane, modulo 2**32."""
    piece: int = 0
    """Which piece of a split packet this is, from 0; pieces have consecutive sequences."""
    last_piece: int = 0
    """The number of the packet's last piece; 0 for a packet in one piece."""
