"""Handshake: TLS 1.3 between two nodes without sockets (RFC 8446); time is a number, pieces go in and come out.

Both sides show certificates. When each has accepted the other's, they exchange offers inside TLS: a random secret,
and what they can seal with. The one who was called sends its own only when it has accepted the caller.
"""

from __future__ import annotations

import ssl
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509

from alagg.keys import pieces, schedule, trust
from alagg.keys.ordered import Incoming, Outgoing
from alagg.keys.pieces import ANSWER, CALL, OVERHEAD, REFUSAL, RETRY, Piece

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = 15.0
"""Seconds after which a handshake that has not ended is given up."""
LINGER: Final = 10.0
"""Seconds for which it is remembered when it has ended: the other side may not know that yet."""
SIZE: Final = 1180
"""Bytes of a piece that every usual path carries (IPv6's smallest MTU)."""
SMALL: Final = 200
"""Bytes of a piece when larger ones seem to get lost: what the smallest link carries."""
PATIENT: Final = 3
"""Attempts after which pieces are cut small."""
VERSION: Final = 1
"""Of the offer."""
HAS_AES: Final = 1
"""Flag of the offer: the processor has AES, so it is the quicker cipher."""

_OFFER: Final = struct.Struct(">BB32s8s")


@dataclass(frozen=True)
class Agreed:
    """What came out of a handshake."""

    secret: bytes
    cipher: int
    """`AES_256_GCM` or `CHACHA20_POLY1305` of `alagg.keys.schedule`."""
    caller: bool
    """Whether this node began."""
    certificate: x509.Certificate
    life: bytes
    """The other side's random number of its life: another one means that it knows no earlier session."""


@dataclass(frozen=True)
class Side:
    """What one side of a handshake brings."""

    context: ssl.SSLContext
    knock: bytes
    judge: Callable[[x509.Certificate], int]
    """Says why a certificate is not the peer's; 0 when it is."""
    secret: bytes
    """32 random bytes."""
    life: bytes
    """8 random bytes, the same as long as the node runs."""
    has_aes: bool = True
    callers: bytes = pieces.NOBODY
    """The marks of the one who calls; for the one who is called, nothing."""


