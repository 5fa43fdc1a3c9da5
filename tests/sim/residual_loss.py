"""Residual loss: what is lost over n redundant links that each lose p, measured against p to the power of n.

`python -m tests.sim.residual_loss [FACTOR]` prints the table; FACTOR times as many packets make it more exact. At
1 % on three links one packet in a million is lost: without a factor that row is no more than an upper bound.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Final

from alagg.engine.header import DATA, SIZE
from alagg.lab.impairment import Settings
from tests.sim.network import Network
from tests.sim.snapshot import table

BATCH: Final = 64
PACKETS_PER_SECOND: Final = 20_000
CASES: Final = (
    (0.01, 2, 200_000), (0.01, 3, 200_000),
    (0.05, 2, 60_000), (0.05, 3, 120_000),
    (0.20, 2, 20_000), (0.20, 3, 30_000),
)  # fmt: skip
"""Loss of each link, links, packets."""
Z: Final = 2.5758
"""Quantile of the normal distribution for a confidence of 99 %."""


@dataclass(frozen=True)
class Result:
    """One row of the table."""

    loss: float
    links: int
    packets: int
    lost: int
    duplicated: int
    unexplained: int
    """Packets that did not arrive although a frame of theirs did."""

    @property
    def theory(self) -> float:
        return self.loss**self.links

    @property
    def bounds(self) -> tuple[float, float]:
        """Between what the true residual loss lies with a confidence of 99 %."""
        return wilson(self.lost, self.packets)

    @property
    def agrees(self) -> bool:
        low, high = self.bounds
        return low <= self.theory <= high


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Give the score interval of a share (E. B. Wilson, 1927), which holds for rare events too."""
    share, square = hits / trials, Z * Z / trials
    middle = (share + square / 2) / (1 + square)
    half = Z * math.sqrt(share * (1 - share) / trials + square / trials / 4) / (1 + square)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def measure(loss: float, links: int, packets: int) -> Result:
    """Send packets over links with independent loss."""
    network = Network(seed=links * 1000 + round(loss * 100))
    one, two = network.host(), network.host()
    came: set[bytes] = set()
    for number in range(links):
        cable = network.connect(one, two, f"link{number}", Settings(loss=loss))
        cable.wires[two].listener = lambda frames: came.update(
            frame[SIZE:] for frame in frames if frame[0] & 0x0F == DATA
        )
    stream = network.stream(one, two, count=packets, interval=BATCH / PACKETS_PER_SECOND, batch=BATCH)
    network.run(packets / PACKETS_PER_SECOND + 1)
    report = stream.report()
    return Result(loss, links, packets, report.lost, report.duplicated, len(came) - (report.sent - report.lost))


def show(results: list[Result]) -> str:
    heading = ("loss of a link", "links", "packets", "lost", "measured", "99 % bounds", "p^n", "agrees", "duplicates")
    rows = [
        (
            f"{result.loss:.0%}", result.links, result.packets, result.lost, f"{result.lost / result.packets:.2e}",
            "{:.2e} to {:.2e}".format(*result.bounds), f"{result.theory:.2e}", "yes" if result.agrees else "NO",
            result.duplicated,
        )
        for result in results
    ]  # fmt: skip
    return table([heading, *rows])


if __name__ == "__main__":
    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    print(show([measure(loss, links, round(packets * factor)) for loss, links, packets in CASES]), end="")  # noqa: T201
