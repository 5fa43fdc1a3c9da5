"""A flood of hostile frames: the node lives, stays small, counts each frame, and good traffic flows on.

The attacker sits on the segment of link 0 and sends from the peer's MAC address and from others. Each frame from the
peer's address is counted under a reason. Those from other addresses, to other hosts or of another EtherType are not:
the filter on the node's socket drops them in the kernel, which keeps no count for filters. Here it is the attacker's
own count, and the node's counters that agree without them, that show that they went nowhere.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.lab import measure
from alagg.lab.namespace import python
from tests.netns import attacker
from tests.netns.conftest import say

if TYPE_CHECKING:
    from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns

GROWTH: Final = 10e6
"""Bytes by which the node may grow."""
INTERVAL: Final = 0.01
FATES: Final = ("passed", "discarded", "rogue", "probes", "replies", "bad_cookie", "control_frames")
"""What becomes of an intact frame."""
ENDS: Final = (
    "delivered", "refused_malformed_packet", "refused_foreign_source", "refused_foreign_destination",
    "pieces_joined", "pieces_waiting", "pieces_incomplete", "pieces_inconsistent", "held",
)  # fmt: skip
"""What becomes of a number that has passed."""


MILLION: Final = pytest.param(1_000_000, 50_000, marks=[pytest.mark.slow, pytest.mark.timeout(240)])


@pytest.mark.parametrize(("count", "rate"), [(60_000, 12_000), MILLION])
def test_a_flood_of_hostile_frames_harms_nobody(lab: Lab, count: int, rate: int) -> None:
    lab.a.ping(lab.b, count=100)
    seconds = count / rate + 4
    memory = lab.a.node.memory()
    peer_before, before, peer_ready = lab.b.node.status(), lab.a.node.status(), lab.b.node.status()
    pings = [
        measure.ping(lab.a, lab.b, count=int(seconds / INTERVAL), interval=INTERVAL),
        measure.ping(lab.b, lab.a, count=int(seconds / INTERVAL), interval=INTERVAL, family=6),
    ]
    sent = flood(lab, count, rate)
    results = [ping.result() for ping in pings]
    peer_done, after, peer_after = lab.b.node.status(), lab.a.node.status(), lab.b.node.status()
    grown = lab.a.node.memory() - memory
    say(f"sent {sent}", f"grown by {grown / 1e6:.1f} MB", *results)
    for result in results:
        assert (result.lost, result.duplicated) == (0, 0)
    assert grown < GROWTH
    assert lab.a.node.running
    link, receiver = changes(before["links"][0], after["links"][0]), changes(rx(before), rx(after))
    # Probes go on while the nodes are asked, so the peer is asked before and after: its count has two bounds.
    fewest, most = tx_frames(peer_done) - tx_frames(peer_ready), tx_frames(peer_after) - tx_frames(peer_before)
    hostile = sum(sent[kind.__name__] for kind in attacker.COUNTED)
    say(f"link {link}", f"rx {receiver}", f"good {fewest} to {most}, hostile {hostile}")
    assert fewest <= link["malformed"] + link["rx_frames"] + link["rx_dropped"] - hostile <= most
    assert receiver["frames"] == sum(receiver[fate] for fate in FATES)
    assert receiver["passed"] + receiver["joined_again"] == sum(receiver[end] for end in ENDS)
    assert receiver["resets"] == 0, "a forged stream has taken the good one's place"


def flood(lab: Lab, count: int, rate: float) -> dict[str, int]:
    """Let the attacker attack host a on link 0; give how many frames of each kind it sent."""
    options = [f"--count={count}", f"--rate={rate}"]
    done = lab.middle.run(python("tests.netns.attacker", "a0", lab.a.mac(0), *options), timeout=200)
    sent: dict[str, int] = json.loads(done.stdout)
    return sent


def tx_frames(status: dict[str, Any]) -> int:
    """Give how many frames a node has sent on link 0."""
    return int(status["links"][0]["tx_frames"])


def rx(status: dict[str, Any]) -> dict[str, Any]:
    counters: dict[str, Any] = status["peers"][0]["rx"]
    return counters


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """Give how far each counter went on; a link's reasons appear with their first frame."""
    return {name: value - before.get(name, 0) for name, value in after.items() if isinstance(value, int)}
