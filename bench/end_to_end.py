"""End to end: the contestants take turns, round after round, and every figure comes from the same run.

What is measured is a table, `MEASURES`: TCP goodput with the processors' time that it cost, UDP packets a second,
round-trip times on an idle and on a busy path, memory. Everything runs in network namespaces of this machine, both
ends of it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from alagg.lab.namespace import LabError, finish, python
from bench.contestants import CEILING, CONTESTANTS
from bench.search import Rate, Trial, search

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alagg.lab.host import Host
    from bench.contestants import Contestant

_MODULE: Final = "bench.traffic"
_START_TIMEOUT: Final = 20.0
_GRACE: Final = 30.0
"""Seconds that a tool may take beyond its own time."""
MIN_SHARE: Final = 0.1
"""Share of the bytes that each link must carry, or the links were not really joined."""
ATTEMPTS: Final = 3
PING_TIME: Final = 0.004
"""Seconds that a round trip may take on the average, its pause included; then the rest is left out."""
PERCENTILES: Final = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
FIRST_TRIAL: Final = 0.9
"""What an overloaded path still carries, times this, is the first guess of its limit."""


@dataclass(frozen=True)
class Plan:
    """How long everything takes."""

    rounds: int = 3
    budget: float = 780.0
    """Seconds after which no further round is begun; it would end later."""
    tcp_seconds: float = 2.5
    flows: tuple[int, ...] = (1, 8)
    trial_seconds: float = 0.4
    trials: int = 5
    precision: float = 0.06
    """Width of the bracket at which the search for a rate ends, as a share."""
    sizes: tuple[int, ...] = (64, 512, 1400)
    """Bytes of the UDP payload."""
    pings: int = 1000
    loaded_pings: int = 1000


FULL: Final = Plan()
QUICK: Final = Plan(
    rounds=2, budget=135.0, tcp_seconds=1.0, flows=(1,), trial_seconds=0.2, trials=3, precision=0.2, sizes=(64, 1400),
    pings=300, loaded_pings=150,
)


@dataclass
class Standing:
    """One contestant's figures so far."""

    contestant: Contestant
    samples: dict[str, list[float]] = field(default_factory=dict)
    """By the figure's name, one of each round."""
    capped: Counter[str] = field(default_factory=Counter)
    """In how many rounds the generator, not the path, limited a figure."""

    def add(self, name: str, value: float) -> None:
        """Note one figure of this round."""
        self.samples.setdefault(name, []).append(value)

    def last(self, name: str) -> float | None:
        """Give a figure of the round before."""
        return self.samples[name][-1] if name in self.samples else None


def run(names: Sequence[str], plan: Plan, say: Callable[[str], None]) -> dict[str, Standing]:
    """Let the contestants take turns; give the figures of each. One that cannot be set up is said and left out.

    Raises:
        LabError: a contestant could not be measured, or none could be set up.
    """
    with ExitStack() as labs:
        standings: dict[str, Standing] = {}
        for name in names:
            try:
                standings[name] = Standing(labs.enter_context(CONTESTANTS[name]()))
            except LabError as error:
                say(f"{name} does not take part: {error}")
        if not standings:
            raise LabError("no contestant could be set up")
        begin = time.monotonic()
        for number in range(plan.rounds):
            if number and (time.monotonic() - begin) * (number + 1) / number > plan.budget:
                say(f"no time for more than {number} rounds")
                break
            for standing in standings.values():
                say(f"round {number + 1} of {plan.rounds}: {standing.contestant.title}")
                with standing.contestant.turn():
                    for measure in MEASURES if standing.contestant.thorough else BRIEF:
                        measure(standing, plan)
        add_differences(standings)
        return standings


def add_differences(standings: dict[str, Standing]) -> None:
    """Add the round-trip time beyond the bare link's, round by round."""
    if CEILING not in standings:
        return
    for name in [name for name in standings[CEILING].samples if name.startswith("rtt_")]:
        base = standings[CEILING].samples[name]
        for standing in standings.values():
            for value, bare in zip(standing.samples.get(name, ()), base, strict=False):
                standing.add(f"added_{name}", value - bare)


# --- what is measured ----------------------------------------------------------------------------------------------


def tcp(standing: Standing, plan: Plan) -> None:
    """TCP goodput, what the processors spent for it on both ends, and what others took of them meanwhile."""
    for flows in plan.flows if standing.contestant.thorough else plan.flows[:1]:
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


MEASURES: Final = (tcp, udp, round_trips, loaded_round_trips, memory)
BRIEF: Final = (tcp, memory)
"""What is measured of contestants that are there for comparison with their like."""


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


# --- tools in pairs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """A tool on the second host and its counterpart on the first, both running."""

    serving: subprocess.Popen[bytes]
    asking: subprocess.Popen[bytes]
    timeout: float

    def finish(self) -> dict[str, Any]:
        """Wait for both; give what both said, and each under its side.

        Raises:
            LabError: one of them failed or did not end.
        """
        sent = _end(self.asking, self.timeout)
        arrived = _end(self.serving, self.timeout)
        return {**sent, **arrived, "client": sent, "server": arrived}


def exchange(contestant: Contestant, server: str, client: str, **options: object) -> dict[str, Any]:
    """Run a tool on the second host and its counterpart on the first; give what both said, and each under its side.

    Raises:
        LabError: one of them failed or did not end.
    """
    with ExitStack() as stack:
        return start(stack, contestant, server, client, **options).finish()


def start(stack: ExitStack, contestant: Contestant, server: str, client: str, **options: object) -> Pair:
    """Start a pair of tools; the stack ends them if nobody else does.

    Raises:
        LabError: the server did not start.
    """
    here, there, address = contestant.lab.a, contestant.lab.b, contestant.address
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    seconds = options.get("seconds", 0.0)
    serving = _start(stack, there, server, address, *given)
    port = _first_line(serving, server)["port"]
    asking = _start(stack, here, client, address, f"--port={port}", *given)
    return Pair(serving, asking, _GRACE + (seconds if isinstance(seconds, float) else 0.0))


def _start(stack: ExitStack, host: Host, *arguments: str) -> subprocess.Popen[bytes]:
    process = host.popen(python(_MODULE, *arguments))
    stack.callback(finish, process)
    return process


def _first_line(process: subprocess.Popen[bytes], tool: str) -> dict[str, Any]:
    assert process.stdout
    if select.select([process.stdout], (), (), _START_TIMEOUT)[0] and (line := process.stdout.readline()):
        values: dict[str, Any] = json.loads(line)
        return values
    process.kill()
    raise LabError(f"{tool} did not start: {process.communicate()[1].decode()}")


def _end(process: subprocess.Popen[bytes], timeout: float) -> dict[str, Any]:
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise LabError(f"{_said(process)} did not end within {timeout:g} s") from None
    if process.returncode:
        raise LabError(f"{_said(process)} failed: {errors.decode()}")
    values: dict[str, Any] = json.loads(output.splitlines()[-1])
    return values


def _said(process: subprocess.Popen[bytes]) -> str:
    assert isinstance(process.args, list)
    return " ".join(map(str, process.args[process.args.index(_MODULE):]))
