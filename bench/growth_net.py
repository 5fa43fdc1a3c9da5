"""Growth end to end: goodput and processors' time of TCP with more links, flows and configured peers."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.contestants import Alagg, Contestant
from bench.end_to_end import transfer
from bench.failures import FAILURES, line

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

LINKS: Final = (1, 2, 4, 8)
FLOWS: Final = (1, 10, 1000)
PEERS: Final = (1, 16, 128)
BASE: Final = {"links": 2}
"""To which value of an axis the others are compared; 1 where it is not said."""
SECONDS: Final = 1.5
ROUNDS: Final = 3
BARE: Final = "flows, bare veth"
"""What so many flows cost without alagg: the kernel's TCP on both ends has more to do, too."""


@dataclass(frozen=True)
class Load:
    """One transfer."""

    bit_per_s: float
    cpu_s_per_gb: float


@dataclass(frozen=True)
class Way:
    """What grows, how far, and the transfers by the number of their round."""

    axis: str
    value: int
    make: Callable[[], Contestant]
    flows: int = 1
    rounds: dict[int, Load] = field(default_factory=dict)


def others(count: int) -> str:
    """Give the configuration of so many more peers, which nobody answers for: probes go out, and timers run."""
    return "".join(
        f"[peer other{number}]\ndestinations = 10.50.{number // 250}.{number % 250 + 1}\n"
        f"[link other{number}]\npeer = other{number}\ninterface = eth0\nmac = 02:00:00:01:00:{number:02x}\n"
        for number in range(count)
    )


def ways() -> list[Way]:
    """Give what is measured: two links, one flow and one peer but for what grows."""
    bond = partial(Alagg, "round-robin", 2)
    return [
        *(Way("links", count, partial(Alagg, "round-robin", count)) for count in LINKS),
        *(Way("flows", count, bond, count) for count in FLOWS),
        *(Way(BARE, count, partial(Contestant, "veth"), count) for count in FLOWS),
        *(Way("peers", count, partial(bond, more_config=others(count - 1))) for count in PEERS),
    ]


def run(console: Console, fail: Callable[[str], None], *, quick: bool) -> list[Way]:
    """Measure every way, in turns; say what fails, and go on without it."""
    seconds, rounds = (SECONDS / 2, 1) if quick else (SECONDS, ROUNDS)
    entered: list[tuple[Way, Contestant]] = []
    with ExitStack() as labs:
        for way in ways():
            try:
                entered.append((way, labs.enter_context(way.make())))
            except FAILURES as error:
                fail(f"growth to {way.value} {way.axis} is not measured: {line(error)}")
        for number in range(rounds):
            console.print(f"growth end to end, round {number + 1} of {rounds} ...")
            for way, contestant in entered:
                try:
                    with contestant.turn():
                        way.rounds[number] = _load(transfer(contestant, seconds, way.flows))
                except FAILURES as error:
                    fail(f"growth to {way.value} {way.axis} failed in round {number + 1}: {line(error)}")
    return [way for way, _ in entered if way.rounds]


def _load(result: dict[str, Any]) -> Load:
    return Load(result["bytes"] * 8 / result["seconds"], result["ours"] / result["bytes"] * 1e9)


def values(measured: list[Way]) -> list[dict[str, Any]]:
    """Give what was measured for the JSON file, one sample of each round."""
    return [
        {
            "axis": way.axis, "value": way.value,
            "bit_per_s": [load.bit_per_s for load in way.rounds.values()],
            "cpu_s_per_gb": [load.cpu_s_per_gb for load in way.rounds.values()],
        }
        for way in measured
    ]
