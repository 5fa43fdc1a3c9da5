"""The transport: any protocol of asyncio works over it as over TCP."""

from __future__ import annotations

import asyncio

import pytest

from alagg.stream.core import frames
from alagg.stream.core.settings import Settings
from alagg.stream.driver import Driver
from alagg.stream.transport import HIGH, Transport
from tests.stream.faces import run
from tests.stream.test_driver import Memory


class Recorder(asyncio.Protocol):
    """A protocol that notes what it is told."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.seen.append("made")

    def data_received(self, data: bytes) -> None:
        self.seen.append(data)

    def eof_received(self) -> bool:
        self.seen.append("eof")
        return True

    def pause_writing(self) -> None:
        self.seen.append("pause")

    def resume_writing(self) -> None:
        self.seen.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.seen.append(("lost", exc))


def made() -> tuple[Driver, Memory, Recorder, Transport]:
    driver, carrier, protocol = Driver(Settings()), Memory(), Recorder()
    transport = Transport(driver, protocol, {"links": lambda: ["a"]})
    driver.attach("a", carrier)
    return driver, carrier, protocol, transport


def test_bytes_and_the_end_arrive_in_order() -> None:
    async def main() -> None:
        driver, carrier, protocol, transport = made()
        carrier.driver = driver
        carrier.data_received(frames.data_header(0, 5) + b"hello" + frames.numbered(frames.FIN, 5))
        await asyncio.sleep(0)
        assert protocol.seen == ["made", b"hello", "eof"]
        transport.abort()
        driver.stop()
        assert protocol.seen[-1] == ("lost", driver.core.error)

    run(main())


def test_a_paused_protocol_gets_nothing_until_it_wants_more() -> None:
    async def main() -> None:
        driver, carrier, protocol, transport = made()
        transport.pause_reading()
        carrier.data_received(frames.data_header(0, 5) + b"hello")
        await asyncio.sleep(0)
        assert protocol.seen == ["made"]
        assert not transport.is_reading()
        transport.resume_reading()
        await asyncio.sleep(0)
        assert protocol.seen == ["made", b"hello"]
        driver.stop()

    run(main())


def test_a_writer_is_paused_and_resumed() -> None:
    async def main() -> None:
        driver, carrier, protocol, transport = made()
        carrier.writable = False
        transport.write(bytes(HIGH + 1))
        assert protocol.seen == ["made", "pause"]
        assert transport.get_write_buffer_size() == HIGH + 1
        driver.stop()
        assert "resume" in protocol.seen

    run(main())


def test_what_is_known_and_what_is_not() -> None:
    async def main() -> None:
        driver, _, protocol, transport = made()
        assert transport.get_extra_info("links") == ["a"]
        assert transport.get_extra_info("sslcontext", 7) == 7
        assert transport.get_protocol() is protocol
        assert transport.can_write_eof()
        transport.set_write_buffer_limits(high=100)
        assert transport.get_write_buffer_limits() == (25, 100)
        with pytest.raises(ValueError, match="low"):
            transport.set_write_buffer_limits(high=1, low=2)
        with pytest.raises(TypeError):
            transport.set_protocol(asyncio.SubprocessProtocol())
        other = Recorder()
        transport.set_protocol(other)
        assert transport.get_protocol() is other
        transport.close()
        assert transport.is_closing()
        with pytest.raises(ConnectionError):
            transport.write(b"x")
        driver.stop()

    run(main())
