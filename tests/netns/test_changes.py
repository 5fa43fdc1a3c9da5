"""A node starts, takes other configurations and stops under traffic: what can go another way meanwhile is not lost.

Before the start and after the stop that is the kernel's route, in between the other link or what was there before.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

import pytest

from alagg.control.client import request
from alagg.lab import measure
from alagg.lab.topology import Lab
from tests.netns.conftest import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.lab.host import Host
    from alagg.lab.measure import Running, Stream

pytestmark = pytest.mark.netns

INTERVAL: Final = 0.002
LONGEST: Final = 60.0
"""Seconds after which the traffic ends by itself."""
MORE: Final = """
[peer other]
destinations = 10.55.0.2
[link other]
peer = other
interface = eth1
mac = 02:00:00:00:55:02
"""


def without(section: str) -> Callable[[str], str]:
    """Take a section out of a configuration."""

    def change(text: str) -> str:
        head, mark, rest = text.partition(f"[{section}]")
        return head + "".join(rest.partition("[")[1:]) if mark else text

    return change


def with_peer_more(text: str) -> str:
    """Add a peer that nobody answers for, over an interface that is another's, too."""
    return re.sub(r"(\[link eth\d\])", rf"\1\npeer = {_peer(text)}", text) + MORE


def _peer(text: str) -> str:
    found = re.search(r"\[peer (\w+)\]", text)
    assert found
    return found[1]


def with_weights(text: str) -> str:
    """Lay packets on links by weight, and have them wait for a fixed time."""
    return text.replace("[alagg]", "[alagg]\nscheduler = weighted\nreorder_timeout = 30ms") + "weight = 3\n"


CHANGES: Final[dict[str, Callable[[str], str]]] = {
    "one link less": without("link eth1"),
    "the other link": without("link eth0"),
    "links renamed": lambda text: text.replace("[link eth", "[link cable"),
    "peer renamed": lambda text: re.sub(r"\[peer \w+\]", "[peer office]", text),
    "a peer more": with_peer_more,
    "a destination instead": lambda text: text.replace("destinations = ", "destinations = 10.55.0.1, "),
    "weights": with_weights,
    "a rate": lambda text: text + "rate = 500mbit\n",
    "as before": lambda text: text,
}
"""What a reload changes in the configuration that the node started with, one after the other."""
BRIEF: Final = ("one link less", "the other link", "peer renamed")
"""Those that the other node goes through as well; while one has a single link, the other has both."""


def flows(source: Host, target: Host) -> list[Running[Stream]]:
    return [
        measure.stream(source, target, count=round(LONGEST / INTERVAL), interval=INTERVAL, family=family)
        for family in (4, 6)
    ]


def test_start_reloads_and_stop_lose_nothing() -> None:
    with Lab(links=2) as lab:
        lab.configure()
        lab.b.node.start()
        leaving = flows(lab.a, lab.b)
        lab.a.node.start()
        lab.await_links()
        coming = flows(lab.b, lab.a)
        for host, names in ((lab.a, CHANGES), (lab.b, BRIEF)):
            go_through(host, [(name, CHANGES[name]) for name in names])
        judge(coming)
        assert lab.a.node.stop() == 0
        judge(leaving)
        lab.b.node.stop()


def go_through(host: Host, changes: list[tuple[str, Callable[[str], str]]]) -> None:
    text = host.node.config.read_text()
    for name, change in changes:
        host.node.config.write_text(change(text))
        begin = time.monotonic()
        answer = request(host.node.socket, "reload")
        say(f"{name}: {time.monotonic() - begin:.3f} s, {answer}")
        assert answer.get("ok"), (name, answer)


def judge(streams: list[Running[Stream]]) -> None:
    assert all(one.flowing for one in streams)
    for one in streams:
        one.enough()
    for found in [one.result() for one in streams]:
        say(found)
        assert (found.lost, found.duplicated) == (0, 0)
