"""Addresses: which peer a packet goes to, and what a peer may send."""

from __future__ import annotations

import ipaddress
import itertools
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.addresses import (
    CACHE_SIZE,
    REFUSED,
    Admission,
    PrefixTable,
    Routes,
    quoted_addresses,
    same_destination,
    source_and_destination,
)
from tests.engine.helpers import ONE, ONE6, TWO, TWO6, ipv4, ipv6, networks


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.2.3", "host"),
        ("10.1.2.4", "net24"),
        ("10.1.3.3", "net8"),
        ("11.0.0.1", "default"),
        ("fd00:1::5", "host6"),
        ("fd00:1::6", "net6"),
        ("fd01::1", None),
    ],
)
def test_longest_prefix_wins(address: str, expected: str | None) -> None:
    names = {
        "0.0.0.0/0": "default", "10.0.0.0/8": "net8", "10.1.2.0/24": "net24", "10.1.2.3/32": "host",
        "fd00:1::/64": "net6", "fd00:1::5/128": "host6",
    }  # fmt: skip
    table = PrefixTable((ipaddress.ip_network(network), name) for network, name in names.items())
    assert table.find(ipaddress.ip_address(address).packed) == expected


V4_NETWORKS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=10)


@given(V4_NETWORKS, st.integers(0, 2**32 - 1))
def test_table_says_what_ipaddress_says(entries: list[tuple[int, int]], number: int) -> None:
    wanted = {ipaddress.IPv4Network((value, length), strict=False) for value, length in entries}
    address = ipaddress.IPv4Address(number)
    matching = [network for network in wanted if address in network]
    expected = max(matching, key=lambda network: network.prefixlen, default=None)
    assert PrefixTable((network, network) for network in wanted).find(address.packed) == expected


def routes() -> Routes[str]:
    names = {ONE: "one", ONE6: "one", "10.0.0.0/24": "office"}
    return Routes((ipaddress.ip_network(network), name) for network, name in names.items())


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (ipv4(destination=ONE), "one"),
        (ipv4(destination="10.0.0.77"), "office"),
        (ipv4(destination="10.0.1.1"), None),
        (ipv6(destination=ONE6), "one"),
        (ipv6(destination=TWO6), None),
    ],
)
def test_routes_by_destination(packet: bytes, expected: str | None) -> None:
    table = routes()
    assert [table.find(packet), table.find(packet)] == [expected, expected]


@pytest.mark.parametrize("packet", [b"", b"\x45", b"\x60", b"\x10" * 60, ipv4()[:19], ipv6()[:39], b"\x60" + ipv4()])
def test_what_is_no_ip_packet_goes_nowhere(packet: bytes) -> None:
    assert Routes([(network, "all") for network in networks("0.0.0.0/0", "::/0")]).find(packet) is None


def test_short_ipv6_packet_is_not_taken_for_ipv4() -> None:
    short = b"\x60" + bytes(23) + ipaddress.ip_address(ONE).packed
    table = routes()
    assert table.find(ipv4(destination=ONE)) == "one"
    assert table.find(short) is None


@pytest.mark.parametrize("destination", [
    "224.0.0.5", "239.1.2.3", "255.255.255.255", "127.0.0.1", "0.0.0.0",
    "ff02::1", "ff02::1:ff00:2", "ff02::16", "fe80::2", "::1", "::",
])  # fmt: skip
def test_what_is_meant_for_the_segment_goes_to_no_peer(destination: str) -> None:
    make = ipv6 if ":" in destination else ipv4
    table = Routes([(network, "all") for network in networks("0.0.0.0/0", "::/0", "fe80::/10", "224.0.0.0/4")])
    assert table.find(make(destination=destination)) is None


