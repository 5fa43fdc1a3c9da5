"""The codec of the Alagg header, version 2: written and read with `struct`, or in C, fast enough for the packet path.

`alagg.engine.specification` says the same once more, with construct, to be read; property tests hold both against
each other. `write` and `parse` work on the headers of a batch in one piece, `encode` and `decode` on a single frame.
`docs/protocol.md` has the picture, the rules and the test vectors.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import cython

from alagg.engine.crc import crc32c

VERSION: Final = 2
"""The version of the protocol."""

DATA: Final = 1
"""Frame type: the payload is an IP packet, or one piece of it."""
PROBE: Final = 2
"""Frame type: asks the peer to answer on the same link; the payload is a cookie of 8 bytes, and zeros behind it."""
PROBE_REPLY: Final = 3
"""Frame type: the answer to a probe; the payload is the probe's cookie, unchanged."""
CONTROL: Final = 4
"""Frame type: what two nodes tell each other (`alagg.engine.control`)."""
TYPES: Final = frozenset((DATA, PROBE, PROBE_REPLY, CONTROL))
"""The types that a receiver understands. All others are counted and dropped."""

SIZE: Final = 24
"""Bytes of the header, checksum included."""
MAX_PAYLOAD: Final = 0xFFFF
"""Largest payload length that the header can say."""
MAX_PIECES: Final = 256
"""Largest number of pieces that one packet can be split into."""
LANES: Final = 16
"""Number spaces of one sender: the header has four bits for them."""
COOKIE_SIZE: Final = 8
"""Bytes of a probe's cookie."""

# The same again for the packet path: header.pxd makes these C numbers, which other modules cannot see.
_VERSION: Final = VERSION
_FIRST_TYPE: Final = min(TYPES)
_LAST_TYPE: Final = max(TYPES)
_SIZE: Final = SIZE

if not cython.compiled:  # header.pxd has the same in C
    _pack = struct.Struct(">BBHIIBBBBI").pack
    _unpack = struct.Struct(">BBHIIBBBBII").unpack_from

    def _checksum(payload_checksum: int, fields: bytes) -> int:
        return crc32c(payload_checksum, fields, 0, 20)

    def _verified(content: int, headers: bytes, at: int) -> int:
        return crc32c(content, headers, at, at + 20)

    def _store(headers: bytearray, at: int, fields: bytes, checksum: int) -> None:
        headers[at : at + _SIZE] = fields + checksum.to_bytes(4, "big")


class Frame(NamedTuple):
    """The values of one frame, in the order in which `decode` gives them."""

    type: int
    """`DATA`, `PROBE`, `PROBE_REPLY` or `CONTROL`."""
    epoch: int
    """The number of the sender's session, 32 bits: random, anew at each start."""
    lane: int
    """The number space that `sequence` counts in, 0 to 15."""
    sequence: int
    """The number of the packet (or piece) in its lane, modulo 2**32; 0 in frames that carry no packet."""
    link_id: int
    """The sender's number for the link, 8 bits."""
    link_sequence: int
    """The number of the frame on its link and lane, modulo 2**32."""
    piece: int
    """Which piece of a split packet this is, from 0; pieces have consecutive sequences."""
    last_piece: int
    """The number of the packet's last piece; 0 for a packet in one piece."""
    payload: bytes
    """What the frame carries, without the link's padding."""


FrameValues = tuple[int, int, int, int, int, int, int, int, bytes]
"""A `Frame` as a bare tuple."""


class MalformedFrameError(ValueError):
    """A frame that must not be looked at any further; `reason` names the counter that it belongs to."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"malformed frame: {reason}")
        self.reason = reason


MALFORMED_REASONS: Final = (
    "truncated",
    "unknown_version",
    "unknown_type",
    "unknown_flags",
    "unknown_key",
    "unknown_class",
    "bad_length",
    "bad_piece",
    "bad_checksum",
)
"""Every reason that `decode` gives, in the order in which it looks."""


def write(
    headers: bytearray,
    at: int,
    frame_type: int,
    epoch: int,
    lane: int,
    sequence: int,
    link_id: int,
    link_sequence: int,
    piece: int,
    last_piece: int,
    payload_length: int,
    payload_checksum: int,
) -> None:
    """Write the header of one frame among those of a batch.

    Args:
        headers: where it goes.
        at: its offset; the `SIZE` bytes from there on are there already.
        payload_length: bytes of the payload, 0 to `MAX_PAYLOAD`.
        payload_checksum: CRC-32C of the payload; computed once, it serves all copies.
    """
    fields = _pack(
        _VERSION << 4 | frame_type,
        0,
        payload_length,
        epoch,
        sequence,
        lane,
        piece,
        last_piece,
        link_id,
        link_sequence,
    )
    _store(headers, at, fields, _checksum(payload_checksum, fields))


def encode(
    frame_type: int,
    epoch: int,
    lane: int,
    sequence: int,
    link_id: int,
    link_sequence: int,
    piece: int,
    last_piece: int,
    payload_length: int,
    payload_checksum: int,
) -> bytes:
    """Give the header of one frame; the arguments are those of `write`."""
    header = bytearray(SIZE)
    write(
        header, 0, frame_type, epoch, lane, sequence, link_id, link_sequence, piece, last_piece, payload_length,
        payload_checksum,
    )  # fmt: skip
    return bytes(header)


def parse(headers: bytes, at: int, payload: bytes) -> tuple[int, int, int, int, int, int, int, int, int, int]:
    """Parse and verify one frame of a batch.

    Args:
        headers: the headers of the batch.
        at: where this one begins; it lies within them.
        payload: what came behind it, with the link's padding.

    Returns:
        The values of `Frame`, in its order, but for the payload: of that the length, at most what there is, and the
        CRC-32C, by which copies are told from other packets that claim the same number.

    Raises:
        MalformedFrameError: the frame is damaged or not understood; nothing of it may be used.
    """
    (version_type, flags_key, length, epoch, sequence, lane, piece, last_piece, link_id, link_sequence, checksum) = (
        _unpack(headers, at)
    )
    frame_type = version_type & 0x0F
    if version_type >> 4 != _VERSION:
        raise MalformedFrameError("unknown_version")
    if not _FIRST_TYPE <= frame_type <= _LAST_TYPE:
        raise MalformedFrameError("unknown_type")
    if flags_key:
        raise MalformedFrameError("unknown_flags" if flags_key >> 4 else "unknown_key")
    if lane >> 4:
        raise MalformedFrameError("unknown_class")
    if length > len(payload):
        raise MalformedFrameError("bad_length")
    if piece > last_piece:
        raise MalformedFrameError("bad_piece")
    content = crc32c(0, payload, 0, length)
    if _verified(content, headers, at) != checksum:
        raise MalformedFrameError("bad_checksum")
    return frame_type, epoch, lane, sequence, link_id, link_sequence, piece, last_piece, length, content


def decode(data: bytes, offset: int = 0) -> FrameValues:
    """Parse and verify the frame that starts at `offset`; its values come in the order of `Frame`.

    Bytes after the payload are the link's padding and are left out.

    Raises:
        MalformedFrameError: the frame is damaged or not understood; nothing of it may be used.
    """
    if len(data) - offset < _SIZE:
        raise MalformedFrameError("truncated")
    payload = data[offset + _SIZE :]
    *values, length, _ = parse(data, offset, payload)
    return (*values, payload[:length])  # type: ignore[return-value]
