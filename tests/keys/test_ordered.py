"""Ordered: bytes in are bytes out, whatever happens to the pieces, and in bounded memory."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from alagg.keys.ordered import LIMIT, LONGEST, Incoming, Outgoing


@given(st.binary(max_size=5000), st.integers(1, 1500), st.integers(0, 2**32))
def test_any_order_twice_and_cut_anew(content: bytes, size: int, seed: int) -> None:
    rng = random.Random(seed)
    pieces = [(at, content[at : at + size]) for at in range(0, len(content), size)]
    pieces += [(at, content[at : at + 700]) for at in range(0, len(content), 700)]
    rng.shuffle(pieces)
    incoming = Incoming()
    came = b"".join(incoming.take(*piece) for piece in pieces)
    for at in range(0, len(content), size):  # those that found no room come again
        came += incoming.take(at, content[at : at + size])
    assert came == content
    assert incoming.came == len(content)
    assert not incoming._waiting


def test_what_lies_beyond_the_limit_is_dropped() -> None:
    incoming = Incoming()
    assert incoming.take(LIMIT, b"x") == b""
    assert incoming.take(LIMIT - 1, b"xy") == b""
    assert not incoming._waiting


@given(st.integers(1, 4000), st.integers(10, 1200), st.floats(0, 0.6), st.integers(0, 2**32))
def test_everything_arrives_in_the_end(size: int, piece: int, loss: float, seed: int) -> None:
    rng = random.Random(seed)
    content = rng.randbytes(size)
    outgoing, incoming, now, came = Outgoing(), Incoming(), 0.0, b""
    outgoing.add(content, now)
    while not outgoing.done and now < 1000:
        for offset, data in outgoing.cut(piece, now, 64):
            if rng.random() >= loss:
                came += incoming.take(offset, data)
        if rng.random() >= loss:
            outgoing.acknowledge(incoming.came, now)
        now += 0.1
    assert came == content


def test_pauses_grow_up_to_a_bound_and_shrink_with_progress() -> None:
    outgoing = Outgoing()
    outgoing.add(b"x" * 10, 0.0)
    now, pauses = 0.0, []
    for _ in range(6):
        assert outgoing.cut(4, now, 64)
        pauses.append(round(outgoing.due - now, 3))
        now = outgoing.due
    assert pauses == [0.3, 0.6, 1.2, 2.4, LONGEST, LONGEST]
    assert outgoing.acknowledge(4, now)
    assert not outgoing.acknowledge(4, now)
    assert not outgoing.acknowledge(11, now)
    assert outgoing.due == now + 0.3
    assert [offset for offset, _ in outgoing.cut(4, outgoing.due, 64)] == [4, 8]


def test_a_budget_leaves_the_rest_for_later() -> None:
    outgoing = Outgoing()
    outgoing.add(b"x" * 10, 0.0)
    assert outgoing.cut(4, 0.0, 1) == [(0, b"xxxx")]
    assert outgoing.cut(4, 0.1, 1) == []
    outgoing.go_on(0.1)
    assert outgoing.cut(4, 0.1, 9) == [(4, b"xxxx"), (8, b"xx")]
    outgoing.stop()
    assert outgoing.cut(4, 99.0, 9) == []
