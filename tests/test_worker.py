"""The loop: what the capture gives comes out at the other side, whatever the ports do, and each fate is counted."""

from __future__ import annotations

import dataclasses
import errno
import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.config import load
from alagg.engine.sender import PATIENCE
from alagg.worker import RETRY
from tests.engine.helpers import ONE, ONE6, TWO, TWO6, data_frames, ipv4, ipv6, numbered, numbers
from tests.memory_net import MAC, Clock, Net, Node, Wire, settle, snapshot_of, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


THREE = "10.0.0.3"


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    net = Net(tmp_path)
    yield net
    net.close()


def link(snapshot: dict[str, Any], name: str) -> dict[str, Any]:
    return next(link for link in snapshot["links"] if link["name"] == name)


# --- packets ----------------------------------------------------------------------------------------------------


def test_packets_cross_both_ways_each_once_and_in_order(net: Net) -> None:
    to_b = [*numbered(range(500)), ipv6(b"six", ONE6, TWO6)]
    to_a = [*numbered(range(300), source=TWO, destination=ONE), ipv6(b"back", TWO6, ONE6)]
    net.a.capture.put(to_b)
    net.b.capture.put(to_a)
    settle(net.a, net.b)
    assert net.b.packets() == to_b
    assert net.a.packets() == to_a


def test_packet_too_big_for_the_links_crosses_whole(net: Net) -> None:
    large = [ipv4(os.urandom(65_511)), *numbered([1])]
    assert net.exchange(large) == large


def test_packet_for_nobody_is_counted(net: Net) -> None:
    assert net.exchange([ipv4(b"?", destination="192.0.2.1")]) == []
    assert snapshot_of(net.a)["drops"] == {"no_peer": 1, "stranger": 0}


def test_several_peers_at_once(tmp_path: Path) -> None:
    clock = Clock()
    wires = {name: Wire() for name in ("b0", "b1", "c0", "c1")}
    hub_peers = {"b": (TWO, ("b0", "b1")), "c": (THREE, ("c0", "c1"))}
    hub = Node("hub", write_config(tmp_path / "hub.cfg", hub_peers), 1, wires, clock)
    leaves = [
        Node(name, write_config(tmp_path / f"{name}.cfg", {"hub": (ONE, links)}), epoch, wires, clock)
        for epoch, (name, links) in enumerate((("b", ("b0", "b1")), ("c", ("c0", "c1"))), 2)
    ]
    hub.facts([ONE])
    for leaf, address in zip(leaves, (TWO, THREE), strict=True):
        leaf.facts([address])
        leaf.capture.put(numbered(range(10), source=address, destination=ONE))
    hub.capture.put(
        [packet for pair in zip(numbered(range(100)), numbered(range(100), destination=THREE), strict=True)
         for packet in pair]
    )
    settle(hub, *leaves)
    assert leaves[0].packets() == numbered(range(100))
    assert leaves[1].packets() == numbered(range(100), destination=THREE)
    assert sorted(hub.packets()) == sorted(
        packet for address in (TWO, THREE) for packet in numbered(range(10), source=address, destination=ONE)
    )
    assert [peer["tx"]["sent"] for peer in snapshot_of(hub)["peers"]] == [100, 100]


# --- ports that fail and come back ------------------------------------------------------------------------------


def test_port_that_fails_loses_nothing_and_comes_back(net: Net) -> None:
    net.wires["eth0"].ends["a"].fail(errno.ENETDOWN)
    packets = numbered(range(200))
    assert net.exchange(packets) == packets
    state = link(snapshot_of(net.a), "eth0")
    assert (state["state"], state["reason"]) == ("down", "Network is down")
    assert net.wires["eth0"].opened["a"] == 1
    net.run(RETRY + 0.05)
    assert net.wires["eth0"].opened["a"] == 2
    net.run(0.5)
    assert link(snapshot_of(net.a), "eth0")["state"] == "up"
    frames = link(snapshot_of(net.a), "eth0")["tx_frames"]
    assert net.exchange(packets) == packets
    assert link(snapshot_of(net.a), "eth0")["tx_frames"] >= frames + 200


def test_interface_that_returns_with_another_index_is_opened_anew(net: Net) -> None:
    net.a.facts([ONE, ONE6], eth0="missing")
    assert link(snapshot_of(net.a), "eth0")["reason"] == "the interface does not exist"
    net.run(1)
    assert net.wires["eth0"].opened["a"] == 1
    net.a.facts([ONE, ONE6], index=7)
    # eth1 is another interface now, too, although nobody saw it go.
    assert {name: wire.opened["a"] for name, wire in net.wires.items()} == {"eth0": 2, "eth1": 2}
    net.run(0.5)
    packets = numbered(range(50))
    assert net.exchange(packets) == packets
    assert link(snapshot_of(net.b), "eth0")["state"] == "up"


