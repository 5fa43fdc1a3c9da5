"""The pump: back-pressure both ways, an end in good order and by force, whatever the medium raises."""

from __future__ import annotations

import asyncio

import pytest

from alagg.stream.pump import PIECE, Pump
from tests.stream.faces import run, until
from tests.stream.test_transport import Recorder


class Pipes:
    """A medium of two queues that notes that it was closed."""

    def __init__(self) -> None:
        self.incoming = asyncio.Queue[bytes]()
        self.outgoing = asyncio.Queue[bytes](1)
        self.closed = 0
        self.protocol = Recorder()
        self.pump = Pump("a pipe", self.incoming.get, self.outgoing.put, self.close)
        self.pump.start(self.protocol)

    async def close(self) -> None:
        self.closed += 1


def test_bytes_go_both_ways_and_the_end_is_told_once() -> None:
    async def main() -> None:
        pipes = Pipes()
        pipes.pump.write(b"out")
        assert await pipes.outgoing.get() == b"out"
        for piece in (b"in", b""):
            pipes.incoming.put_nowait(piece)
        await until(lambda: pipes.closed)
        assert pipes.protocol.seen == ["made", b"in", ("lost", None)]
        assert pipes.pump.get_extra_info("peername") == "a pipe"
        assert pipes.pump.is_closing()

    run(main())


def test_a_full_medium_pauses_who_writes() -> None:
    async def main() -> None:
        pipes = Pipes()
        pipes.pump.set_write_buffer_limits(high=2 * PIECE)
        pipes.pump.write(bytes(4 * PIECE))
        assert pipes.protocol.seen == ["made", "pause"]
        for _ in range(4):
            assert len(await pipes.outgoing.get()) == PIECE
        await until(lambda: pipes.protocol.seen[-1] == "resume")
        pipes.pump.abort()
        await until(lambda: pipes.closed)

    run(main())


def test_what_was_written_goes_out_before_the_end() -> None:
    async def main() -> None:
        pipes = Pipes()
        pipes.pump.write(bytes(3 * PIECE))
        pipes.pump.close()
        for _ in range(3):
            assert len(await pipes.outgoing.get()) == PIECE
        await until(lambda: pipes.closed)

    run(main())


def test_who_reads_nothing_gets_nothing() -> None:
    async def main() -> None:
        pipes = Pipes()
        pipes.pump.pause_reading()
        await asyncio.sleep(0)
        pipes.incoming.put_nowait(b"late")
        await asyncio.sleep(0.01)
        assert pipes.protocol.seen == ["made"]
        pipes.pump.resume_reading()
        await until(lambda: pipes.protocol.seen[-1] == b"late")
        pipes.pump.abort()
        await until(lambda: pipes.closed)

    run(main())


@pytest.mark.parametrize("wrong", ["text", None])
def test_what_is_not_bytes_breaks_the_link_in_words(wrong: bytes) -> None:
    async def main() -> None:
        pipes = Pipes()
        pipes.incoming.put_nowait(wrong)
        await until(lambda: pipes.closed)
        assert f"a link carries bytes, not {type(wrong).__name__}" in str(pipes.protocol.seen[-1])

    run(main())
