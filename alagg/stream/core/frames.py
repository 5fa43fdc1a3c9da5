"""The frames that cross a link: one word of type and length, then the body.

| type | body |
|---|---|
| 1 DATA | offset (8), at most 64 KiB of the stream |
| 2 FIN | offset (8): the direction ends here; takes one number, as a byte would |
| 3 ACK | how many DATA and FIN frames came on this link (8), how far the stream is whole (8), how far it may go (8) |
| 4 PING, 5 PONG | a token (8), which comes back |
| 6 HOLD | 1: send no data on this link; 0: do (1) |
| 7 LEAVE | nothing: the link is being removed |
| 8 END | a code (1), text in UTF-8 (at most 200): the connection is over |

All numbers are unsigned, most significant byte first.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from alagg.stream.core.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA: Final = 1
FIN: Final = 2
ACK: Final = 3
PING: Final = 4
PONG: Final = 5
HOLD: Final = 6
LEAVE: Final = 7
END: Final = 8

MAX_PAYLOAD: Final = 1 << 16
"""Bytes of the stream in one frame."""
MAX_TEXT: Final = 200
"""Bytes of text in END."""
MAX_NUMBER: Final = (1 << 64) - 1
OVERHEAD: Final = 12
"""Bytes that a DATA frame adds to its payload."""
LENGTHS: Final = {
    DATA: (9, 8 + MAX_PAYLOAD),
    FIN: (8, 8),
    ACK: (24, 24),
    PING: (8, 8),
    PONG: (8, 8),
    HOLD: (1, 1),
    LEAVE: (0, 0),
    END: (1, 1 + MAX_TEXT),
}
"""For each type the least and the greatest length of its body."""

WORD: Final = Struct("!I")
NUMBER: Final = Struct("!Q")
_NUMBERED: Final = Struct("!IQ")
_ACK: Final = Struct("!IQQQ")
ACK_BODY: Final = Struct("!QQQ")


def data_header(offset: int, size: int) -> bytes:
    """Give what stands before `size` bytes of the stream that begin at `offset`."""
    return _NUMBERED.pack(DATA << 24 | 8 + size, offset)


def numbered(kind: int, number: int) -> bytes:
    """Build a FIN, PING or PONG."""
    return _NUMBERED.pack(kind << 24 | 8, number)


def ack(count: int, whole: int, limit: int) -> bytes:
    """Build an ACK."""
    return _ACK.pack(ACK << 24 | 24, count, whole, limit)


def hold(on: int) -> bytes:
    """Build a HOLD: 1 or 0."""
    return WORD.pack(HOLD << 24 | 1) + bytes((on,))


def leave() -> bytes:
    """Build a LEAVE."""
    return WORD.pack(LEAVE << 24)


def end(code: int, text: str) -> bytes:
    """Build an END; text that is too long is cut."""
    encoded = text.encode()[:MAX_TEXT]
    return WORD.pack(END << 24 | 1 + len(encoded)) + bytes((code,)) + encoded


def _check(kind: int, length: int) -> None:
    bounds = LENGTHS.get(kind)
    if bounds is None:
        raise ProtocolError("unknown-frame", f"a frame of type {kind}")
    if not bounds[0] <= length <= bounds[1]:
        raise ProtocolError("frame-length", f"a frame of type {kind} with {length} bytes")


class Decoder:
    """Cuts the bytes of one link into frames; holds at most one that is incomplete."""

    def __init__(self) -> None:
        """Begin at a frame's border."""
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Take bytes and give the type and the body of each frame that they complete.

        Raises:
            ProtocolError: `unknown-frame` or `frame-length`, as soon as the first four bytes show it.
        """
        rest = self._rest
        rest += data
        at = 0
        try:
            while len(rest) - at >= 4:
                (word,) = WORD.unpack_from(rest, at)
                kind, length = word >> 24, word & 0xFFFFFF
                _check(kind, length)
                if len(rest) - at < 4 + length:
                    break
                at += 4 + length
                yield kind, bytes(memoryview(rest)[at - length : at])
        finally:
            del rest[:at]
