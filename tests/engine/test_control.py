"""Control frames: what is written is read, what is strange is refused, whatever it says."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.control import (
    MAX_ITEMS,
    MAX_MISSING,
    MAX_NETWORKS,
    OWNS,
    TAKES,
    ControlError,
    Hello,
    Item,
    Report,
    decode,
    encode,
    scheduler_name,
    scheduler_number,
)

BYTE, WORD = st.integers(0, 0xFF), st.integers(0, 0xFFFF_FFFF)
HELLOS = st.builds(
    Hello, oldest=BYTE, newest=BYTE, features=WORD, workers=BYTE, links=BYTE, scheduler=BYTE, copies=BYTE,
    far_link=BYTE, mtu=WORD, probe_interval=WORD, digest=WORD,
)  # fmt: skip
RANGES = st.lists(st.tuples(WORD, st.integers(0, 0xFFFF)), max_size=MAX_MISSING).map(tuple)
REPORTS = st.builds(
    Report, lane=BYTE, link_id=BYTE, epoch=WORD, highest=WORD, received=WORD,
    received_bytes=st.integers(0, 2**64 - 1), age=WORD, missing=RANGES,
)  # fmt: skip
NETWORKS = st.lists(st.ip_addresses().map(ipaddress.ip_network), max_size=MAX_NETWORKS).map(tuple)
ITEMS = st.lists(HELLOS | REPORTS | st.tuples(st.sampled_from([TAKES, OWNS]), NETWORKS), max_size=8)


@given(ITEMS)
def test_what_is_written_is_read(items: list[Item]) -> None:
    assert decode(encode(items)) == items


@given(st.binary(max_size=200) | ITEMS.map(encode), st.integers(0, 200), BYTE)
def test_whatever_comes_is_read_or_refused(data: bytes, at: int, value: int) -> None:
    damaged = data[:at] + bytes([value]) + data[at + 1 :]
    for payload in (damaged, damaged[:at]):
        try:
            items = decode(payload)
        except ControlError:
            continue
        assert len(items) <= MAX_ITEMS


def test_unknown_kinds_are_skipped_and_longer_hellos_read() -> None:
    hello = encode([Hello()])[1:]
    longer = bytes([1, 0, len(hello) - 3 + 2]) + hello[3:] + b"xx"
    assert decode(b"\x01" + bytes([77, 0, 2]) + b"??" + longer) == [Hello()]


@pytest.mark.parametrize("payload", [b"", b"\x02", b"\x01\x01", b"\x01\x01\x00\xff", b"\x01" + bytes([9, 0, 0]) * 65])
def test_what_is_cut_or_too_long_is_refused(payload: bytes) -> None:
    with pytest.raises(ControlError):
        decode(payload)


def test_list_that_is_told_in_part_reads_as_everything() -> None:
    many = tuple(ipaddress.ip_network(f"10.0.{number}.0/24") for number in range(MAX_NETWORKS + 1))
    ((kind, networks),) = decode(encode([(OWNS, many)]))  # type: ignore[misc]
    assert kind == OWNS
    assert [str(one) for one in networks] == ["0.0.0.0/0", "::/0"]


def test_schedulers_have_numbers() -> None:
    assert scheduler_name(scheduler_number("round-robin")) == "round-robin"
    assert scheduler_name(scheduler_number("none of them")) == "unknown"