@pytest.mark.parametrize(("source", "destination", "expected"), [
    ("10.1.0.5", "10.2.0.5", "peer"),  # ours to theirs
    ("10.2.0.5", "10.1.0.5", None),  # theirs to ours, which only they can have sent
    ("10.2.0.5", "10.3.0.5", "peer"),  # what is not ours they cannot have sent
    ("10.1.0.5", "10.1.0.6", "peer"),  # from ourselves
    ("10.9.0.5", "10.1.0.6", "peer"),  # from another peer: the hub's own networks
    ("192.168.0.5", "10.1.0.6", "peer"),  # translated, or a router's
    ("fd00:2::5", "fd00:1::5", None),
    ("fd00:1::5", "fd00:2::5", "peer"),
])  # fmt: skip
def test_nothing_is_sent_back_to_the_peer_that_it_came_from(source: str, destination: str, expected: str) -> None:
    names = {"10.0.0.0/8": "peer", "10.9.0.0/16": "other", "fd00::/16": "peer"}
    table = Routes(((ipaddress.ip_network(network), name) for network, name in names.items()))
    packet = (ipv6 if ":" in source else ipv4)(b"", source, destination)
    assert table.find(packet) == "peer"
    table.set_local(networks("10.1.0.0/16", "fd00:1::/32"))
    assert [table.find(packet), table.find(packet)] == [expected, expected]


def test_what_a_peer_may_send_here_never_goes_back_to_it() -> None:
    """For all pairs of addresses: admitted from a peer means not routed to that peer, unless its source is ours."""
    theirs, ours = networks("10.0.0.0/8"), networks("10.1.0.0/16", "10.1.2.3")
    admission, table = Admission(theirs, ours), Routes([(theirs[0], "peer")], ours)
    addresses = ["10.1.0.1", "10.1.2.3", "10.2.0.1", "11.0.0.1"]
    for source, destination in itertools.product(addresses, addresses):
        packet = ipv4(b"", source, destination)
        if not admission.refusal(packet) and not source.startswith("10.1."):
            assert table.find(packet) is None


def test_caches_are_bounded() -> None:
    table = routes()
    admission = Admission(networks("0.0.0.0/0"), networks("0.0.0.0/0"))
    randomness = random.Random(1)
    for _ in range(2 * CACHE_SIZE + 100):
        packet = ipv4(destination=str(ipaddress.IPv4Address(randomness.getrandbits(32))))
        table.find(packet)
        admission.refusal(packet)
    assert len(table._cache) <= CACHE_SIZE
    assert len(admission._cache) <= CACHE_SIZE


ADMISSION = (("10.0.0.0/24", "fd00::1"), ("10.9.0.0/16", "fd09::/64"))
MALFORMED, SOURCE, DESTINATION = REFUSED


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (ipv4(b"data", "10.0.0.7", "10.9.8.7"), ""),
        (ipv6(b"data", "fd00::1", "fd09::7"), ""),
        (ipv4(b"", "10.0.0.7", "10.9.8.7"), ""),
        (ipv6(b"", "fd00::1", "fd09::7"), ""),
        (ipv4(b"data", "10.0.1.7", "10.9.8.7"), SOURCE),
        (ipv6(b"data", "fd00::2", "fd09::7"), SOURCE),
        (ipv4(b"data", "10.0.0.7", "10.8.8.7"), DESTINATION),
        (ipv6(b"data", "fd00::1", "fd08::7"), DESTINATION),
        (ipv4(b"data", "10.9.8.7", "10.0.0.7"), SOURCE),
        (b"", MALFORMED),
        (b"\x45", MALFORMED),
        (b"\x55" + ipv4(b"data", "10.0.0.7", "10.9.8.7")[1:], MALFORMED),
        (ipv4(b"data", "10.0.0.7", "10.9.8.7") + b"x", MALFORMED),
        (ipv4(b"data", "10.0.0.7", "10.9.8.7")[:-1], MALFORMED),
        (ipv6(b"data", "fd00::1", "fd09::7") + b"x", MALFORMED),
        (ipv6(b"data", "fd00::1", "fd09::7")[:-1], MALFORMED),
        (ipv4()[:19], MALFORMED),
        (ipv6()[:39], MALFORMED),
    ],
)
def test_admission(packet: bytes, expected: str) -> None:
    admission = Admission(networks(*ADMISSION[0]), networks(*ADMISSION[1]))
    assert [admission.refusal(packet), admission.refusal(packet)] == [expected, expected]