def test_interface_that_is_down_is_left_alone_until_it_is_up(net: Net) -> None:
    net.a.facts([ONE, ONE6], eth1="no carrier")
    state = link(snapshot_of(net.a), "eth1")
    assert (state["state"], state["reason"]) == ("down", "no carrier")
    net.run(1)
    assert net.wires["eth1"].opened["a"] == 1
    net.a.facts([ONE, ONE6])
    assert net.wires["eth1"].opened["a"] == 2


def test_port_that_cannot_be_opened_is_tried_again_at_a_steady_pace(net: Net) -> None:
    net.wires["eth0"].refuse = OSError(errno.ENODEV, "No such device")
    net.wires["eth0"].ends["a"].fail()
    net.run(1)
    assert link(snapshot_of(net.a), "eth0")["reason"] == "No such device"
    net.wires["eth0"].refuse = None
    net.run(RETRY + 0.02)
    assert net.wires["eth0"].opened["a"] == 2


def test_without_any_link_packets_are_dropped_and_counted(net: Net) -> None:
    net.a.facts([ONE, ONE6], eth0="the interface is down", eth1="the interface is down")
    assert net.exchange(numbered(range(10))) == []
    assert snapshot_of(net.a)["peers"][0]["tx"]["dropped_no_link"] == 10


def test_changed_mtu_reaches_the_engine_without_opening_the_port_anew(net: Net) -> None:
    for wire in net.wires.values():
        wire.mtu = wire.ends["a"].mtu = 9000
    net.a.facts([ONE, ONE6])
    packets = [ipv4(bytes(8000))]
    assert net.exchange(packets) == packets
    sent = snapshot_of(net.a)
    assert (link(sent, "eth0")["mtu"], sent["peers"][0]["tx"]["split"]) == (9000, 0)
    assert net.wires["eth0"].opened["a"] == 1


# --- full links (defect 8 of the 2015 program) ------------------------------------------------------------------


def test_defect_8_full_link_never_delays_the_other(net: Net) -> None:
    """Send errors were ignored there, and one blocking link delayed the rest."""
    net.wires["eth0"].ends["a"].room = 3
    net.wires["eth0"].ends["a"].refused = 0
    packets = numbered(range(100))
    net.a.capture.put(packets)
    net.a.worker.step(0)  # the capture's batch goes out
    net.a.worker.step(0)
    net.b.worker.step(0)
    net.b.worker.step(0)
    assert net.b.packets() == packets
    sent = snapshot_of(net.a)
    assert link(sent, "eth0")["tx_dropped_full"] == net.wires["eth0"].ends["a"].refused > 0
    assert link(sent, "eth1")["tx_dropped_full"] == 0
    assert sent["peers"][0]["tx"]["dropped_full"] == 0


def test_defect_8_packet_that_no_link_takes_is_counted(net: Net) -> None:
    for wire in net.wires.values():
        wire.ends["a"].room = 4
    assert numbers(net.exchange(numbered(range(10)))) == [0, 1, 2, 3]
    tx = snapshot_of(net.a)["peers"][0]["tx"]
    assert (tx["captured"], tx["sent"], tx["waiting"]) == (10, 4, 6)
    net.run(2 * PATIENCE)
    tx = snapshot_of(net.a)["peers"][0]["tx"]
    assert (tx["captured"], tx["sent"], tx["dropped_full"]) == (10, 4, 6)


