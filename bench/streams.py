"""The stream library: what its links give in virtual time, and what it costs in memory: `python -m bench.streams`.

The first table is of virtual time: figures of the protocol, the same on every machine. The second one counts the
processor's time that both sides and their programs take in one process, without a socket.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from tests.stream.memory import joined
from tests.stream.network import MEGA, Net

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.stream.connection import Connection

IN_MEMORY: Final = 300 * MEGA
PIECE: Final = 1 << 17


def _whole(links: list[tuple[float, float]], size: int) -> float:
    """Give the bytes per second of a whole transfer; `links` have a rate and a latency, in bytes/s and seconds."""
    net = Net()
    for rate, latency in links:
        net.cable(rate, latency)
    net.transfer(size)
    net.check()
    return size / net.sides[1].last_read_at


def _long(size: int) -> str:
    return f"{_whole([(1e7, 1.0)] * 5, size * MEGA) / MEGA:.1f} MB/s"


def _pausing() -> float:
    net = Net()
    cables = [net.cable(MEGA, 0.01) for _ in range(10)]

    def turn(number: int) -> None:
        def over() -> None:
            cables[number].resume()
            turn((number + 1) % 10)

        cables[number].pause()
        net.clock.at(net.clock.now + 3.0, over)

    net.clock.at(1.0, lambda: turn(0))
    net.transfer(60 * MEGA)
    net.check()
    return 60 * MEGA / net.sides[1].last_read_at


def _black_hole() -> float:
    net = Net()
    cables = [net.cable(2 * MEGA, 0.02) for _ in range(2)]
    net.clock.at(2.0, cables[0].pause)
    net.clock.at(1.9, lambda: setattr(net.sides[1], "longest_gap", 0.0))
    net.transfer(20 * MEGA, until=8.0)
    return net.sides[1].longest_gap


CASES: Final[dict[str, Callable[[], str]]] = {
    "10 x 100 kB/s": lambda: f"{_whole([(100e3, 0.01)] * 10, 10 * MEGA) / MEGA:.3f} MB/s",
    "10 x 1 MB/s, each paused for 3 s in turn": lambda: f"{_pausing() / MEGA:.2f} MB/s",
    "50 + 50 Mbit/s, round trips 10 and 60 ms": lambda: (
        f"{_whole([(6.25e6, 0.005), (6.25e6, 0.03)], 100 * MEGA) / 12.5e6:.3f} of the sum"
    ),
    "100 + 1 Mbit/s, round trips 10 and 300 ms": lambda: (
        f"{_whole([(12.5e6, 0.005), (125e3, 0.15)], 100 * MEGA) / 12.5e6:.3f} of the 100"
    ),
    "5 x 10 MB/s, 1 s each way, a whole transfer of 500 MB": lambda: _long(500),
    "the same of 1,000 MB": lambda: _long(1000),
    "the same of 1,500 MB": lambda: _long(1500),
    "one of two links turns into a black hole, 40 ms": lambda: f"{_black_hole() * 1000:.0f} ms without a byte",
}  # fmt: skip


async def _send(connection: Connection, size: int) -> None:
    piece = bytes(PIECE)
    for _ in range(size // PIECE):
        connection.writer.write(piece)
        await connection.writer.drain()
    connection.writer.write_eof()


async def _receive(connection: Connection) -> None:
    while await connection.reader.read(1 << 18):
        pass


async def _in_memory(sizes: tuple[int, int]) -> float:
    with joined(5) as ends:
        began = time.process_time()
        await asyncio.gather(*(
            job for end, size in zip(ends, sizes, strict=True) for job in (_send(end, size), _receive(end))
        ))  # fmt: skip
        return sum(sizes) / (time.process_time() - began)


def main() -> None:
    """Measure and show."""
    console = Console()
    table = Table("in virtual time", "measured", title_justify="left")
    for name, case in CASES.items():
        table.add_row(name, case())
    console.print(table)
    table = Table("in memory, 5 links without a limit", "MB per second of one processor, both sides together")
    for name, sizes in (("one direction", (IN_MEMORY, 0)), ("both directions", (IN_MEMORY, IN_MEMORY))):
        table.add_row(name, f"{asyncio.run(_in_memory(sizes)) / MEGA:.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
