"""Growth end to end: goodput and processors' time of TCP with more links, flows and configured peers."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from bench.contestants import Alagg, Contestant
from bench.end_to_end import transfer
from bench.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

LINKS: Final = (1, 2, 4, 8)
FLOWS: Final = (1, 10, 1000)
PEERS: Final = (1, 16, 128)
BASE: Final = 2
"""Links to which the others' cost is compared."""
SECONDS: Final = 3.0
ROUNDS: Final = 3


def others(count: int) -> str:
    """Give the configuration of so many more peers, which nobody answers for: probes go out, and timers run."""
    return "".join(
        f"[peer other{number}]\ndestinations = 10.50.{number // 250}.{number % 250 + 1}\n"
        f"[link other{number}]\npeer = other{number}\ninterface = eth0\nmac = 02:00:00:01:00:{number:02x}\n"
        for number in range(count)
    )


def ways() -> dict[tuple[str, int], tuple[Callable[[], Contestant], int]]:
    """Give what is measured, by axis and value: who, and with how many flows."""
    bond = partial(Alagg, "round-robin", 2)
    return {
        **{("links", count): (partial(Alagg, "round-robin", count), 1) for count in LINKS},
        **{("flows", count): (bond, count) for count in FLOWS},
        # What so many flows cost without alagg: the kernel's TCP on both ends has more to do, too.
        **{("flows, bare veth", count): (partial(Contestant, "veth"), count) for count in FLOWS},
        **{("peers", count): (partial(bond, more_config=others(count - 1)), 1) for count in PEERS},
    }


def run(console: Console, *, quick: bool) -> list[dict[str, Any]]:
    """Measure every way, in turns, and show the medians."""
    seconds, rounds = (SECONDS / 3, 1) if quick else (SECONDS, ROUNDS)
    goodput: dict[tuple[str, int], list[float]] = {key: [] for key in ways()}
    cost: dict[tuple[str, int], list[float]] = {key: [] for key in ways()}
    with ExitStack() as labs:
        entered = {key: (labs.enter_context(make()), flows) for key, (make, flows) in ways().items()}
        for _ in range(rounds):
            for key, (contestant, flows) in entered.items():
                console.print(f"round-robin, {key[1]} {key[0]} ...")
                with contestant.turn():
                    result = transfer(contestant, seconds, flows)
                goodput[key].append(result["bytes"] * 8 / result["seconds"])
                cost[key].append(result["ours"] / result["bytes"] * 1e9)
    console.print(_table(goodput, cost))
    return [{"axis": axis, "value": value, "bit_per_s": goodput[axis, value], "cpu_s_per_gb": cost[axis, value]}
            for axis, value in goodput]


def _table(goodput: dict[tuple[str, int], list[float]], cost: dict[tuple[str, int], list[float]]) -> Table:
    table = Table(title="Growth, end to end: alagg round-robin; two links, one flow, one peer but for what grows",
                  title_justify="left")
    for title in ("what grows", "to", "Mbit/s", "s/GB", "x"):
        table.add_column(title, justify="left" if title == "what grows" else "right")
    for (axis, value), rates in goodput.items():
        spent = summarise(cost[axis, value]).median
        base = summarise(cost[axis, BASE if axis == "links" else 1]).median
        rate = summarise(rates).median / 1e6
        table.add_row(axis, f"{value:,}", f"{rate:,.0f}", f"{spent:.2f}", f"{spent / base:.2f}")
    return table
