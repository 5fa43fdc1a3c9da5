"""Pieces: parts of a handshake's bytes, as control frames carry them.

Each piece says of which exchange it is, where in its sender's stream of bytes it belongs, and how far the other
stream has come. Who does not know the certificate, or the authority, of the node that he speaks to cannot make one:
it ends with a code over all of it (HMAC-SHA-256, cut to 16 bytes) under what this knowledge gives.
"""

from __future__ import annotations

import hmac
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg.keys.trust import CALLERS, MARK

if TYPE_CHECKING:
    from collections.abc import Iterable

CALL: Final = 1
"""Kind of piece: from the one who began."""
ANSWER: Final = 2
"""Kind of piece: from the other one."""
RETRY: Final = 3
"""Kind of piece: begin again with this cookie; whoever sent it remembers nothing."""
REFUSAL: Final = 4
"""Kind of piece: the exchange has ended; its byte says why (`alagg.keys.trust.REFUSALS`)."""
KINDS: Final = frozenset((CALL, ANSWER, RETRY, REFUSAL))

HEAD: Final = struct.Struct(f">BQHHH8s{CALLERS * MARK}s")
CODE: Final = 16
"""Bytes of the code at the end."""
COOKIE: Final = 8
"""Bytes of a cookie."""
OVERHEAD: Final = HEAD.size + CODE
"""Bytes of a piece that carries nothing."""
NOBODY: Final = bytes(CALLERS * MARK)
NO_COOKIE: Final = bytes(COOKIE)


class Piece(NamedTuple):
    """A part of a handshake's bytes."""

    kind: int
    exchange: int
    """A random number of the exchange, 64 bits, drawn by the one who began."""
    offset: int = 0
    """Where the data belongs in its sender's stream of bytes."""
    came: int = 0
    """Bytes of the other stream that have come without a gap."""
    cookie: bytes = NO_COOKIE
    """From the one who was called: proves, when it is sent back, that frames reach the caller."""
    callers: bytes = NOBODY
    """Marks of the caller (`alagg.keys.trust.caller_marks`)."""
    data: bytes = b""


def encode(piece: Piece, knock: bytes, size: int = 0) -> bytes:
    """Give a piece's bytes, filled up to `size` with zeros."""
    head = HEAD.pack(
        piece.kind, piece.exchange, piece.offset, piece.came, len(piece.data), piece.cookie, piece.callers
    )  # fmt: skip
    text = (head + piece.data).ljust(size - CODE, b"\0")
    return text + _code(knock, text)


def decode(value: bytes, knocks: Iterable[bytes]) -> tuple[Piece, bytes] | None:
    """Read a piece under one of several knocks; give it with that one, or None when it is not made for us."""
    if len(value) < OVERHEAD:
        return None
    text, code = value[:-CODE], value[-CODE:]
    knock = next((one for one in knocks if hmac.compare_digest(_code(one, text), code)), None)
    if knock is None:
        return None
    kind, exchange, offset, came, length, cookie, callers = HEAD.unpack_from(text)
    data = text[HEAD.size : HEAD.size + length]
    if kind not in KINDS or len(data) < length:
        return None
    return Piece(kind, exchange, offset, came, cookie, callers, data), knock


def _code(knock: bytes, text: bytes) -> bytes:
    return hmac.digest(knock, text, "sha256")[:CODE]
