"""Far more traffic than a node can carry: it sheds and counts, answers, stays small, and is whole again at once."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.lab import measure
from alagg.lab.namespace import python
from alagg.lab.topology import Lab
from tests.netns import flooder
from tests.netns.conftest import running, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.measure import Family

pytestmark = [pytest.mark.netns, pytest.mark.slow]

SECONDS: Final = 30.0
FAMILIES: Final[tuple[Family, ...]] = (4, 4, 6, 6)
"""Of the senders: so many that they take the processor from the node, too."""
TIMES: Final = 5
"""How much more is sent than the node carries."""
RECOVERY: Final = 2.0
"""Seconds after the flood in which the node must be whole again."""
GROWTH: Final = 10e6
"""Bytes by which a node may grow."""
PATIENCE: Final = 10.0
"""Seconds in which `alagg status` must answer: it shares the processor with the flood."""


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Give bare links, so that nothing but the nodes can lose anything."""
    with running(Lab(links=2, direct=True)) as built:
        yield built


@pytest.mark.timeout(180)
def test_an_overloaded_node_sheds_answers_and_recovers(lab: Lab) -> None:
    lab.a.ping(lab.b, count=100)
    before = [host.node.status() for host in lab.hosts]
    memory = [host.node.memory() for host in lab.hosts]
    with listeners(lab):
        sent, answers = flood(lab)
        time.sleep(RECOVERY)
        after = [host.node.status() for host in lab.hosts]
        grown = [host.node.memory() - was for host, was in zip(lab.hosts, memory, strict=True)]
        pings = [measure.ping(lab.a, lab.b, count=400, interval=0.01, family=family) for family in (4, 6)]
        results = [ping.result() for ping in pings]
    say(f"sent {sent}, status answered after {answers} s, grown by {grown} bytes", *results)
    for result in results:
        assert (result.lost, result.duplicated) == (0, 0)
    assert len(answers) > 3
    assert max(answers) < PATIENCE
    assert max(grown) < GROWTH
    captured = shed_and_counted(sent, *(part(status, "capture") for status in (before[0], after[0])))
    assert sent > TIMES * captured, "that was no overload"
    nothing_unaccounted_for(before, after)


def flood(lab: Lab) -> tuple[int, list[float]]:
    """Flood over both families; give how much was sent, and how long each `alagg status` took meanwhile."""
    floods = [
        lab.a.popen(python(flooder.__name__, lab.b.address(family), f"--seconds={SECONDS}")) for family in FAMILIES
    ]
    answers = []
    while any(one.poll() is None for one in floods):
        asked = time.monotonic()
        done = lab.a.node.command("status", "--json", timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["peers"]
        answers.append(round(time.monotonic() - asked, 3))
        time.sleep(1)
    return sum(json.loads(one.communicate()[0])["sent"] for one in floods), answers


@contextmanager
def listeners(lab: Lab) -> Iterator[None]:
    """Hold the flooded ports on host b, so that its kernel does not answer that nobody is there."""
    with ExitStack() as stack:
        for family in (4, 6):
            listener = stack.enter_context(
                lab.b.popen(python(flooder.__name__, lab.b.address(family), "--listen"))
            )
            stack.callback(listener.communicate)
            assert listener.stdout
            assert listener.stdout.readline()
        yield


# --- every packet's fate ------------------------------------------------------------------------------------------


def shed_and_counted(sent: int, before: dict[str, int], after: dict[str, int]) -> int:
    """Look for every datagram at the way in: captured, or dropped under a name; give how many were captured."""
    capture = changes(before, after)
    say(f"capture {capture}")
    others = capture["captured"] + capture["dropped_queue_full"] + capture["dropped_buffer_full"] - sent
    assert 0 <= others < 200, "more or fewer packets than were sent: neighbours ask now and then, no one else does"
    return capture["captured"]


def nothing_unaccounted_for(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Follow the packets from a's capture to b's injector: each counter's sum is that of the counters behind it."""
    capture, injector = changes(part(before[0], "capture"), part(after[0], "capture")), changes(
        part(before[1], "injector"), part(after[1], "injector")
    )
    tx = changes(before[0]["peers"][0]["tx"], after[0]["peers"][0]["tx"])
    rx = changes(before[1]["peers"][0]["rx"], after[1]["peers"][0]["rx"])
    say(f"tx {tx}", f"rx {rx}", f"injector {injector}")
    assert capture["captured"] == tx["captured"] + after[0]["drops"]["no_peer"] - before[0]["drops"]["no_peer"]
    assert tx["captured"] == tx["sent"] + total(tx, "dropped_")
    for index in (0, 1):
        out = changes(before[0]["links"][index], after[0]["links"][index])
        came = changes(before[1]["links"][index], after[1]["links"][index])
        say(f"link {index}: out {out}; came {came}")
        # Probes and their answers cross between the moments at which the two nodes are asked.
        assert abs(out["tx_frames"] - came["rx_frames"] - came["rx_dropped"] - came["malformed"]) < 10
    assert rx["passed"] == rx["delivered"] + total(rx, "refused_") + rx["pieces_joined"] + rx["pieces_incomplete"]
    assert rx["delivered"] == injector["injected"] + total(injector, "dropped_")
    assert tx["sent"] == rx["passed"] + rx["lost"]


def part(status: dict[str, Any], name: str) -> dict[str, int]:
    counters: dict[str, int] = status[name]
    return counters


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """Give how far each counter went on; some appear only when they have something to count."""
    return {name: value - before.get(name, 0) for name, value in after.items() if isinstance(value, int)}


def total(counters: dict[str, int], prefix: str) -> int:
    """Add up all reasons of one kind."""
    return sum(value for name, value in counters.items() if name.startswith(prefix))
