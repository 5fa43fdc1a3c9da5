"""How a link joins a connection, so that only the two ends of the connection can add links to it.

| message | body |
|---|---|
| hello, from who connects | `ALST`, version (1), 0: new or 1: existing connection (1), its id (16), value (32) |
| welcome | id (16), value (32) |
| proof, from who connects | HMAC-SHA-256 (32) |
| verdict | 1: joined, 0: refused (1), HMAC-SHA-256 (32) |

For a new connection the values are X25519 public keys (RFC 7748), and the secret of the connection is HKDF-SHA-256
(RFC 5869) of what they agree on, with the hash of hello and welcome as salt. For an existing one they are random, and
the proofs show who knows its secret. A proof covers hello and welcome, so none can be used again.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from struct import Struct
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from alagg.stream.core.errors import ProtocolError, Refused

MAGIC: Final = b"ALST"
VERSION: Final = 1
NEW: Final = 0
EXISTING: Final = 1
NO_ID: Final = bytes(16)
TIME: Final = 10.0
"""Seconds that joining may take."""
_HELLO: Final = Struct("!4sBB16s32s")
_WELCOME: Final = Struct("!16s32s")
_VERDICT: Final = Struct("!B32s")


class Pipe(Protocol):
    """What joining needs of a link."""

    def write(self, data: bytes) -> None:
        """Send."""

    async def exactly(self, size: int) -> bytes:
        """Receive."""


class Membership(NamedTuple):
    """What both ends of a connection know, and nobody else."""

    identity: bytes
    secret: bytes


class Hello(NamedTuple):
    """The first message, taken apart."""

    kind: int
    identity: bytes
    value: bytes
    raw: bytes


def _proof(secret: bytes, side: bytes, transcript: bytes) -> bytes:
    return hmac.digest(secret, side + transcript, "sha256")


def _public(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _agree(key: X25519PrivateKey, other: bytes, transcript: bytes) -> bytes:
    try:
        shared = key.exchange(X25519PublicKey.from_public_bytes(other))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ProtocolError("bad-key", "a public key that nothing can be agreed with") from error
    return HKDF(SHA256(), 32, hashlib.sha256(transcript).digest(), b"alagg stream 1").derive(shared)


async def ask(pipe: Pipe, member: Membership | None) -> Membership:
    """Join the connection, or a new one where `member` is None.

    Raises:
        Refused: the other end does not know it, or wants no more links.
        ProtocolError: what answers is no alagg stream, or does not know the secret.
    """
    key = X25519PrivateKey.generate() if member is None else None
    hello = _HELLO.pack(
        MAGIC, VERSION, NEW if member is None else EXISTING,
        NO_ID if member is None else member.identity,
        os.urandom(32) if key is None else _public(key),
    )  # fmt: skip
    pipe.write(hello)
    welcome = await pipe.exactly(_WELCOME.size)
    identity, value = _WELCOME.unpack(welcome)
    transcript = hello + welcome
    if key is not None:
        member = Membership(identity, _agree(key, value, transcript))
    assert member is not None
    pipe.write(_proof(member.secret, b"asks", transcript))
    joined, proof = _VERDICT.unpack(await pipe.exactly(_VERDICT.size))
    if not joined:
        raise Refused("the other end refused the link")
    if not hmac.compare_digest(proof, _proof(member.secret, b"answers", transcript)):
        raise ProtocolError("wrong-proof", "the other end does not know the connection's secret")
    return member


async def read_hello(pipe: Pipe) -> Hello:
    """Take the first message.

    Raises:
        ProtocolError: `no-stream` or `version`.
    """
    raw = await pipe.exactly(_HELLO.size)
    magic, version, kind, identity, value = _HELLO.unpack(raw)
    if magic != MAGIC or kind not in (NEW, EXISTING):
        raise ProtocolError("no-stream", "what connects is no alagg stream")
    if version != VERSION:
        raise ProtocolError("version", f"version {version} of joining, where {VERSION} is known")
    return Hello(kind, identity, value, raw)


async def answer(pipe: Pipe, hello: Hello, member: Membership | None) -> Membership:
    """Let a link join; `member` is None for a new connection, and for one that is not known.

    Who does not know the secret sees no difference between a wrong proof and an id that is not known. The verdict
    is `accept` or `refuse`.

    Raises:
        ProtocolError: `bad-key`.
        Refused: the proof is wrong.
    """
    key = X25519PrivateKey.generate() if hello.kind == NEW else None
    identity = os.urandom(16) if hello.kind == NEW else hello.identity
    welcome = _WELCOME.pack(identity, os.urandom(32) if key is None else _public(key))
    transcript = hello.raw + welcome
    secret = os.urandom(32) if member is None else member.secret
    if key is not None:
        secret = _agree(key, hello.value, transcript)
    pipe.write(welcome)
    proof = await pipe.exactly(32)
    if not hmac.compare_digest(proof, _proof(secret, b"asks", transcript)):
        refuse(pipe)
        raise Refused("a link with a wrong proof, or for a connection that is not known")
    pipe.write(_VERDICT.pack(1, _proof(secret, b"answers", transcript)))
    return Membership(identity, secret)


def refuse(pipe: Pipe) -> None:
    """Say that the link may not join."""
    pipe.write(_VERDICT.pack(0, bytes(32)))


async def turn_away(pipe: Pipe) -> None:
    """Refuse a link, whatever it could prove.

    Raises:
        ConnectionError: it broke before it could hear so.
    """
    pipe.write(os.urandom(_WELCOME.size))
    await pipe.exactly(32)
    refuse(pipe)
