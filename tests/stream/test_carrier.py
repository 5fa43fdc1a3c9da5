"""Carriers: what comes while joining is read piece by piece, the rest goes to the connection."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from alagg.stream.address import parse
from alagg.stream.carrier import JOINING_BUFFER, Carrier, dial, listen
from tests.stream.faces import run

if TYPE_CHECKING:
    from pathlib import Path


class Wire(asyncio.Transport):
    """A transport that only remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        self.paused = True


def test_a_stranger_who_sends_much_is_not_listened_to() -> None:
    async def main() -> None:
        carrier, wire = Carrier(), Wire()
        carrier.connection_made(wire)
        carrier.data_received(bytes(JOINING_BUFFER))
        assert not wire.paused
        carrier.data_received(b"x")
        assert wire.paused

    run(main())


def test_a_link_that_breaks_while_joining_says_so() -> None:
    async def main() -> None:
        carrier = Carrier()
        waiting = asyncio.create_task(carrier.exactly(5))
        await asyncio.sleep(0)
        carrier.data_received(b"abc")
        carrier.connection_lost(None)
        with pytest.raises(ConnectionResetError, match="while joining"):
            await waiting

    run(main())


@pytest.mark.parametrize("kind", ["tcp", "tcp6", "unix"])
def test_bytes_cross(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        accepted: asyncio.Queue[Carrier] = asyncio.Queue()
        text = {"tcp": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": f"unix:{tmp_path}/s"}[kind]
        address = parse(text)
        server = await listen(address, None, accepted.put_nowait)
        if address.port == 0 and kind != "unix":
            address = address._replace(port=server.sockets[0].getsockname()[1])
        near = await dial(address, None)
        far = await accepted.get()
        near.write(b"hello")
        assert await far.exactly(2) == b"he"
        assert await far.exactly(3) == b"llo"
        assert far.describe().startswith({"tcp": "127.0.0.1:", "tcp6": "[::1]:", "unix": "unix"}[kind])
        near.close()
        assert await far.gone == "closed by the other end"
        far.abort()
        server.close()

    run(main())


def test_a_system_without_unix_sockets_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.delattr(socket, "AF_UNIX")
        with pytest.raises(OSError, match="no Unix sockets"):
            await dial(parse("unix:/tmp/x"), None)

    run(main())
