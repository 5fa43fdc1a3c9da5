"""End to end: the contestants take turns, round after round, and every figure comes from the same run.

What is measured is a table, `MEASURES`: TCP goodput with the processors' time that it cost, UDP packets a second,
round-trip times, memory. Everything runs in network namespaces of this machine, both ends of it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from alagg.lab.namespace import LabError, python
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
FIRST_TRIAL: Final = 0.9
"""What an overloaded path still carries, times this, is the first guess of its limit."""


@dataclass(frozen=True)
class Plan:
    """How long everything takes."""

    rounds: int = 5
    tcp_seconds: float = 4.0
    trial_seconds: float = 0.6
    trials: int = 8
    precision: float = 0.04
    """Width of the bracket at which the search for a rate ends, as a share."""
    sizes: tuple[int, ...] = (64, 512, 1400)
    """Bytes of the UDP payload."""
    pings: int = 500


FULL: Final = Plan()
QUICK: Final = Plan(rounds=3, tcp_seconds=1.5, trial_seconds=0.4, trials=5, precision=0.15, sizes=(512,), pings=200)


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
    """Let the contestants take turns; give the figures of each.

    Raises:
        LabError: a contestant could not be set up or measured.
    """
    with ExitStack() as labs:
        standings = {name: Standing(labs.enter_context(CONTESTANTS[name]())) for name in names}
        for number in range(plan.rounds):
            for standing in standings.values():
                say(f"round {number + 1} of {plan.rounds}: {standing.contestant.title}")
                for measure in MEASURES:
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
    contestant = standing.contestant
    for _ in range(ATTEMPTS):
        before = contestant.received()
        result = exchange(
            contestant, "bulk-server", "bulk", protocol=contestant.stream, seconds=plan.tcp_seconds, owner=os.getpid()
        )
        carried = [after - was for after, was in zip(contestant.received(), before, strict=True)]
        if min(carried) >= MIN_SHARE * sum(carried):
            standing.add("tcp_bit_per_s", result["bytes"] * 8 / result["seconds"])
            standing.add("tcp_cpu_s_per_gb", result["ours"] / result["bytes"] * 1e9)
            standing.add("others_load", result["others"] / result["seconds"] / (os.cpu_count() or 1))
            return
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
        times = exchange(contestant, "pong", "ping", protocol=protocol, count=plan.pings)["times"]
        standing.add(f"rtt_{name}_p50_s", times[len(times) // 2])
        standing.add(f"rtt_{name}_p99_s", times[len(times) * 99 // 100])


def memory(standing: Standing, plan: Plan) -> None:  # noqa: ARG001 - all measures look alike
    """Memory that the processes of both ends hold, after the load of this round."""
    held = standing.contestant.memory()
    if held is not None:
        standing.add("memory_bytes", held)


MEASURES: Final = (tcp, udp, round_trips, memory)


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


def exchange(contestant: Contestant, server: str, client: str, **options: object) -> dict[str, Any]:
    """Run a tool on the second host and its counterpart on the first; give what both said, and each under its side.

    Raises:
        LabError: one of them failed or did not end.
    """
    here, there, address = contestant.lab.a, contestant.lab.b, contestant.address
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    seconds = options.get("seconds", 0.0)
    timeout = _GRACE + (seconds if isinstance(seconds, float) else 0.0)
    with ExitStack() as stack:
        serving = _start(stack, there, server, address, *given)
        port = _first_line(serving, server)["port"]
        asking = _start(stack, here, client, address, f"--port={port}", *given)
        sent = _end(asking, client, timeout)
        arrived = _end(serving, server, timeout)
    return {**sent, **arrived, "client": sent, "server": arrived}


def _start(stack: ExitStack, host: Host, *arguments: str) -> subprocess.Popen[bytes]:
    process = host.popen(python(_MODULE, *arguments))
    stack.callback(process.communicate)
    stack.callback(process.kill)
    return process


def _first_line(process: subprocess.Popen[bytes], tool: str) -> dict[str, Any]:
    assert process.stdout
    if select.select([process.stdout], (), (), _START_TIMEOUT)[0] and (line := process.stdout.readline()):
        values: dict[str, Any] = json.loads(line)
        return values
    process.kill()
    raise LabError(f"{tool} did not start: {process.communicate()[1].decode()}")


def _end(process: subprocess.Popen[bytes], tool: str, timeout: float) -> dict[str, Any]:
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise LabError(f"{tool} did not end within {timeout:g} s") from None
    if process.returncode:
        raise LabError(f"{tool} failed: {errors.decode()}")
    values: dict[str, Any] = json.loads(output.splitlines()[-1])
    return values
