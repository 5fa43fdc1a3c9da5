"""Schedule: the keys that follow from what two nodes have agreed on (HKDF, RFC 5869, with SHA-256).

    secret = Extract(the caller's secret, the other's)
    chain of a direction, generation 0 = Expand(secret, direction); the next = Expand(this one, "next")
    a generation's secret = Expand(chain, "keys"); what a lane seals with = Expand(that, "lane" and its number)

Generations follow each other by the clock, on both sides from the moment of agreement on, so nothing has to be said.
A chain's old links are forgotten: who takes a node's memory cannot read what was sent some minutes before.
"""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

ROTATION: Final = 120.0
"""Seconds between two generations."""
NUMBERS: Final = 15
"""Generations that the header can tell apart; 0 is a frame in clear."""
AES_256_GCM: Final = 1
CHACHA20_POLY1305: Final = 2
CALLER: Final = b"alagg 2 from the caller"
CALLED: Final = b"alagg 2 to the caller"


class LaneKeys(NamedTuple):
    """What one lane seals its frames with, in one generation."""

    key: bytes
    """Of the cipher, 32 bytes."""
    iv: bytes
    """What the nonces are added to, 12 bytes."""
    link_key: bytes
    """Of the tags over what differs between copies, 32 bytes."""


class Chain:
    """One direction's generations: the one before, this one and the next are known."""

    def __init__(self, secret: bytes, direction: bytes) -> None:
        """Take what was agreed on, and the direction, `CALLER` or `CALLED`."""
        self.generation = 0
        self._link = _expand(secret, direction)
        self._before: bytes | None = None

    def advance(self, generation: int) -> None:
        """Go on to a generation; what lies more than one behind it is forgotten."""
        while self.generation < generation:
            self._before = self._link
            self._link = _next(self._link)
            self.generation += 1

    def current(self) -> tuple[int, bytes]:
        """Give what is sealed with: the number in the header, and the generation's secret."""
        return number(self.generation), _keys(self._link)

    def valid(self) -> list[tuple[int, bytes]]:
        """Give what may be opened with now: this generation, the one before, and the next, since clocks differ."""
        found = [] if self._before is None else [(number(self.generation - 1), _keys(self._before))]
        following = _next(self._link)
        return [*found, self.current(), (number(self.generation + 1), _keys(following))]


def agree(caller: bytes, called: bytes) -> bytes:
    """Give the secret that follows from both sides' own, 32 bytes each."""
    return hmac.digest(caller, called, "sha256")


def number(generation: int) -> int:
    """Give a generation's number in the header, 1 to 15."""
    return 1 + generation % NUMBERS


def generation_at(age: float) -> int:
    """Give the generation that is due so many seconds after the agreement."""
    return int(age // ROTATION)


def lane_keys(secret: bytes, lane: int) -> LaneKeys:
    """Give what a lane seals with in the generation of this secret."""
    made = _expand(secret, b"lane" + bytes([lane]), 76)
    return LaneKeys(made[:32], made[32:44], made[44:])


def _keys(link: bytes) -> bytes:
    return _expand(link, b"keys")


def _next(link: bytes) -> bytes:
    return _expand(link, b"next")


def _expand(secret: bytes, info: bytes, size: int = 32) -> bytes:
    return HKDFExpand(SHA256(), size, info).derive(secret)
