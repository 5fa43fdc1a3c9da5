"""The emulator's process between real interfaces: each fault shows up, and none of them ends it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from alagg.lab import emulator, measure
from alagg.lab.namespace import LabError, python
from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAME = bytes(range(12)) + b"\x08\x00payload"

pytestmark = pytest.mark.netns


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    with Lab(links=2, emulated=True, seed=7) as lab:
        yield lab


@pytest.fixture
def lab(shared: Lab) -> Lab:
    shared.wire[0].clear()
    return shared


def test_a_tag_that_the_kernel_took_out_is_put_back() -> None:
    tagged = struct.pack("=IIIHHHH", 0x51, 0, 0, 0, 0, 0x2005, 0x88A8)
    assert emulator._with_tag(FRAME, tagged) == FRAME[:12] + b"\x88\xa8\x20\x05" + FRAME[12:]
    assert emulator._with_tag(FRAME, struct.pack("=IIIHHHH", 1, 0, 0, 0, 0, 0x2005, 0x88A8)) == FRAME


def test_a_clean_link_loses_and_repeats_nothing(lab: Lab) -> None:
    for family in (4, 6):
        seen = lab.a.ping(lab.b, count=100, interval=0.002, family=family)
        assert (seen.lost, seen.duplicated, seen.out_of_order) == (0, 0, 0)


def test_tcp_passes_with_real_checksums_and_sizes(lab: Lab) -> None:
    done = lab.a.transfer(lab.b, size=5_000_000, family=6)
    assert done.intact, done


def test_loss_shows_in_one_direction_only(lab: Lab) -> None:
    lab.wire[0].set(loss=0.3, towards=lab.b)
    before = lab.wire[0].counters(towards=lab.a)["lost"]
    seen = lab.a.ping(lab.b, count=200, interval=0.002)
    assert 20 < seen.lost < 120
    assert lab.wire[0].counters(towards=lab.a)["lost"] == before


def test_delay_shows(lab: Lab) -> None:
    lab.wire[0].set(delay=0.03)
    seen = lab.a.ping(lab.b, count=20)
    assert seen.rtt_p50 is not None
    assert seen.rtt_p50 >= 0.06
    assert seen.lost == 0


def test_reordering_shows(lab: Lab) -> None:
    lab.wire[0].set(delay=0.03, reorder=0.3, towards=lab.b)
    seen = lab.a.ping(lab.b, count=200, interval=0.002)
    assert seen.out_of_order > 20
    assert (seen.lost, seen.duplicated) == (0, 0)


def test_duplication_shows(lab: Lab) -> None:
    lab.wire[0].set(duplicate=0.5, towards=lab.b)
    seen = lab.a.ping(lab.b, count=100, interval=0.002)
    assert 20 < seen.duplicated < 80
    assert seen.lost == 0


def test_corruption_shows_as_loss(lab: Lab) -> None:
    lab.wire[0].set(corrupt=1.0, towards=lab.a)
    seen = lab.a.messages(lab.b, count=50, interval=0.002)
    assert seen.lost > 25


def test_a_rate_holds_tcp_back(lab: Lab) -> None:
    lab.wire[0].set(rate=20e6)
    assert lab.a.transfer(lab.b, size=2_000_000).goodput < 20e6


def test_a_cut_link_is_silent_until_it_is_restored(lab: Lab) -> None:
    lab.a.ping(lab.b, count=1)
    lab.wire[0].cut()
    assert lab.a.ping(lab.b, count=10).received == 0
    lab.wire[0].restore()
    assert lab.a.ping(lab.b, count=10).lost == 0


def test_every_frame_is_accounted_for(lab: Lab) -> None:
    lab.wire[0].set(loss=0.1, duplicate=0.2, corrupt=0.1, delay=0.01, jitter=0.005, rate=5e6, queue=0.02)
    lab.a.stream(lab.b, count=2000, interval=0.0005)
    for host in lab.hosts:
        seen = lab.wire[0].counters(towards=host)
        fates = ("sent", "unsent", "waiting", "lost", "cut", "queue_full")
        assert seen["received"] + seen["duplicated"] == sum(seen[fate] for fate in fates), seen
    assert lab.wire[0].counters(towards=lab.b)["queue_full"] > 0


def test_impossible_settings_are_refused_and_change_nothing(lab: Lab) -> None:
    with pytest.raises(LabError, match="no such setting: speed"):
        lab.wire[0]._command({"towards": [0], "settings": {"speed": 1}})
    with pytest.raises(ValueError, match="loss is a share"):
        lab.wire[0].set(loss=2)
    assert lab.a.ping(lab.b, count=10).lost == 0


def test_it_survives_that_interfaces_go_down_and_away(lab: Lab) -> None:
    wire = lab.wire[0]
    for gone, back in (
        (wire.unplug, wire.plug),
        (lambda: lab.a.link_down(0), lambda: lab.a.link_up(0)),
        (lambda: wire.delete_device(lab.b), lambda: wire.create_device(lab.b)),
        (lambda: wire.delete_device(lab.a), lambda: wire.create_device(lab.a)),
    ):
        traffic = measure.stream(lab.b, lab.a, count=50, interval=0.002)
        gone()
        traffic.result()
        back()
        lab.a.await_reach(lab.b)
        assert lab.a.ping(lab.b, count=20).lost == 0


def test_a_vlan_tag_passes(lab: Lab) -> None:
    received = lab.b.popen(python("tests.lab.frames", "receive", "eth1"))
    assert received.stdout
    assert received.stdout.readline() == b"ready\n"
    lab.a.run(python("tests.lab.frames", "send", "eth1"))
    out, err = received.communicate(timeout=20)
    assert out.decode().strip() == "8100 2005", err


def test_the_process_ends_with_its_input() -> None:
    with Lab(links=1, emulated=True) as lab:
        process = lab.wire[0]._process  # type: ignore[attr-defined]
        process.stdin.close()
        assert process.wait(10) == 0
        process.stdin = None
