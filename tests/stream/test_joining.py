"""Joining: who knows the secret joins, who saw everything does not."""

from __future__ import annotations

import asyncio
import os

import pytest

from alagg.stream.core.errors import ProtocolError, Refused, StreamError
from alagg.stream.joining import Hello, Membership, answer, ask, read_hello
from tests.stream.faces import run


class End:
    """One end of a pipe in memory, which records what was sent."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()
        self.other: End | None = None
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)
        if self.other is not None:
            self.other.reader.feed_data(data)

    async def exactly(self, size: int) -> bytes:
        return await self.reader.readexactly(size)


def pipe() -> tuple[End, End]:
    near, far = End(), End()
    near.other, far.other = far, near
    return near, far


async def respond(far: End, member: Membership | None) -> Membership:
    return await answer(far, await read_hello(far), member)


async def meet(
    asks: Membership | None, answers: Membership | None
) -> tuple[Membership | BaseException, Membership | BaseException, End, End]:
    near, far = pipe()
    first, second = await asyncio.gather(ask(near, asks), respond(far, answers), return_exceptions=True)
    return first, second, near, far


def test_a_new_connection_is_agreed_and_its_secret_never_sent() -> None:
    async def main() -> None:
        here, there, near, far = await meet(None, None)
        assert isinstance(here, Membership)
        assert here == there
        assert here.secret not in b"".join(near.sent + far.sent)
        again, _, _, _ = await meet(here, here)
        assert again == here

    run(main())


@pytest.mark.parametrize("known", [True, False])
def test_a_guessed_secret_or_id_is_refused_alike(*, known: bool) -> None:
    async def main() -> None:
        member = Membership(os.urandom(16), os.urandom(32))
        guess = Membership(member.identity, os.urandom(32))
        here, there, _, far = await meet(guess, member if known else None)
        assert isinstance(here, Refused)
        assert isinstance(there, Refused)
        assert far.sent[-1] == bytes(33)

    run(main())


def test_what_was_seen_cannot_be_used_again() -> None:
    async def main() -> None:
        member = Membership(os.urandom(16), os.urandom(32))
        _, _, near, _ = await meet(member, member)
        thief, far = pipe()
        for message in near.sent:
            thief.write(message)
        with pytest.raises(Refused):
            await respond(far, member)

    run(main())


def test_an_end_that_does_not_know_the_secret_is_noticed() -> None:
    async def main() -> None:
        member = Membership(os.urandom(16), os.urandom(32))
        near, far = pipe()
        far.write(bytes(48))
        far.write(b"\x01" + bytes(32))
        with pytest.raises(ProtocolError) as caught:
            await ask(near, member)
        assert caught.value.reason == "wrong-proof"

    run(main())


def test_a_key_that_nothing_can_be_agreed_with_is_named() -> None:
    async def main() -> None:
        with pytest.raises(ProtocolError) as caught:
            await answer(End(), Hello(0, bytes(16), bytes(32), b""), None)
        assert caught.value.reason == "bad-key"

    run(main())


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (b"GET / HTTP/1.1".ljust(54), "no-stream"),
        (b"ALST\x02".ljust(54, b"\0"), "version"),
        (b"ALST\x01\x07", "no-stream"),
    ],
)
def test_strangers_are_named(hello: bytes, reason: str) -> None:
    async def main() -> None:
        near, far = pipe()
        near.write(hello.ljust(54, b"\0"))
        with pytest.raises(StreamError) as caught:
            await read_hello(far)
        assert caught.value.reason == reason

    run(main())
