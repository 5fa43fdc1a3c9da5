"""Soak: a TCP transfer at full speed for minutes, and what a node's memory does meanwhile."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from bench.contestants import CONTESTANTS
from bench.pairs import start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONTESTANT: Final = "alagg-redundant"
SAMPLES: Final = 60
TENTH: Final = SAMPLES // 10


def run(minutes: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Transfer, and look at both nodes' memory; give the bytes of the larger one at equal distances of time.

    Raises:
        LabError: a node or the transfer fails.
    """
    seconds, held = minutes * 60, []
    with ExitStack() as stack:
        contestant = stack.enter_context(CONTESTANTS[CONTESTANT]())
        stack.enter_context(contestant.turn())
        say(f"{contestant.title}: a TCP transfer of {minutes:g} minutes ...")
        pair = start(stack, contestant, "bulk-server", "bulk", protocol="tcp", seconds=seconds)
        for _ in range(SAMPLES):
            time.sleep(seconds / SAMPLES)
            held.append(max(host.node.memory() for host in contestant.lab.hosts))
        result = pair.finish()
    return {"minutes": minutes, "bit_per_s": result["bytes"] * 8 / result["seconds"], "memory_bytes": held}


def growth(soak: Mapping[str, Any]) -> float:
    """Give the memory at the end as a multiple of that at the begin: last tenth to second (the first warms up)."""
    held: list[int] = soak["memory_bytes"]
    return statistics.median(held[-TENTH:]) / statistics.median(held[TENTH : 2 * TENTH])
