"""Whatever packets come, merging loses none, makes none up, and describes only super-packets that are true."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.merge import ALONE, MAX_LENGTH, MAX_SEGMENTS, Item, Merger
from tests import forms
from tests.engine.packets import parse
from tests.engine.test_merge import batches, taken_apart, whole

pytestmark = pytest.mark.fuzz


@st.composite
def mutated(draw: st.DrawFn) -> list[bytes]:
    """Give a batch in which some packets were damaged, cut off, repeated or replaced by nonsense."""
    batch = [packet.pack() for packet in draw(batches())]
    for _ in range(draw(st.integers(0, 4))) if batch else ():
        index = draw(st.integers(0, len(batch) - 1))
        data = bytearray(batch[index] or b"\x00")
        at = draw(st.integers(0, min(len(data) - 1, 70)))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            batch.insert(index, batch[draw(st.integers(0, len(batch) - 1))])
        else:
            data = bytearray(draw(st.binary(max_size=100)))
        batch[index] = bytes(data)
    return batch


def check(batch: list[bytes]) -> None:
    merger = Merger()
    items = merger.merge(batch)
    parts = [part for _, head, parts, _ in items for part in parts or [head]]
    assert sorted(parts) == sorted(batch)
    for item in items:
        check_item(item)
    assert merger.merged == sum(len(parts) for _, _, parts, _ in items)


def check_item(item: Item) -> None:
    header, head, parts, offset = item
    if not parts:
        assert (header, offset) == (ALONE, 0)
        return
    _, _, header_length, step, _, _ = struct.unpack("=BBHHHH", header)
    assert header_length == offset == len(head)
    assert 2 <= len(parts) <= MAX_SEGMENTS
    assert {len(part) - offset for part in parts[:-1]} == {step}
    assert 0 < len(parts[-1]) - offset <= step
    assert len(whole(item)) <= MAX_LENGTH
    assert [identified(part, parts) for part in taken_apart(item)] == parts


def identified(part: bytes, parts: list[bytes]) -> bytes:
    """Give a part with the identification that all have, where they do: a vnet header cannot say that."""
    if part[0] >> 4 == 6 or parts[0][4:6] != parts[1][4:6]:
        return part
    return replace(parse(part), identification=parse(parts[0]).identification).pack()


@given(st.lists(st.binary(max_size=120), max_size=10))
def test_arbitrary_bytes(batch: list[bytes]) -> None:
    check(batch)


@given(mutated())
def test_mutated_batches(batch: list[bytes]) -> None:
    check(batch)


@forms.needs_compiled
@given(st.one_of(mutated(), st.lists(st.binary(max_size=120), max_size=10)))
def test_both_forms_are_one(batch: list[bytes]) -> None:
    mergers = [engine.merge.Merger() for engine in forms.both()]
    plain, compiled = [(merger.merge(batch), merger.merged, merger.super_packets) for merger in mergers]
    assert compiled == plain
