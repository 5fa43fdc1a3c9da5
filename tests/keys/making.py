"""Nodes with keys and certificates for tests, and a wire between their handshakes in virtual time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from alagg.keys import files, identity, trust
from alagg.keys.exchanges import Exchanges

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cryptography import x509

    from alagg.keys.identity import Authority
    from alagg.keys.trust import Own, Trust

STEP = 0.01
"""Seconds that a frame takes from one node to the other."""


class Made(NamedTuple):
    """A node's files."""

    own: Own
    certificate: Path


def node(
    directory: Path, name: str, authority: Authority | None = None, chain: Sequence[x509.Certificate] = ()
) -> Made:
    """Make a node's key and certificate."""
    key = identity.new_key()
    certificate = identity.host(name, key, authority, identity.now())
    return write(directory, name, key, certificate, *chain)


def write(directory: Path, name: str, key: object, *chain: x509.Certificate) -> Made:
    """Write a node's key and certificate."""
    files.write_key(directory / f"{name}.key", key)  # type: ignore[arg-type]
    files.write_certificate(directory / f"{name}.crt", *chain)
    return Made(trust.read_own(directory / f"{name}.key", directory / f"{name}.crt"), directory / f"{name}.crt")


class Wire:
    """Two nodes, `left` and `right`, and what is between them."""

    def __init__(self, left: Exchanges, right: Exchanges) -> None:
        self.left, self.right = left, right
        self.now = 0.0
        self.frames = 0
        self.meddle: Callable[[bytes], Sequence[bytes]] = lambda value: (value,)
        """What becomes of a frame on its way."""
        self.told: list[str] = []
        self._flying: list[tuple[float, Exchanges, str, bytes]] = []

    def run(self, seconds: float, *, step: float = STEP) -> None:
        """Let time pass."""
        for _ in range(round(seconds / step)):
            self.now += step
            self.round()

    def jump(self, until: float) -> None:
        """Let time pass from one deadline to the next."""
        while self.now < until:
            due = min(self.left.due(self.now), self.right.due(self.now), *(at for at, *_ in self._flying), until)
            self.now = max(due, self.now + 1e-4)
            self.round()

    def round(self) -> None:
        """Deliver what is due, and take what is to be sent."""
        due, self._flying = [one for one in self._flying if one[0] <= self.now], [
            one for one in self._flying if one[0] > self.now
        ]
        for _, receiver, peer, value in due:
            receiver.hear(peer, "a", peer.encode(), value, self.now)
        for node, other, name in ((self.left, self.right, "left"), (self.right, self.left, "right")):
            node.tick(self.now)
            self.told += [f"{name}: {one.peer} {one.text}" for one in node.told]
            node.told.clear()
            out, node.out = node.out, []
            for say in out:
                self.frames += 1
                self._flying += [(self.now + STEP, other, name, value) for value in self.meddle(say.value)]

    def agree(self) -> bool:
        """Tell whether each opens what the other one seals."""
        left, right = self.left.keys("right"), self.right.keys("left")
        opens = [[(number, secret) for number, _, secret in keys.opens] for keys in (left, right)]
        sealed = left.seals[0] > 0 and right.seals[0] > 0
        return sealed and left.cipher == right.cipher and left.seals in opens[1] and right.seals in opens[0]


def exchanges(own: Own, peer: str, trusted: Trust, *, has_aes: bool = True) -> Exchanges:
    """Give the handshakes of a node with one peer."""
    made = Exchanges(own, os.urandom, 0.0, has_aes=has_aes)
    made.update(own, {peer: trusted}, 0.0)
    return made


def pinned(directory: Path) -> Wire:
    """Give two nodes that have each other's certificate."""
    left, right = node(directory, "left"), node(directory, "right")
    return Wire(
        exchanges(left.own, "right", trust.read_pinned(right.certificate)),
        exchanges(right.own, "left", trust.read_pinned(left.certificate)),
    )
