"""Where UDP links lead: addresses that are tried in turn, names, ways that the kernel refuses, and what is asked."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from alagg.config import load
from alagg.engine.events import NameWanted
from alagg.messages import HostFacts, Names
from alagg.ports.udpport import Place
from alagg.whereabouts import LOOP, TRY, place_of
from tests.engine.helpers import ONE, TWO, networks, numbered
from tests.udp_pair import Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from alagg.engine.events import Event

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="marks need root")


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., Pair]]:
    pairs: list[Pair] = []

    def make(**options: str) -> Pair:
        pairs.append(Pair(tmp_path, **options))
        return pairs[-1]

    yield make
    for pair in pairs:
        pair.close()


def cross(pair: Pair) -> list[bytes]:
    packets = numbered(range(20), source=TWO, destination=ONE)
    pair.spoke.capture.put(packets)
    pair.settle()
    assert pair.hub.packets() in ([], packets)
    return packets


def named(pair: Pair) -> Pair:
    """Have the spoke know the hub by a name."""
    port = pair.place.rpartition(":")[2]
    pair.restart(f"remote = hub.example:{port}")
    return pair


def test_name_is_looked_up_and_its_addresses_are_tried_in_turn(build: Callable[..., Pair]) -> None:
    pair = named(build())
    assert pair.spoke.link()["reason"].endswith("is being looked up")
    pair.spoke.worker.take_names(Names({}, {"hub.example": "Name or service not known"}))
    assert pair.spoke.link()["reason"] == "hub.example cannot be looked up: Name or service not known"
    pair.spoke.worker.take_names(Names({"hub.example": ("127.0.0.9", "127.0.0.1")}, {}))
    assert pair.spoke.link()["address"].startswith("127.0.0.9:")
    pair.run(TRY + 3.5)
    assert pair.spoke.link()["address"] == pair.place
    assert (pair.hub.link()["state"], pair.spoke.link()["state"]) == ("up", "up")


def test_name_is_looked_up_again_when_nobody_answers(build: Callable[..., Pair]) -> None:
    pair = named(build())
    told: list[Event] = []
    pair.spoke.worker.on_event = lambda event, _: told.append(event)
    pair.spoke.worker.take_names(Names({"hub.example": ("127.0.0.9",)}, {}))
    pair.run(TRY + 2)
    assert NameWanted("hub.example") in told
    pair.spoke.worker.take_names(Names({"hub.example": ("127.0.0.1",)}, {}))
    pair.run(1.5)
    assert pair.spoke.link()["state"] == "up"


def test_address_that_answers_is_kept(build: Callable[..., Pair]) -> None:
    pair = named(build())
    pair.spoke.worker.take_names(Names({"hub.example": ("127.0.0.1", "127.0.0.9")}, {}))
    pair.run(3 * TRY)
    assert pair.spoke.link()["address"] == pair.place


def test_way_that_the_kernel_refuses_is_tried_again(build: Callable[..., Pair]) -> None:
    pair = build()
    pair.run(1.5)
    whereabouts = pair.spoke.worker.whereabouts
    (link,) = whereabouts.ways
    whereabouts.refused(link, OSError(errno.ENETUNREACH, "Network is unreachable"), pair.clock.now)
    assert (pair.spoke.link()["state"], pair.spoke.link()["reason"]) == ("down", "Network is unreachable")
    pair.run(1.5)
    assert pair.spoke.link()["state"] == "up"
    assert cross(pair)


def test_frames_that_would_come_back_are_not_sent(build: Callable[..., Pair], tmp_path: Path) -> None:
    pair = build()
    path = tmp_path / "loop.cfg"
    path.write_text(
        f"[alagg]\ncontrol_socket = {tmp_path / 'loop.sock'}\n[peer far]\ndestinations = 10.77.0.0/16\n"
        "[link wan]\ntype = udp\nremote = 10.77.0.1:7311\n", encoding="utf-8",
    )
    pair.spoke.worker.reconfigure(load(path))
    pair.spoke.worker.take_facts(HostFacts({}, networks(TWO)))
    assert (pair.spoke.link()["state"], pair.spoke.link()["reason"]) == ("down", LOOP)
    pair.spoke.worker.take_facts(HostFacts({}, networks(TWO), ways=(("10.77.0.1", 1),)))
    assert pair.spoke.link()["reason"] != LOOP


def test_links_that_stay_keep_their_addresses(build: Callable[..., Pair]) -> None:
    pair = build()
    pair.run(1.5)
    before = pair.hub.link()["address"]
    pair.hub.worker.reconfigure(load(pair.hub.worker.config.path))
    assert pair.hub.link()["address"] == before
    assert cross(pair)


def test_mtu_is_the_route_s_or_the_interface_s(build: Callable[..., Pair]) -> None:
    pair = build()
    pair.run(1.5)
    whereabouts = pair.spoke.worker.whereabouts
    (link,) = whereabouts.ways
    assert link.mtu == whereabouts.ways[link].room
    assert whereabouts.mtu(link, 1500) == 1472


@pytest.mark.parametrize(("link", "place"), [
    ("local = 0.0.0.0:7311", Place("", "0.0.0.0", 7311)),
    ("local = [::]:7311\ninterface = wwan0", Place("wwan0", "::", 7311)),
    ("remote = 192.0.2.1:7311", Place("", "0.0.0.0", 0, "wan")),
    ("remote = [2001:db8::1]:7311", Place("", "::", 0, "wan")),
    ("remote = hub.example:7311", Place("", "::", 0, "wan")),
])
def test_place_of_a_link(build: Callable[..., Pair], link: str, place: Place) -> None:
    pair = build()
    config = pair.config("other", ONE, link)
    assert place_of(config.links[0]) == place
