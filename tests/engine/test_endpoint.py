"""The endpoint: packets in at one side, packets out at the other; several peers; timers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alagg.engine.endpoint import Endpoint
from alagg.engine.events import LinkStateChanged
from alagg.engine.peer import NodeSettings
from tests.engine.helpers import (
    ONE,
    ONE6,
    TWO,
    TWO6,
    batch,
    carry,
    data_frames,
    frame,
    ipv4,
    ipv6,
    networks,
    numbered,
    numbers,
    pair,
    settings,
    take_frames,
)


def test_packets_of_both_families_cross_both_ways_once() -> None:
    one, two = pair("fibre", "radio")
    there = [ipv4(b"four"), ipv6(b"six"), ipv4(), ipv6()]
    back = [ipv4(b"four", TWO, ONE), ipv6(b"six", TWO6, ONE6)]
    one.send(there, 0.0)
    two.send(back, 0.0)
    assert carry(one, two, 0.0) == there
    assert carry(two, one, 0.0) == back


def test_either_link_is_enough() -> None:
    one, two = pair("fibre", "radio")
    for round_, lost in enumerate(("fibre", "radio", "fibre")):
        packets = numbered(range(10 * round_, 10 * round_ + 10))
        one.send(packets, float(round_))
        assert carry(one, two, float(round_), without=[lost]) == packets


def test_packet_of_the_largest_size_arrives_byte_for_byte() -> None:
    one, two = pair("fibre", "radio", mtu=1280)
    packets = [ipv4(bytes(range(256)) * 255), ipv6(bytes(range(256)) * 255), ipv4(b"small")]
    one.send(packets, 0.0)
    assert carry(one, two, 0.0) == packets
    assert one.peers["peer"].sender.sent == 3


def test_packets_without_a_peer_are_counted() -> None:
    one, _ = pair("fibre")
    one.send([ipv4(destination="192.0.2.1"), b"", ipv4()], 0.0)
    assert (one.no_peer, one.peers["peer"].sender.captured) == (2, 1)


@pytest.mark.parametrize("packet", [b"", ipv4(destination="192.0.2.1")])
def test_batch_of_nothing_but_strangers_is_counted(packet: bytes) -> None:
    one, _ = pair("fibre")
    one.send([packet] * 3, 0.0)
    assert one.no_peer == 3
    one.send([], 0.0)
    assert one.no_peer == 3


def three_hosts() -> Endpoint:
    office = settings("fibre", "radio", name="office", destinations=["10.0.1.0/24"])
    shop = settings("cable", name="shop", destinations=["10.0.2.0/24"])
    return Endpoint(NodeSettings(1), [office, shop], networks(ONE), 0.0)


def test_each_peer_has_its_links_and_numbers() -> None:
    node = three_hosts()
    node.send([ipv4(destination="10.0.1.7"), ipv4(destination="10.0.2.7"), ipv4(destination="10.0.1.8")], 0.0)
    queued = {link.name: len(link.payloads) for link in node.queued_links()}
    assert queued == {"fibre": 2, "radio": 2, "cable": 1}
    assert [peer.sender.sequence for peer in node.peers.values()] == [2, 1]


def test_peer_may_not_send_in_anothers_name() -> None:
    node = three_hosts()
    (forged,) = numbered([0], source="10.0.1.7", destination=ONE)
    office, shop = node.peers.values()
    node.receive(shop.links["cable"], *batch([frame(0, forged)]), 0.0)
    assert node.take_packets() == []
    assert shop.receiver.refused["foreign_source"] == 1
    node.receive(office.links["fibre"], *batch([frame(0, forged)]), 0.0)
    assert node.take_packets() == [forged]


def test_fewer_headers_than_payloads_are_the_ports_mistake_and_none_is_read() -> None:
    _, two = pair("fibre")
    peer = two.peers["peer"]
    headers, payloads = batch(data_frames([0, 1]))
    with pytest.raises(ValueError, match="47 bytes of headers for 2 frames"):
        two.receive(peer.links["fibre"], headers[:-1], payloads, 0.0)
    assert (peer.receiver.frames, two.take_packets()) == (0, [])


def test_update_keeps_those_that_stay_and_their_numbers() -> None:
    node = three_hosts()
    node.send([ipv4(destination="10.0.1.7")] * 5, 0.0)
    for link in node.queued_links():
        take_frames(link)
    node.settle()
    home = settings("copper", name="home", destinations=["10.0.3.0/24"])
    office = settings("fibre", "radio", name="office", destinations=["10.0.9.0/24"])
    node.update([office, home], 1.0)
    assert list(node.peers) == ["office", "home"]
    destinations = ("10.0.1.7", "10.0.2.7", "10.0.3.7", "10.0.9.7", "10.0.9.8")
    node.send([ipv4(destination=destination) for destination in destinations], 1.0)
    assert node.no_peer == 2
    assert [peer.sender.sequence for peer in node.peers.values()] == [7, 1]


def test_peer_under_another_name_knows_the_copies_on_their_way() -> None:
    one, two = pair("fibre", "radio")
    packets = numbered(range(10))
    one.send(packets, 0.0)
    frames = {link.name: take_frames(link) for link in one.queued_links()}
    peer = two.peers["peer"]
    two.receive(peer.links["fibre"], *batch(frames["fibre"]), 0.0)
    two.update([replace(peer.settings, name="office")], 0.0)
    assert two.peers == {"office": peer}
    two.receive(peer.links["radio"], *batch(frames["radio"]), 0.0)
    assert two.take_packets() == packets
    two.update([replace(peer.settings, name="shop", destinations=networks("10.9.0.0/24"))], 0.0)
    assert two.peers["shop"] is not peer


def test_update_carries_traffic_on() -> None:
    one, two = pair("fibre", "radio")
    for round_ in range(10):
        packets = numbered([round_])
        one.send(packets, float(round_))
        assert carry(one, two, float(round_)) == packets
        one.update([settings("fibre", "radio")], float(round_))
        two.update([settings("fibre", "radio", destinations=[ONE, ONE6])], float(round_))
        assert two.take_packets() == []


def test_own_addresses_are_followed() -> None:
    one, two = pair("fibre")
    one.send([ipv4()], 0.0)
    two.set_local(networks("10.0.0.3"))
    assert carry(one, two, 0.0) == []
    two.set_local(networks(TWO))
    one.send([ipv4()], 0.0)
    assert carry(one, two, 0.0) == [ipv4()]


def test_deadline_releases_what_waits() -> None:
    _, two = pair("fibre", "radio")
    two.handle_timer(0.0)
    radio, fibre = (two.peers["peer"].links[name] for name in ("radio", "fibre"))
    two.receive(radio, *batch(data_frames([0])), 0.001)
    two.receive(fibre, *batch(data_frames([2])), 0.001)
    assert numbers(two.take_packets()) == [0]
    deadline = two.deadline()
    assert 0.001 < deadline < 0.1
    two.take_events()
    two.handle_timer(deadline - 0.0001)
    assert two.take_packets() == []
    two.handle_timer(deadline)
    assert numbers(two.take_packets()) == [2]


def test_packet_that_waits_brings_the_deadline_forward() -> None:
    _, two = pair("fibre", "radio")
    two.handle_timer(0.0)
    probing = two.deadline()
    links = two.peers["peer"].links
    two.receive(links["radio"], *batch(data_frames([0])), 0.001)
    assert two.deadline() == probing
    two.receive(links["fibre"], *batch(data_frames([2])), 0.001)
    assert two.deadline() < probing


def test_timer_before_the_deadline_does_nothing_and_after_it_moves_on() -> None:
    node = three_hosts()
    now = 0.0
    for _ in range(100):
        assert node.deadline() >= now
        now = node.deadline()
        node.handle_timer(now)
        for link in node.queued_links():
            take_frames(link)
        assert node.deadline() > now
        node.handle_timer(now)
        assert node.queued_links() == []


def test_idle_node_only_probes() -> None:
    node = three_hosts()
    now = 0.0
    while now < 10.0:
        now = node.deadline()
        node.handle_timer(now)
        for link in node.queued_links():
            take_frames(link)
        node.take_events()
    frames = [link.tx_frames for peer in node.peers.values() for link in peer.links.values()]
    assert all(25 <= count <= 100 for count in frames), "three seconds at the full pace, then one each second"


def test_flush_gives_all_that_waits_in_order() -> None:
    _, two = pair("fibre", "radio", reorder_timeout=10.0)
    links = two.peers["peer"].links
    two.receive(links["radio"], *batch(data_frames([0])), 0.0)
    two.receive(links["fibre"], *batch(data_frames([4, 2, 7])), 0.0)
    assert numbers(two.take_packets()) == [0]
    two.flush(0.0)
    assert numbers(two.take_packets()) == [2, 4, 7]


def test_port_that_closes_is_told_at_once() -> None:
    node = three_hosts()
    node.handle_timer(0.0)
    fibre = node.peers["office"].links["fibre"]
    node.handle_timer(1.0)
    node.handle_timer(2.0)
    node.take_events()
    node.link_changed(fibre, is_open=False, mtu=1500, reason="no carrier", now=2.05)
    assert node.deadline() <= 2.05
    node.handle_timer(2.05)
    assert node.take_events() == [LinkStateChanged("office", "fibre", "down", "no carrier")]


def test_port_that_closes_between_two_probes_is_told_at_once() -> None:
    node = three_hosts()
    node.handle_timer(0.0)
    fibre = node.peers["office"].links["fibre"]
    assert node.deadline() > 0.05
    node.link_changed(fibre, is_open=False, mtu=1500, reason="no carrier", now=0.05)
    node.handle_timer(0.05)
    assert node.peers["office"].monitors[fibre].state == "down"


def test_link_that_is_added_between_two_probes_is_probed_at_once() -> None:
    node, _ = pair("fibre")
    node.handle_timer(0.0)
    take_frames(node.peers["peer"].links["fibre"])
    assert node.deadline() > 0.05
    node.update([settings("fibre", "radio")], 0.05)
    node.handle_timer(0.05)
    assert [link.name for link in node.queued_links()] == ["radio"]


def test_packets_and_events_are_taken_once() -> None:
    one, two = pair("fibre")
    one.send([ipv4()], 0.0)
    assert carry(one, two, 0.0) == [ipv4()]
    assert two.take_packets() == []
    one.handle_timer(0.0)
    assert not one.is_quiet(), "the first probe waits"
    two.handle_timer(0.0)
    for _ in range(2):
        carry(one, two, 0.0)
        carry(two, one, 0.0)
    one.handle_timer(one.deadline())
    assert one.take_events() == [LinkStateChanged("peer", "fibre", "up", "")]
    assert one.take_events() == []
    assert one.is_quiet()
