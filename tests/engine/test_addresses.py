"""Addresses: which peer a packet goes to, and what a peer may send."""

from __future__ import annotations

import ipaddress
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.addresses import (
    CACHE_SIZE,
    REFUSED,
    Admission,
    PrefixTable,
    Routes,
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


def test_new_networks_replace_what_was_remembered() -> None:
    admission = Admission(networks(ONE), networks(TWO))
    packet = ipv4(source=ONE, destination=TWO)
    assert admission.refusal(packet) == ""
    admission.set_destinations(networks("10.0.0.99"))
    assert admission.refusal(packet) == DESTINATION
    admission.set_destinations(networks(TWO))
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
        (ipv4(b"one"), ipv4(b"another", source="10.0.0.9"), True),
        (ipv6(b"one"), ipv6(b"another", source="fd00::9"), True),
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
