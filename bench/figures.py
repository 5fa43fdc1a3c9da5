"""The figures of a contestant: what they are called, and in which units they are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Figure:
    """How a figure is shown."""

    title: str
    unit: str
    scale: float = 1.0
    digits: int = 0
    compared: bool = True
    """Whether a ratio to another contestant's makes sense."""

    def show(self, value: float) -> str:
        """Write a value in the figure's unit."""
        return f"{value * self.scale:,.{self.digits}f}"


ADDED: Final = "added_"
"""Begins the names of round-trip times beyond the bare link's."""
_RTT: Final = {"tcp": "TCP round trip", "udp": "UDP round trip", "loaded": "Round trip beside TCP"}
_PERCENTILES: Final = ("p50", "p99", "p99.9")
FIGURES: Final = {
    "tcp_{}_bit_per_s": Figure("TCP goodput, flows: {}", "Mbit/s", 1e-6),
    "tcp_{}_cpu_s_per_gb": Figure("TCP cost, flows: {}", "s/GB", 1, 2),
    "udp_{}_per_s": Figure("UDP, {} bytes, loss ≤ 0.5 %", "packets/s"),
    **{f"rtt_{name}_{label}_s": Figure(f"{title}, {label}", "µs", 1e6)
       for name, title in _RTT.items() for label in _PERCENTILES},
    **{f"{ADDED}rtt_{name}_{label}_s": Figure(f"{title}, {label}, beyond veth", "µs", 1e6, compared=False)
       for name, title in _RTT.items() for label in _PERCENTILES},
    "memory_bytes": Figure("Memory of a node, at most", "MB", 1e-6, 1),
    "others_load": Figure("Others' load meanwhile", "%", 100, compared=False),
}
"""Every figure by its name, in the order of the table; `{}` stands for a number that the plan decides."""
_ORDER: Final = list(FIGURES)
_NUMBER: Final = re.compile(r"(?<=^tcp_)\d+|(?<=^udp_)\d+")


def figure_of(name: str) -> Figure:
    """Give how a figure is shown.

    Raises:
        KeyError: there is no such figure.
    """
    figure = FIGURES[_NUMBER.sub("{}", name)]
    number = _NUMBER.search(name)
    return replace(figure, title=figure.title.format(number[0])) if number else figure


def in_order(names: Iterable[str]) -> dict[str, Figure]:
    """Give the figures of these names, in the order of the table."""

    def place(name: str) -> tuple[int, int]:
        number = _NUMBER.search(name)
        return _ORDER.index(_NUMBER.sub("{}", name)), int(number[0]) if number else 0

    return {name: figure_of(name) for name in sorted(names, key=place)}