def test_defect_8_send_error_is_not_ignored(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failing port did not take is counted, and the other port carries on."""

    def fail(*_: object) -> int:
        raise OSError(errno.EMSGSIZE, "Message too long")

    monkeypatch.setattr(net.wires["eth0"].ends["a"], "send", fail)
    packets = numbered(range(10))
    assert net.exchange(packets) == packets
    state = link(snapshot_of(net.a), "eth0")
    assert (state["tx_dropped_down"], state["reason"]) == (10, "Message too long")


# --- reconfiguration (defect 10) --------------------------------------------------------------------------------


def test_defect_10_reload_removes_and_adds_links_without_losing_a_packet(net: Net) -> None:
    """It had no reload. Numbers go on where they were, so the other side notices nothing."""
    sent: list[bytes] = []
    for number, interfaces in enumerate((("eth0",), ("eth0", "eth1"), ("eth1",), ("eth1", "eth0"))):
        batch = numbered(range(100 * number, 100 * number + 100))
        sent += batch
        net.a.capture.put(batch)
        net.a.worker.step(0)
        net.a.worker.reconfigure(net.config("a", *interfaces))
        net.run(0.3)
    assert net.b.packets() == sent
    rx = snapshot_of(net.b)["peers"][0]["rx"]
    assert (rx["lost"], rx["resets"], rx["passed"]) == (0, 0, 400)
    state = net.a.worker.snapshot()
    assert [link["name"] for link in state["links"]] == ["eth1", "eth0"]
    assert state["peers"][0]["tx"]["sent"] == 400


def test_reload_sends_what_is_queued_on_a_link_that_goes_away(net: Net) -> None:
    """A capture and a new configuration that come in the same round must not cost a packet."""
    net.a.worker.reconfigure(net.config("a", "eth0"))
    net.a.worker.endpoint.send(numbered([1, 2]), net.clock.now)
    net.a.worker.reconfigure(net.config("a", "eth1"))
    settle(net.a, net.b)
    assert numbers(net.b.packets()) == [1, 2]


OTHER: Final = bytes.fromhex("020000000002")


def readdress(net: Net) -> None:
    """Give the first link of `a` another address, and reload."""
    text = (net.directory / "a.cfg").read_text().replace(MAC.hex(":"), OTHER.hex(":"), 1)
    (net.directory / "a.cfg").write_text(text)
    net.a.worker.reconfigure(load(net.directory / "a.cfg"))


def test_reload_takes_another_address_without_opening_the_port_anew(net: Net) -> None:
    readdress(net)
    assert {name: wire.opened["a"] for name, wire in net.wires.items()} == {"eth0": 1, "eth1": 1}
    assert {name: wire.ends["a"].remotes for name, wire in net.wires.items()} == {"eth0": (OTHER,), "eth1": (MAC,)}
    net.wires["eth0"].ends["b"].address = OTHER
    frames = link(snapshot_of(net.a), "eth0")["rx_frames"]
    net.run(0.5)
    assert link(snapshot_of(net.a), "eth0")["rx_frames"] > frames


def test_frames_of_an_address_that_was_just_taken_out_are_counted(net: Net) -> None:
    """They had passed the old filter and waited; nobody may take them for another link's."""
    before = link(snapshot_of(net.a), "eth0")["rx_frames"]
    net.wires["eth0"].ends["a"].deliver(data_frames([1])[0], MAC)
    readdress(net)
    settle(net.a)
    after = snapshot_of(net.a)
    assert after["drops"]["stranger"] == 1
    assert link(after, "eth0")["rx_frames"] == before


def test_port_that_does_not_take_the_addresses_is_closed_and_says_why(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise OSError(errno.E2BIG, "too many peers over one interface")

    monkeypatch.setattr(net.wires["eth0"].ends["a"], "set_remotes", refuse)
    net.wires["eth0"].refuse = OSError(errno.E2BIG, "too many peers over one interface")
    readdress(net)
    assert link(snapshot_of(net.a), "eth0")["reason"] == "too many peers over one interface"
    packets = numbered(range(10))
    assert net.exchange(packets) == packets


# --- passing the queues -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wish", "queues", "allowed"), [
    ("auto", "", (True, "nothing orders or filters what the interface sends")), ("auto", "fq", (False, "fq")),
    ("yes", "fq", (True, "xdp = yes")), ("yes", "", (True, "xdp = yes")), ("no", "", (False, "xdp = no")),
])
def test_queues_are_passed_where_nobody_has_set_any_up(
    net: Net, monkeypatch: pytest.MonkeyPatch, wish: str, queues: str, allowed: tuple[bool, str]
) -> None:
    told: list[tuple[bool, str]] = []

    def bypass_queues(*, allowed: bool, reason: str, mtu: int) -> None:
        told.append((allowed, reason))

    monkeypatch.setattr(net.wires["eth0"].ends["a"], "bypass_queues", bypass_queues)
    worker = net.a.worker
    worker.config = dataclasses.replace(worker.config, xdp=wish)
    interfaces = {name: dataclasses.replace(facts, queues=queues) for name, facts in worker._facts.interfaces.items()}
    worker.take_facts(dataclasses.replace(worker._facts, interfaces=interfaces))
    assert told == [allowed]
    net.run(RETRY + 0.02)
    assert len(told) > 1, "it is said anew, for a queue that was not free"
    assert set(told) == {allowed}


