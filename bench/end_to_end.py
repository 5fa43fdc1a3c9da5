"""End to end: the contestants take turns, round after round, and every figure comes from the same run.

What is measured is a table, `MEASURES`: TCP goodput with the processors' time that it cost, UDP packets a second,
round-trip times on an idle and on a busy path, memory. Everything runs in network namespaces of this machine, both
ends of it.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from alagg.lab.namespace import LabError
from bench.contestants import CONTESTANTS, Share
from bench.failures import FAILURES, line
from bench.pairs import exchange, start
from bench.search import Rate, Trial, search
from bench.standing import Standing, add_differences

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.contestants import Contestant

    Measure = Callable[[Standing, "Plan"], None]

MIN_SHARE: Final = 0.1
"""Share of the bytes that each link must carry, or the links were not really joined."""
ATTEMPTS: Final = 3
CHANCES: Final = 2
"""How many rounds may fail until a contestant is out."""
PING_TIME: Final = 0.004
"""Seconds that a round trip may take on the average, its pause included; then the rest is left out."""
PERCENTILES: Final = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
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
    flows: tuple[int, ...] = (1, 8)
    trial_seconds: float = 0.3
    trials: int = 4
    precision: float = 0.06
    """Width of the bracket at which the search for a rate ends, as a share."""
    sizes: tuple[int, ...] = (64, 512, 1400)
    """Bytes of the UDP payload."""
    pings: int = 1000
    loaded_pings: int = 600

    only_tcp: frozenset[Share] = frozenset({Share.TCP})
    """Of whom only TCP and memory are measured."""

    def turns(self) -> list[tuple[str, int]]:
        """Give what is measured in a round, one after the other: its title, and which time it is, from 0."""
        return [(title, again) for title in MEASURES for again in range(self.transfers if title in BRIEF else 1)]

    def shared(self, share: Share) -> Plan:
        """Give the plan for a contestant; those there for comparison have less, but as long a transfer."""
        if share is Share.FULL:
            return self
        if share is Share.TCP:
            return replace(self, flows=self.flows[:1])
        return replace(
            self, trial_seconds=self.trial_seconds / 2, trials=min(self.trials, 3), precision=self.precision * 2,
            pings=self.pings // 2, loaded_pings=self.loaded_pings // 2,
        )


FULL: Final = Plan()
QUICK: Final = Plan(
    rounds=2, budget=260.0, tcp_seconds=1.0, flows=(1,), trial_seconds=0.2, trials=3, precision=0.2, sizes=(64, 1400),
    pings=300, loaded_pings=150, only_tcp=frozenset({Share.SHORT, Share.TCP}),
)


def run(
    names: Sequence[str], plan: Plan, standings: dict[str, Standing], *, say: Callable[[str], None],
    fail: Callable[[str], None],
) -> None:
    """Let the contestants take turns.

    One that cannot be set up, or fails in a turn, is told; the others go on, and what it has reached counts. It gets
    another chance in the next round.

    Args:
        names: who takes part.
        plan: how long everything takes.
        standings: gets the figures of each; whoever interrupts finds there what was measured until then.
        say: is told what comes next.
        fail: is told what could not be measured, and why, in a line.
    """
    try:
        with ExitStack() as labs:
            for name in names:
                try:
                    standings[name] = Standing(labs.enter_context(CONTESTANTS[name]()))
                except FAILURES as error:
                    fail(f"{name} does not take part: {line(error)}")
            begin = time.monotonic()
            for number in range(plan.rounds if standings else 0):
                if number and (time.monotonic() - begin) * (number + 1) / number > plan.budget:
                    say(f"no time for more than {number} rounds")
                    break
                take_turns(standings, number, plan, say=say, fail=fail)
    finally:
        add_differences(standings)


def take_turns(
    standings: Mapping[str, Standing], number: int, plan: Plan, *, say: Callable[[str], None],
    fail: Callable[[str], None],
) -> None:
    """Let everybody who is still in be measured in one round: one thing after the other, each in turns."""
    left = [standing for standing in standings.values() if standing.failed < CHANCES]
    for title, repeat in plan.turns():
        say(f"round {number + 1} of {plan.rounds}: {title}")
        for standing in list(left):
            if title not in BRIEF and standing.contestant.share in plan.only_tcp:
                continue
            standing.round = number * plan.transfers + repeat
            try:
                take_turn(standing, title, plan)
            except FAILURES as error:
                left.remove(standing)
                standing.failed += 1
                last = "; it is out" if standing.failed == CHANCES else ""
                fail(f"{standing.contestant.title} failed in round {number + 1}: {line(error)}{last}")


def take_turn(standing: Standing, title: str, plan: Plan) -> None:
    """Measure one thing of one contestant while all others are halted."""
    own = plan.shared(standing.contestant.share)
    with standing.contestant.turn():
        for measure in MEASURES[title]:
            measure(standing, own)


# --- what is measured ----------------------------------------------------------------------------------------------


def tcp(standing: Standing, plan: Plan) -> None:
    """TCP goodput, what the processors spent for it on both ends, and what others took of them meanwhile."""
    for flows in plan.flows:
        result = transfer(standing.contestant, plan.tcp_seconds, flows)
        standing.add(f"tcp_{flows}_bit_per_s", result["bytes"] * 8 / result["seconds"])
        standing.add(f"tcp_{flows}_cpu_s_per_gb", result["ours"] / result["bytes"] * 1e9)
        if flows == 1:
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
    """UDP packets a second at which at most 0.5 % are lost, for each size."""
    if not standing.contestant.datagrams:
        return
    for size in plan.sizes:
        name = f"udp_{size}_per_s"
        rate = find_rate(standing.contestant, size, plan, standing.last(name))
        standing.add(name, rate.rate)
        if rate.capped:
            standing.capped[name] += 1


def round_trips(standing: Standing, plan: Plan) -> None:
    """Round-trip time of single messages on an idle path."""
    contestant = standing.contestant
    protocols = {"tcp": contestant.stream, **({"udp": "udp"} if contestant.datagrams else {})}
    for name, protocol in protocols.items():
        seconds = plan.pings * PING_TIME
        times = exchange(contestant, "pong", "ping", protocol=protocol, count=plan.pings, seconds=seconds)["times"]
        add_percentiles(standing, f"rtt_{name}", times)


def loaded_round_trips(standing: Standing, plan: Plan) -> None:
    """Round-trip time of single messages beside a TCP flow that takes all it gets."""
    contestant = standing.contestant
    protocol = "udp" if contestant.datagrams else contestant.stream
    seconds = plan.loaded_pings * PING_TIME
    with ExitStack() as stack:
        load = start(stack, contestant, "bulk-server", "bulk", protocol=contestant.stream, seconds=seconds)
        times = exchange(
            contestant, "pong", "ping", protocol=protocol, count=plan.loaded_pings, seconds=seconds
        )["times"]
        load.finish()
    add_percentiles(standing, "rtt_loaded", times)


def add_percentiles(standing: Standing, name: str, times: Sequence[float]) -> None:
    """Note the percentiles of sorted times."""
    if not times:
        raise LabError(f"{standing.contestant.title}: no message was answered")
    for label, share in PERCENTILES.items():
        standing.add(f"{name}_{label}_s", times[min(int(len(times) * share), len(times) - 1)])


def memory(standing: Standing, plan: Plan) -> None:  # noqa: ARG001 - all measures look alike
    """Memory that a node, the larger of both, held at most, the load of this round included."""
    held = standing.contestant.memory()
    if held is not None:
        standing.add("memory_bytes", held)


MEASURES: Final[dict[str, tuple[Measure, ...]]] = {
    "TCP": (tcp, memory),
    "UDP": (udp,),
    "round trips": (round_trips,),
    "round trips beside TCP": (loaded_round_trips, memory),
}
"""What is measured in turns, by its title."""
BRIEF: Final = frozenset({"TCP"})
"""What is measured of contestants that are there for comparison with their like; repeated in each round."""


def find_rate(contestant: Contestant, size: int, plan: Plan, last: float | None) -> Rate:
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
