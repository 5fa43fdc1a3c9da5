"""Soak: a TCP transfer at full speed for minutes, and what a node's memory does meanwhile."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from bench import end_to_end
from bench.contestants import CONTESTANTS

if TYPE_CHECKING:
    from rich.console import Console

CONTESTANT: Final = "alagg-redundant"
SAMPLES: Final = 60
WARM_UP: Final = 0.1
"""Share of the time after which memory should grow no more."""


def run(console: Console, minutes: float) -> dict[str, Any]:
    """Transfer, look at both nodes' memory, and show it."""
    seconds = minutes * 60
    held: list[int] = []
    with ExitStack() as stack:
        contestant = stack.enter_context(CONTESTANTS[CONTESTANT]())
        stack.enter_context(contestant.turn())
        console.print(f"{contestant.title}: a TCP transfer of {minutes:g} minutes ...")
        pair = end_to_end.start(stack, contestant, "bulk-server", "bulk", protocol="tcp", seconds=seconds)
        for _ in range(SAMPLES):
            time.sleep(seconds / SAMPLES)
            held.append(max(host.node.memory() for host in contestant.lab.hosts))
        result = pair.finish()
    settled = held[int(len(held) * WARM_UP):]
    growth = settled[-1] - settled[0]
    goodput = result["bytes"] * 8 / result["seconds"]
    console.print(f"{goodput / 1e6:,.0f} Mbit/s; a node held {max(held) / 1e6:.1f} MB at most, and after the first "
                  f"tenth of the time {growth / 1e6:+.1f} MB")
    return {"minutes": minutes, "bit_per_s": goodput, "memory_bytes": held, "growth_bytes": growth}