def test_port_sends_from_the_interfaces_own_address_as_it_is_now(net: Net) -> None:
    end, worker = net.wires["eth0"].ends["a"], net.a.worker
    for mac in (bytes(range(6)), bytes(range(1, 7))):
        interfaces = {name: dataclasses.replace(facts, mac=mac) for name, facts in worker._facts.interfaces.items()}
        worker.take_facts(dataclasses.replace(worker._facts, interfaces=interfaces))
        assert end.address == mac
    assert net.wires["eth0"].opened["a"] == 1


def test_kernel_is_told_after_the_frames_have_left(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the kernel's part of a packet would make its way longer."""
    order: list[str] = []
    end, capture = net.wires["eth1"].ends["a"], net.a.capture
    send, tell = end.send, capture.settle

    def noted_send(remote: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        order.append("send")
        return send(remote, headers, payloads)

    def noted_settle() -> None:
        order.append("settle")
        tell()

    monkeypatch.setattr(end, "send", noted_send)
    monkeypatch.setattr(capture, "settle", noted_settle)
    capture.put(numbered(range(3)))
    net.a.worker.step(0)
    assert order[:2] == ["send", "settle"]
    assert capture.settled == capture.captured == 3


# --- accounting -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_unaccounted_for(tmp_path: Path, seed: int) -> None:
    """With every fault on both links: each packet and each frame is counted once, on both sides."""
    faults = {"loss": 0.1, "duplicate": 0.1, "corrupt": 0.1, "reorder": 0.1}
    net = Net(tmp_path, eth0=faults, eth1=dict(faults))
    net.a.seed, net.b.seed = 100 + seed, 200 + seed
    for number in range(40):
        net.a.capture.put(numbered(range(20 * number, 20 * number + 20)))
        net.b.capture.put(numbered(range(20 * number, 20 * number + 20), source=TWO, destination=ONE))
        net.run(0.02)
    net.run(1)
    for node, other in ((net.a, net.b), (net.b, net.a)):
        packets, state, theirs = numbers(node.packets()), snapshot_of(node), snapshot_of(other)
        rx = state["peers"][0]["rx"]
        assert (rx["held"], rx["rogue"]) == (0, 0)
        assert len(packets) == len(set(packets)) == rx["passed"] == rx["delivered"]
        # What neither came nor is late is lost, up to the highest number that came.
        assert rx["passed"] + rx["lost"] <= theirs["peers"][0]["tx"]["sent"] == 800
        for name, wire in net.wires.items():
            lost = link(theirs, name)
            harmed = lost["tx_frames"] + lost["fault_duplicated"] - lost["fault_lost"] - lost["lost"]
            mine = link(state, name)
            assert 0 <= harmed - mine["rx_frames"] - mine["malformed"] <= 2, "a frame and its double are held back"
            assert mine["malformed"] == sum(mine[key] for key in mine if key.startswith("malformed_"))
            assert mine["malformed"] > 0
            assert wire.ends[node.name].received == mine["rx_frames"] + mine["malformed"]
    net.close()


# --- the end ----------------------------------------------------------------------------------------------------


def test_stop_releases_what_is_held_and_closes_the_edges(net: Net) -> None:
    first, _, *rest = data_frames(range(5))
    net.wires["eth0"].ends["b"].deliver(first, MAC)
    for frame in rest:
        net.wires["eth0"].ends["b"].deliver(frame, MAC)
    net.b.worker.step(0)
    assert numbers(net.b.packets()) == [0]
    assert net.b.worker.snapshot()["peers"][0]["rx"]["held"] == 3
    net.b.worker.running = False
    net.b.worker.run()
    assert numbers(net.b.packets()) == [2, 3, 4]
    assert net.b.capture.fileno() == -1
    assert net.wires["eth0"].ends["b"].fileno() == -1
    assert net.b.injector.send([b"late"]) == 0


def test_loop_waits_until_something_is_due(net: Net) -> None:
    """Nothing to do means asleep: the loop's wait reaches to the engine's next deadline."""
    net.run(0.5)
    waits: list[float] = []

    class Poll:
        def poll(self, timeout: float) -> list[int]:
            waits.append(timeout)
            net.clock.now += timeout
            net.a.worker.running = len(waits) < 60
            return []

        def __getattr__(self, name: str) -> object:
            return lambda *_: None

    net.a.worker._poll = Poll()  # type: ignore[assignment]
    net.a.worker.run()
    assert sum(waits) > 0.5
    assert max(waits) <= RETRY


def test_busy_polling_looks_again_before_it_sleeps(net: Net) -> None:
    worker = net.a.worker
    worker.config = dataclasses.replace(worker.config, busy_poll=0.001)
    net.exchange(numbered(range(1)))
    now = net.clock.now
    assert worker.pause(now + 0.0009) == 0
    assert worker.pause(now + 0.0011) > 0
