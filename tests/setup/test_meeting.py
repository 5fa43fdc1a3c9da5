"""How two hosts without a configuration find each other: what they say, what is believed, which links they choose."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest
from google_crc32c import value as crc32c
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine import control, header
from alagg.engine.control import OWNS, Hello
from alagg.setup.meeting import MAX_FOUND, NEWCOMER, Found, Newcomer, decode, encode, take
from alagg.system.netlink import Interface

if TYPE_CHECKING:
    from collections.abc import Iterable

ADDRESSES = ipaddress.ip_address("10.99.0.2"), ipaddress.ip_address("fd99::2")
B = Newcomer("b", "enp3s0", ADDRESSES)


def interface(name: str, mac: int) -> Interface:
    return Interface(1, name, bytes([2, 0, 0, 0, 0, mac]), 1500, up=True, carrier=True, type=1)


def frame(payload: bytes, mac: int, epoch: int, kind: int = header.CONTROL) -> bytes:
    head = header.encode(kind, epoch, 0, 0, 0, 0, 0, 0, len(payload), crc32c(payload))
    return b"\xff" * 6 + bytes([2, 0, 0, 0, 1, mac]) + b"\x88\xb5" + head + payload + bytes(40)


def heard(ways: Iterable[tuple[int, int]], newcomer: Newcomer = B) -> Found:
    """Give who is found when frames of the far interfaces come on our own ones."""
    found: dict[int, Found] = {}
    for own, far in ways:
        take(found, 1, interface(f"eth{own}", own), frame(encode(newcomer), far, 7))
    return found[7]


def test_newcomer_says_who_it_is_and_whom_it_knows() -> None:
    newcomer = Newcomer("b", "eth0", ADDRESSES, (1, 2))
    assert decode(encode(newcomer)) == newcomer


def test_nodes_skip_what_newcomers_say() -> None:
    assert control.decode(encode(B)) == []


def test_running_node_is_heard_by_what_it_owns() -> None:
    networks = tuple(ipaddress.ip_network(one) for one in ("10.99.0.2", "10.98.0.0/24", "fd99::2", "fe80::2"))
    assert decode(control.encode([Hello(), (OWNS, networks)])) == Newcomer("", "", ADDRESSES)


@pytest.mark.parametrize(
    "values", [b"{}", b"[]", b"1", b"{", b'{"host": "a b", "interface": "eth0", "addresses": [], "knows": []}',
               b'{"host": "b", "interface": "\\u001b[2J", "addresses": [], "knows": []}',
               b'{"host": "b", "interface": "e", "addresses": ["nowhere"], "knows": []}'],
)  # fmt: skip
def test_who_says_nonsense_is_nobody(values: bytes) -> None:
    payload = bytes([1, NEWCOMER]) + len(values).to_bytes(2, "big") + values
    assert decode(payload) is None


@given(st.binary(max_size=200))
def test_no_payload_breaks_it(payload: bytes) -> None:
    decode(payload)
    decode(b"\1" + bytes([NEWCOMER]) + len(payload).to_bytes(2, "big") + payload)


def test_what_is_no_control_frame_or_our_own_is_passed_over() -> None:
    found: dict[int, Found] = {}
    take(found, 1, interface("eth0", 0), b"short")
    take(found, 1, interface("eth0", 0), frame(encode(B), 0, 7, header.PROBE))
    take(found, 1, interface("eth0", 0), frame(encode(B), 0, 1))
    assert not found


def test_links_are_the_ways_on_which_it_was_heard() -> None:
    pairs = heard([(0, 0), (1, 1), (0, 0)]).pairs()
    assert [(pair.interface, pair.mac[-1], pair.far_interface) for pair in pairs] == [
        ("eth0", 0, "enp3s0"), ("eth1", 1, "enp3s0")
    ]  # fmt: skip


def test_both_hosts_choose_the_same_links_on_one_switch() -> None:
    ways = [(own, far) for own in range(3) for far in range(2)]
    ours = {(pair.own, pair.mac) for pair in heard(ways).pairs()}
    other: dict[int, Found] = {}
    for own, far in ways:
        mac = bytes([2, 0, 0, 0, 1, far])
        at = Interface(1, f"far{far}", mac, 1500, up=True, carrier=True, type=1)
        sent = frame(encode(B), 0, 7)
        take(other, 1, at, sent[:6] + bytes([2, 0, 0, 0, 0, own]) + sent[12:])
    assert {(pair.mac, pair.own) for pair in other[7].pairs()} == ours
    assert len(ours) == 2


def test_it_is_told_that_the_other_side_has_heard_us() -> None:
    assert not heard([(0, 0)]).heard_us
    assert heard([(0, 0)], Newcomer("b", "eth0", ADDRESSES, (5, 1))).heard_us


def test_who_forges_many_hosts_costs_a_bounded_memory() -> None:
    found: dict[int, Found] = {}
    for epoch in range(2, 3 * MAX_FOUND):
        take(found, 1, interface("eth0", 0), frame(encode(B), epoch % 256, epoch))
    for mac in range(256):
        take(found, 1, interface(f"eth{mac}", mac), frame(encode(B), mac, 2))
    assert len(found) == MAX_FOUND
    assert len(found[2].seen) == MAX_FOUND
