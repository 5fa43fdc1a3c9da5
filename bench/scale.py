"""Scale: what a node with many peers costs while hardly anything happens: `python -m bench.scale`.

One peer answers. Of the others nobody does: their probes go out, and their timers run. How long the packets' loop
stands still is seen from outside, by the longest round trip of many; beside the same with only the peer that answers,
since the machine has its own gaps. Meanwhile the node is asked for its status.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from alagg.lab.namespace import LabError
from bench.contestants import Alagg
from bench.failures import line
from bench.machine import processes
from bench.pairs import start
from bench.report import scale_sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.lab.host import Host

PEERS: Final = 1000
LINKS: Final = 2
"""Of each peer. The peers share two pairs of interfaces: a port's filter has no room for a thousand addresses."""
SETTLE: Final = 3.0
"""Seconds after the start in which the links without an answer are given up."""
IDLE: Final = 5.0
"""Seconds in which the processors' time is looked at."""
ASKED: Final = 5
"""How often the status is asked for."""
BETWEEN: Final = 0.8
"""Seconds between two questions."""
START_TIME: Final = 60.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Crowded(Alagg):
    """Two nodes, the first of them with many more peers, which nobody answers for."""

    def __init__(self, peers: int) -> None:
        """Take the number of the first node's peers."""
        super().__init__("redundant", 2 * LINKS, title=f"{peers:,} peers")
        self.peers = peers

    def set_up(self) -> None:
        """Start both nodes, and wait until each hears the other on every link."""
        self.lab.configure({})
        config = self.lab.a.node.config
        text = config.read_text(encoding="utf-8")
        for wire in self.lab.wire:
            text = text.replace(f"[link {wire.interface}]", f"[link {wire.interface}]\npeer = b")
        config.write_text(text + others(self.peers - 1), encoding="utf-8")
        for host in self.lab.hosts:
            host.node.start(timeout=START_TIME)
        self.wake()

    def wake(self) -> None:
        """Wait until the links to the peer that answers are up."""
        real = {wire.interface for wire in self.lab.wire}
        for host in self.lab.hosts:
            host.node.wait_status(
                lambda status: all(link["state"] == "up" for link in status["links"] if link["name"] in real)
            )


def others(count: int) -> str:
    """Give the configuration of so many more peers on two links each."""
    sections = []
    for number in range(count):
        high, low = divmod(number, 250)
        sections.append(f"[peer other{number}]\ndestinations = 10.50.{high}.{low + 1}\n")
        sections += [
            f"[link other{number}-{link}]\npeer = other{number}\ninterface = eth{link + number % 2 * LINKS}\n"
            f"mac = 02:00:{link:02x}:01:{high:02x}:{low:02x}\n"
            for link in range(LINKS)
        ]
    return "".join(sections)


def run(say: Callable[[str], None], peers: int = PEERS) -> list[dict[str, Any]]:
    """Measure a node with one peer, then one with many; give the figures of each.

    Raises:
        LabError: a node fails.
    """
    found = []
    for count in (1, peers):
        say(f"a node with {count:,} peers ...")
        with Crowded(count) as contestant, contestant.turn():
            time.sleep(SETTLE if count > 1 else 0.0)
            found.append(measure(contestant))
    return found


def measure(contestant: Crowded) -> dict[str, Any]:
    """Look at the first node: idle, then answering round trips and questions."""
    host = contestant.lab.a
    before, begin = processor_time(host), time.monotonic()
    time.sleep(IDLE)
    idle = (processor_time(host) - before) / (time.monotonic() - begin)
    seconds = ASKED * BETWEEN
    with ExitStack() as stack:
        pair = start(stack, contestant, "pong", "ping", count=100_000, seconds=seconds)
        asked = []
        for _ in range(ASKED):
            begin = time.monotonic()
            host.node.status()
            asked.append(time.monotonic() - begin)
            time.sleep(BETWEEN)
        answers = pair.finish()
    times: list[float] = answers["times"]
    if not times:
        raise LabError(f"{contestant.title}: no message was answered")
    return {
        "peers": contestant.peers, "idle_cpu": round(idle, 4), "status_s": round(statistics.median(asked), 5),
        "rtt_p50_s": times[len(times) // 2], "rtt_max_s": times[-1], "lost": answers["lost"],
    }


def processor_time(host: Host) -> float:
    """Give the seconds that the processes of a host's node have worked."""
    every = processes()
    return sum(every[pid].ticks for pid in host.node.processes()) / _TICKS


def main() -> int:
    """Measure, and show what came out."""
    console = Console(highlight=False)
    try:
        console.print(scale_sheet(run(console.print)).rich())
    except LabError as error:
        console.print(f"scale: {line(error)}", style="red", markup=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
