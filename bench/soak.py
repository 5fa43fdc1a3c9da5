"""Soak: a TCP transfer at full speed for minutes, and what a node's memory does meanwhile."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.contestants import CONTESTANTS
from bench.pairs import start

if TYPE_CHECKING:
    from rich.console import Console

CONTESTANT: Final = "alagg-redundant"
SAMPLES: Final = 60
TENTH: Final = SAMPLES // 10


@dataclass(frozen=True)
class Soak:
    """What was seen."""

    minutes: float
    bit_per_s: float
    held: tuple[int, ...]
    """Bytes of the larger node, supervisor and worker, at equal distances of time."""

    @property
    def growth(self) -> float:
        """Bytes by which the node grew, from the second tenth of the time (the first one warms up) to the last."""
        return statistics.median(self.held[-TENTH:]) - statistics.median(self.held[TENTH : 2 * TENTH])

    def values(self) -> dict[str, Any]:
        """Give it for the JSON file."""
        return {"minutes": self.minutes, "bit_per_s": self.bit_per_s, "memory_bytes": self.held,
                "growth_bytes": self.growth}


def run(console: Console, minutes: float) -> Soak:
    """Transfer, and look at both nodes' memory.

    Raises:
        LabError: a node or the transfer fails.
    """
    seconds, held = minutes * 60, []
    with ExitStack() as stack:
        contestant = stack.enter_context(CONTESTANTS[CONTESTANT]())
        stack.enter_context(contestant.turn())
        console.print(f"{contestant.title}: a TCP transfer of {minutes:g} minutes ...")
        pair = start(stack, contestant, "bulk-server", "bulk", protocol="tcp", seconds=seconds)
        for _ in range(SAMPLES):
            time.sleep(seconds / SAMPLES)
            held.append(max(host.node.memory() for host in contestant.lab.hosts))
        result = pair.finish()
    return Soak(minutes, result["bytes"] * 8 / result["seconds"], tuple(held))