class Handshake:
    """One side of one handshake."""

    def __init__(self, number: int, side: Side, now: float, *, caller: bool) -> None:
        """Begin a handshake, or take one that somebody has begun under a random number of 64 bits."""
        self.number = number
        self.caller = caller
        self.agreed: Agreed | None = None
        """What came out, as soon as frames can be opened."""
        self.refusal = 0
        """Why it has ended without that: a number of `alagg.keys.trust.REFUSALS`."""
        self.refused_here = False
        """Whether it was this side that refused."""
        self.proven = caller
        """Whether frames are known to reach the other side."""
        self.cookie = pieces.NO_COOKIE
        """What is sent with each piece."""
        self.ends = now + PATIENCE
        self._side = side
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = side.context.wrap_bio(self._in, self._out, server_side=not caller)
        self._outgoing, self._incoming = Outgoing(), Incoming()
        self._offer = b""
        self._shaken = False
        self._owes = False
        """Whether the other side does not know yet what has come."""
        self._budget = 0
        """Bytes that may be sent while the other side has proved nothing: as many as came."""
        self._attempts = 0
        self._largest = 0 if caller else OVERHEAD
        """Bytes of the largest piece that came to the one who is called: larger ones may not get through."""
        if caller:
            self._go_on(now)

    @property
    def confirmed(self) -> bool:
        """Whether the other side has all that it needs to open frames."""
        return self.agreed is not None and (self.caller or self._outgoing.done)

    @property
    def over(self) -> bool:
        """Whether nothing more will come out."""
        return bool(self.refusal) or self.confirmed

    @property
    def due(self) -> float:
        """When `send` has something to do, or the handshake is to be forgotten."""
        return min(self.ends, float("-inf") if self._owes else self._outgoing.due)

    def hear(self, piece: Piece, size: int, now: float) -> None:
        """Take a piece of `size` bytes in all; whether its cookie proves something was found out before."""
        self._budget += size
        self._largest = max(self._largest, size)
        if piece.kind == RETRY:
            if self.caller and not self._incoming.came and piece.cookie != self.cookie:
                self.cookie = piece.cookie
                self._outgoing.again(now)
            return
        if piece.kind == REFUSAL:
            if not self.over and piece.data:
                self._end(piece.data[0] if piece.data[0] in trust.REFUSALS else trust.OTHER, now)
            return
        if self.caller:
            self.cookie = piece.cookie
        if self._outgoing.acknowledge(piece.came, now):
            self._attempts = 0
        self._owes |= bool(piece.data)
        fresh = self._incoming.take(piece.offset, piece.data)
        if fresh and not self.refusal:
            self._in.write(fresh)
            self._go_on(now)
        if self.confirmed:
            self.ends = min(self.ends, now + LINGER)

    def prove(self, now: float) -> None:
        """Take that frames reach the other side."""
        if not self.proven:
            self.proven = True
            self._outgoing.go_on(now)

    def send(self, now: float) -> list[bytes]:
        """Give the pieces that are to be sent now."""
        if self.refusal:
            owes, self._owes = self._owes, False
            if not owes or not self.refused_here:
                return []
            return self._within([self._piece(REFUSAL, data=bytes([self.refusal]))])
        lost = self._outgoing.due <= now and self._attempts >= PATIENT and not self._incoming.came
        size = SMALL if lost or self._attempts >= 2 * PATIENT else SIZE
        size = size if self.caller else min(size, max(self._largest, SMALL))
        budget = 64 if self.proven else self._budget // size
        parts = self._outgoing.cut(size - OVERHEAD, now, budget)
        self._attempts = self._attempts + 1 if parts else self._attempts
        fill = size if self.caller and not self._incoming.came else 0
        kind = CALL if self.caller else ANSWER
        made = [self._piece(kind, offset, data, fill) for offset, data in parts]
        if self._owes and not made:
            made = [self._piece(kind)]
        self._owes = False
        return self._within(made)

    def _within(self, made: list[bytes]) -> list[bytes]:
        """Leave out what would be more than came, while the other side has proved nothing."""
        if self.proven:
            return made
        allowed = []
        for one in made:
            if len(one) > self._budget:
                break
            self._budget -= len(one)
            allowed.append(one)
        return allowed

    def _piece(self, kind: int, offset: int = 0, data: bytes = b"", fill: int = 0) -> bytes:
        piece = Piece(kind, self.number, offset, self._incoming.came, self.cookie, self._side.callers, data)
        return pieces.encode(piece, self._side.knock, fill)

    def _go_on(self, now: float) -> None:
        try:
            self._shake(now)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._refuse(trust.reason_of(error), now)
        if not self.refusal:  # what OpenSSL would tell the other side then says less than the refusal
            self._outgoing.add(self._out.read(), now)

    def _shake(self, now: float) -> None:
        """Go on as far as what has come allows.

        Raises:
            ssl.SSLError: there is more to come, or it has failed.
        """
        if not self._shaken:
            self._tls.do_handshake()
            self._shaken = True
            self._accept(now)
        while not self.refusal and len(self._offer) < _OFFER.size:
            data = self._tls.read(_OFFER.size - len(self._offer))
            if not data:
                raise ssl.SSLError("the other side has closed TLS")
            self._offer += data
            if len(self._offer) == _OFFER.size:
                self._agree(now)

    def _accept(self, now: float) -> None:
        """Judge the other side, when TLS is done with it."""
        certificate = self._certificate()
        code = trust.NONE if certificate is None else self._side.judge(certificate)
        if self._tls.selected_alpn_protocol() != trust.PROTOCOL:
            code = trust.VERSION
        if code:
            self._refuse(code, now)
        elif self.caller:
            self._tls.write(self._own_offer())

    def _agree(self, now: float) -> None:
        version, flags, secret, life = _OFFER.unpack(self._offer)
        certificate = self._certificate()
        if version != VERSION or certificate is None:
            self._refuse(trust.VERSION, now)
            return
        if not self.caller:
            self._tls.write(self._own_offer())
        ours = self._side.secret
        both = schedule.agree(ours, secret) if self.caller else schedule.agree(secret, ours)
        aes = self._side.has_aes and flags & HAS_AES
        cipher = schedule.AES_256_GCM if aes else schedule.CHACHA20_POLY1305
        self.agreed = Agreed(both, cipher, self.caller, certificate, life)

    def _own_offer(self) -> bytes:
        return _OFFER.pack(VERSION, HAS_AES if self._side.has_aes else 0, self._side.secret, self._side.life)

    def _certificate(self) -> x509.Certificate | None:
        found = self._tls.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(found) if found else None

    def _refuse(self, code: int, now: float) -> None:
        """End the handshake, and owe the other side the reason."""
        self.refused_here = self._owes = True
        self._end(code, now)

    def _end(self, code: int, now: float) -> None:
        self.refusal = code
        self.agreed = None
        self._outgoing.stop()
        self.ends = min(self.ends, now + LINGER)
