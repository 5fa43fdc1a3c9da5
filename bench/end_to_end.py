"""End to end: the contestants take turns, round after round, and every figure comes from the same run.

What is measured is a table, `MEASURES`: TCP goodput with the processors' time that it cost, UDP packets a second,
round-trip times, memory. Everything runs in network namespaces of this machine, both ends of it.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from alagg.lab.namespace import LabError
from bench.contestants import Share
from bench.failures import FAILURES, line
from bench.pairs import exchange
from bench.search import Rate, Trial, search

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.contestants import Contestant
    from bench.results import Results, Samples

    Measure = Callable[["Standing", "Plan"], None]

MIN_SHARE: Final = 0.1
"""Share of the bytes that each link must carry, or the links were not really joined."""
ATTEMPTS: Final = 3
CHANCES: Final = 2
"""How many rounds may fail until a contestant is out."""
PING_TIME: Final = 0.004
"""Seconds that a round trip may take on the average, its pause included; then the rest is left out."""
PERCENTILES: Final = {"p50": 0.5, "p99": 0.99}
FIRST_TRIAL: Final = 0.9
"""What an overloaded path still carries, times this, is the first guess of its limit."""


@dataclass(frozen=True)
class Plan:
    """How long everything takes."""

    rounds: int = 3
    budget: float = 1100.0
    """Seconds after which no further round is begun; it would end later."""
    transfers: int = 2
    """How often TCP, from which most ratios come, is measured in each round."""
    tcp_seconds: float = 1.5
    trial_seconds: float = 0.3
    trials: int = 4
    precision: float = 0.06
    """Width of the bracket at which the search for a rate ends, as a share."""
    sizes: tuple[int, ...] = (64, 1400)
    """Bytes of the UDP payload."""
    pings: int = 1000

    def turns(self) -> list[tuple[str, int]]:
        """Give what is measured in a round, one after the other: its title, and which time it is, from 0."""
        return [(title, again) for title in MEASURES for again in range(self.transfers if title == TCP else 1)]


FULL: Final = Plan()
QUICK: Final = Plan(rounds=2, budget=200.0, tcp_seconds=1.0, trial_seconds=0.2, trials=3, precision=0.2, pings=300)


@dataclass
class Standing:
    """One contestant and its figures so far."""

    contestant: Contestant
    figures: dict[str, Samples]
    """As in the results."""
    turn: int = 0
    """The number of the present turn: what was measured in turns of one number is compared."""
    failed: int = 0
    """Rounds that were broken off."""

    def add(self, name: str, value: float) -> None:
        """Note one figure of this turn."""
        self.figures.setdefault(name, {})[str(self.turn)] = float(f"{value:.6g}")


def run(
    entries: Mapping[str, Callable[[], Contestant]], plan: Plan, into: Results, *, say: Callable[[str], None],
    fail: Callable[[str], None],
) -> None:
    """Let the contestants take turns.

    One that cannot be set up, or fails in a turn, is told; the others go on, and what it has reached counts. It gets
    another chance in the next round.

    Args:
        entries: who takes part, by name.
        plan: how long everything takes.
        into: gets the title and the figures of each; whoever interrupts finds there what was measured until then.
        say: is told what comes next.
        fail: is told what could not be measured, and why, in a line.
    """
    standings = []
    with ExitStack() as labs:
        for name, make in entries.items():
            try:
                contestant = labs.enter_context(make())
            except FAILURES as error:
                fail(f"{name} does not take part: {line(error)}")
            else:
                into[name] = {"title": contestant.title, "figures": {}}
                standings.append(Standing(contestant, into[name]["figures"]))
        begin = time.monotonic()
        for number in range(plan.rounds if standings else 0):
            if number and (time.monotonic() - begin) * (number + 1) / number > plan.budget:
                say(f"no time for more than {number} rounds")
                break
            take_turns(standings, number, plan, say=say, fail=fail)


def take_turns(
    standings: list[Standing], number: int, plan: Plan, *, say: Callable[[str], None], fail: Callable[[str], None],
) -> None:
    """Let everybody who is still in be measured in one round: one thing after the other, each in turns."""
    left = [standing for standing in standings if standing.failed < CHANCES]
    for title, again in plan.turns():
        say(f"round {number + 1} of {plan.rounds}: {title}")
        for standing in list(left):
            if title != TCP and standing.contestant.share is Share.TCP:
                continue
            standing.turn = number * plan.transfers + again
            try:
                with standing.contestant.turn():
                    for measure in MEASURES[title]:
                        measure(standing, plan)
            except FAILURES as error:
                left.remove(standing)
                standing.failed += 1
                last = "; it is out" if standing.failed == CHANCES else ""
                fail(f"{standing.contestant.title} failed in round {number + 1}: {line(error)}{last}")


# --- what is measured ----------------------------------------------------------------------------------------------


def tcp(standing: Standing, plan: Plan) -> None:
    """TCP goodput, what the processors spent for it on both ends, and what others took of them meanwhile."""
    result = transfer(standing.contestant, plan.tcp_seconds, 1)
    standing.add("tcp_bit_per_s", result["bytes"] * 8 / result["seconds"])
    standing.add("cpu_s_per_gb", result["ours"] / result["bytes"] * 1e9)
    standing.add("others_load", result["others"] / result["seconds"] / (os.cpu_count() or 1))


def transfer(contestant: Contestant, seconds: float, flows: int) -> dict[str, Any]:
    """Send bytes over TCP as fast as it goes.

    Raises:
        LabError: some link carries next to nothing: the links were not really joined.
    """
    for _ in range(ATTEMPTS):
        before = contestant.received()
        result = exchange(
            contestant, "bulk-server", "bulk", protocol=contestant.stream, seconds=seconds, flows=flows,
            owner=os.getpid(),
        )
        carried = [after - was for after, was in zip(contestant.received(), before, strict=True)]
        if min(carried) >= MIN_SHARE * sum(carried) / len(carried):
            return result
    raise LabError(f"{contestant.title}: a link lies idle; received bytes by link: {carried}")


def udp(standing: Standing, plan: Plan) -> None:
    """UDP packets a second at which at most 0.5 % are lost, by size, and whether the generator was the limit."""
    for size in plan.sizes if standing.contestant.datagrams else ():
        name = f"udp_{size}_per_s"
        last = list(standing.figures.get(name, {}).values())[-1:]
        rate = find_rate(standing.contestant, size, plan, *last)
        standing.add(name, rate.rate)
        standing.add(f"udp_{size}_capped", rate.capped)


def round_trips(standing: Standing, plan: Plan) -> None:
    """Round-trip time of single datagrams on an idle path."""
    contestant = standing.contestant
    if not contestant.datagrams:
        return
    times = exchange(contestant, "pong", "ping", count=plan.pings, seconds=plan.pings * PING_TIME)["times"]
    if not times:
        raise LabError(f"{contestant.title}: no message was answered")
    for label, share in PERCENTILES.items():
        standing.add(f"rtt_{label}_s", times[min(int(len(times) * share), len(times) - 1)])


def memory(standing: Standing, plan: Plan) -> None:  # noqa: ARG001 - all measures look alike
    """Memory that a node, the larger of both, held at most, the load of this round included."""
    held = standing.contestant.memory()
    if held is not None:
        standing.add("memory_bytes", held)


TCP: Final = "TCP"
"""What is measured of contestants that are there for comparison with their like; repeated in each round."""
MEASURES: Final[dict[str, tuple[Measure, ...]]] = {
    TCP: (tcp, memory), "UDP": (udp,), "round trips": (round_trips, memory),
}
"""What is measured in turns, by its title."""


def find_rate(contestant: Contestant, size: int, plan: Plan, last: float = 0.0) -> Rate:
    """Search the limit around the last round's; in the first round, around what an overloaded path still carries."""
    find = partial(search, partial(try_twice, contestant, size, plan.trial_seconds), precision=plan.precision)
    if last:
        return find(last, step=1.1, trials=plan.trials)
    overload = try_rate(contestant, size, plan.trial_seconds, 0)
    seconds = overload.receive_seconds or plan.trial_seconds
    return find(max(overload.received / seconds * FIRST_TRIAL, 100.0), step=1.4, trials=plan.trials)


def try_twice(contestant: Contestant, size: int, seconds: float, rate: float) -> Trial:
    """Try a rate, and after a failure once more: what else runs on the machine must not decide."""
    first = try_rate(contestant, size, seconds, rate)
    return first if first.carried else try_rate(contestant, size, seconds, rate)


def try_rate(contestant: Contestant, size: int, seconds: float, rate: float) -> Trial:
    """Send datagrams of a size at a rate (0: as fast as it goes)."""
    count = int((rate or 1e6) * seconds) + 1
    result = exchange(contestant, "flood-server", "flood", size=size, seconds=seconds, rate=rate, count=count)
    sent, arrived = result["client"], result["server"]
    return Trial(sent["sent"], sent["seconds"], arrived["received"], arrived["seconds"])
