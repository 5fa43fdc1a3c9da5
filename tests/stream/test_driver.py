"""The driver: it moves bytes between links and core, and leaves nothing behind."""

from __future__ import annotations

import asyncio

from alagg.stream.carrier import Carrier
from alagg.stream.core import frames
from alagg.stream.core.settings import Settings
from alagg.stream.driver import Driver
from tests.stream.faces import run


class Memory(Carrier):
    """A carrier that remembers what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


def kinds(data: bytes) -> list[int]:
    return [kind for kind, _ in frames.Decoder().feed(data)]


def test_a_new_link_is_asked_and_a_write_goes_out() -> None:
    async def main() -> None:
        driver, carrier = Driver(Settings()), Memory()
        driver.attach("a", carrier)
        driver.core.write(b"hello")
        driver.poke()
        await asyncio.sleep(0)
        assert kinds(carrier.sent) == [frames.PING, frames.DATA]
        driver.stop()

    run(main())


def test_what_came_while_joining_is_not_lost() -> None:
    async def main() -> None:
        driver, carrier = Driver(Settings()), Memory()
        carrier.data_received(frames.data_header(0, 5) + b"hello")
        driver.attach("a", carrier)
        assert driver.core.read(10, 0.0) == b"hello"
        driver.stop()

    run(main())


def test_a_link_that_was_gone_already_is_lost() -> None:
    async def main() -> None:
        driver, carrier = Driver(Settings()), Memory()
        carrier.connection_lost(OSError("cut"))
        link = driver.attach("a", carrier)
        assert (link.state, link.reason) == ("down", "cut")
        driver.stop()

    run(main())


def test_stopping_tells_the_peer_and_closes_the_links() -> None:
    async def main() -> None:
        driver, carrier = Driver(Settings()), Memory()
        driver.attach("a", carrier)
        driver.stop()
        assert kinds(carrier.sent)[-1] == frames.END
        assert carrier.closed
        assert driver.over.is_set()
        assert [event.kind for event in driver.history] == ["link-new", "ended"]
        driver.received(carrier, b"\xff")

    run(main())


def test_time_works_without_anybody_asking() -> None:
    async def main() -> None:
        driver = Driver(Settings(no_links_timeout=0.01))
        driver.poke()
        await driver.over.wait()
        assert driver.core.error is not None
        assert driver.core.error.reason == "no-links"

    run(main())