# --- errors that routers on the way report ----------------------------------------------------------------------

ROUTER, ROUTER6 = "172.31.0.2", "fd77::2"
UNREACHABLE, REDIRECT, EXCEEDED, PROBLEM, ECHO = 3, 5, 11, 12, 8


def icmp(kind: int, quoted: bytes, *, source: str = ROUTER, destination: str = TWO, options: bytes = b"") -> bytes:
    """Give an ICMP message about a packet, from a router to us."""
    message = struct.pack("!BBHI", kind, 4, 0, 1400) + quoted
    packet = ipv4(options + message, source, destination)
    return bytes([0x45 + len(options) // 4]) + packet[1:9] + b"\x01" + packet[10:]


def icmp6(kind: int, quoted: bytes, *, source: str = ROUTER6, destination: str = TWO6) -> bytes:
    packet = ipv6(struct.pack("!BBHI", kind, 0, 0, 1400) + quoted, source, destination)
    return packet[:6] + b"\x3a" + packet[7:]


OURS, OURS6 = ipv4(bytes(8), TWO, ONE), ipv6(bytes(8), TWO6, ONE6)
"""What we sent to the peer."""


@pytest.mark.parametrize("packet", [
    *(icmp(kind, OURS) for kind in (UNREACHABLE, EXCEEDED, PROBLEM)),
    *(icmp6(kind, OURS6) for kind in (1, 2, 3, 4)),
    icmp(UNREACHABLE, OURS[:20]),
    icmp6(2, OURS6[:40]),
    icmp(UNREACHABLE, OURS, options=bytes(8)),
    icmp(UNREACHABLE, OURS, source=ONE),
])  # fmt: skip
def test_error_about_a_packet_of_ours_is_admitted_from_any_router(packet: bytes) -> None:
    assert Admission(networks(ONE, ONE6), networks(TWO, TWO6)).refusal(packet) == ""


@pytest.mark.parametrize("packet", [
    icmp(ECHO, OURS), icmp(0, OURS), icmp(REDIRECT, OURS), icmp(4, OURS),
    *(icmp6(kind, OURS6) for kind in (0, 5, 128, 129, 133, 134, 135, 136, 137, 143)),
    icmp(UNREACHABLE, ipv4(bytes(8), TWO, "8.8.8.8")),
    icmp(UNREACHABLE, ipv4(bytes(8), "10.0.0.9", ONE)),
    icmp(UNREACHABLE, ipv4(bytes(8), ONE, TWO)),
    icmp6(2, ipv6(bytes(8), TWO6, "fd99::1")),
    icmp6(2, ipv6(bytes(8), ONE6, TWO6)),
    icmp(UNREACHABLE, OURS[:19]),
    icmp6(2, OURS6[:39]),
    icmp(UNREACHABLE, OURS6),
    icmp6(2, OURS),
    icmp(UNREACHABLE, b""),
    icmp(UNREACHABLE, OURS)[:6] + b"\x20\x00" + icmp(UNREACHABLE, OURS)[8:],
    icmp(UNREACHABLE, OURS)[:6] + b"\x00\x01" + icmp(UNREACHABLE, OURS)[8:],
    b"\x44" + icmp(UNREACHABLE, OURS)[1:],
    icmp(UNREACHABLE, OURS)[:9] + b"\x11" + icmp(UNREACHABLE, OURS)[10:],
    icmp6(2, OURS6)[:6] + b"\x11" + icmp6(2, OURS6)[7:],
])  # fmt: skip
def test_other_packets_of_a_router_are_refused(packet: bytes) -> None:
    assert Admission(networks(ONE, ONE6), networks(TWO, TWO6)).refusal(packet) == SOURCE


@pytest.mark.parametrize("packet", [
    icmp(UNREACHABLE, OURS, destination="10.0.0.9"), icmp6(2, OURS6, destination=ONE6)
])  # fmt: skip
def test_error_for_somebody_else_is_refused(packet: bytes) -> None:
    assert Admission(networks(ONE, ONE6), networks(TWO, TWO6)).refusal(packet) in (SOURCE, DESTINATION)


def test_one_error_opens_nothing_for_what_else_has_its_addresses() -> None:
    admission = Admission(networks(ONE), networks(TWO))
    error, data = icmp(UNREACHABLE, OURS), ipv4(b"data", ROUTER, TWO)
    expected = [SOURCE, "", SOURCE, "", ""]
    assert [admission.refusal(packet) for packet in (data, error, data, error, error)] == expected
    admission.refusal(ipv4(b"", ONE, TWO))
    assert [admission.refusal(packet) for packet in (error, data, error)] == ["", SOURCE, ""]


@given(st.binary(max_size=120), st.sampled_from([icmp(UNREACHABLE, OURS), icmp6(2, OURS6)]), st.integers(0, 100))
def test_any_quotation_is_judged_without_an_error(data: bytes, start: bytes, size: int) -> None:
    packet = start[:size] + data
    if len(source_and_destination(packet)):
        assert len(quoted_addresses(packet)) in (0, 8, 32)
    assert Admission(networks(ONE, ONE6), networks(TWO, TWO6)).refusal(packet) in ("", *REFUSED)


def test_new_networks_replace_what_was_remembered() -> None:
    admission = Admission(networks(ONE), networks(TWO))
    packet = ipv4(source=ONE, destination=TWO)
    assert admission.refusal(packet) == ""
    admission.set_destinations(PrefixTable((one, True) for one in networks("10.0.0.99")))
    assert admission.refusal(packet) == DESTINATION
    admission.set_destinations(PrefixTable((one, True) for one in networks(TWO)))
    admission.set_sources(networks("10.0.0.99"))
    assert admission.refusal(packet) == SOURCE
    admission.set_sources(networks(ONE))
    assert admission.refusal(packet) == ""


@given(st.binary(max_size=64))
def test_any_bytes_are_judged_without_an_error(data: bytes) -> None:
    assert len(source_and_destination(data)) in (0, 8, 32)
    assert Admission((), ()).refusal(data) in (MALFORMED, SOURCE)
    assert routes().find(data) in (None, "one", "office")


@pytest.mark.parametrize(
    ("packet", "other", "expected"),
    [
        (ipv4(b"one"), ipv4(b"another"), True),
        (ipv6(b"one"), ipv6(b"another"), True),
        (ipv4(b"one"), ipv4(b"another", source="10.0.0.9"), False),
        (ipv6(b"one"), ipv6(b"another", source="fd00::9"), False),
        (ipv4(destination="10.0.0.2"), ipv4(destination="10.0.0.3"), False),
        (ipv4(destination="10.0.0.2"), ipv4(destination="11.0.0.2"), False),
        (ipv6(destination="fd00::2"), ipv6(destination="fd00::3"), False),
        (ipv6(destination="fd00::2"), ipv6(destination="fe00::2"), False),
        (ipv4(), b"\x65" + ipv4()[1:] + bytes(20), False),
        (ipv4()[:19], ipv4()[:19], False),
        (ipv6()[:39], ipv6()[:39], False),
        (ipv4(), ipv4()[:19], False),
        (b"", b"", False),
        (ipv4(), b"", False),
    ],
)
def test_same_destination(packet: bytes, other: bytes, *, expected: bool) -> None:
    assert same_destination(packet, other) == same_destination(other, packet) == expected


ADDRESSES = st.sampled_from([ONE, "10.0.0.77", "10.0.1.1"])
ANY_PACKET = st.one_of(
    st.builds(ipv4, st.just(b"x"), ADDRESSES, ADDRESSES),
    st.builds(ipv6, st.just(b"x"), st.just(TWO6), st.sampled_from([ONE6, TWO6])),
    st.binary(max_size=45),
)


@given(ANY_PACKET, ANY_PACKET, st.integers(0, 45), st.booleans())
def test_packets_to_the_same_destination_go_to_the_same_peer(
    packet: bytes, other: bytes, cut: int, alike: bool  # noqa: FBT001 - Hypothesis draws it
) -> None:
    other = packet[:1] + other[1:cut] if alike else other
    if same_destination(packet, other):
        assert routes().find(packet) == routes().find(other)
