"""Splitting and rejoining: bytes in are bytes out, whatever order the pieces come in."""

from __future__ import annotations

import random
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.fragment import (
    MAX_BYTES,
    MAX_DONE,
    MAX_PACKET,
    MAX_PARTIAL,
    MAX_WAYS,
    PARTIAL_TIMEOUT,
    Piece,
    Rejoiner,
    split,
)
from alagg.engine.header import MAX_PIECES
from alagg.engine.sequence import MASK


def random_bytes(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def join(rejoiner: Rejoiner, first: int, pieces: list[bytes], order: list[int], epoch: int = 1) -> list[bytes]:
    """Hand pieces over in some order; give the packets that come out."""
    return [
        packet
        for index in order
        for packet in rejoiner.join(Piece(epoch, first + index & MASK, index, len(pieces) - 1, pieces[index]), 0.0)
    ]


@given(st.integers(1, MAX_PACKET), st.integers(1, 9000))
def test_pieces_are_few_equal_and_fit(length: int, size: int) -> None:
    packet = random_bytes(length)
    if length > size * MAX_PIECES:
        with pytest.raises(ValueError, match="do not fit"):
            split(packet, size)
        return
    pieces = split(packet, size)
    sizes = [len(piece) for piece in pieces]
    assert b"".join(pieces) == packet
    assert max(sizes) <= size
    assert len(pieces) == -(-length // size)
    assert all(piece == sizes[0] for piece in sizes[:-1])
    assert 0 < sizes[-1] <= sizes[0]


@given(st.data())
def test_any_order_of_the_pieces_of_several_packets_gives_them_back(data: st.DataObject) -> None:
    rejoiner = Rejoiner()
    first = data.draw(st.sampled_from([0, 7, MASK - 3]))
    packets = [random_bytes(size, size) for size in data.draw(st.lists(st.integers(2, 5000), min_size=1, max_size=5))]
    handed = []
    for packet in packets:
        pieces = split(packet, data.draw(st.integers(-(-len(packet) // MAX_PIECES), len(packet) - 1)))
        last = len(pieces) - 1
        handed += [Piece(1, first + index & MASK, index, last, piece) for index, piece in enumerate(pieces)]
        first += len(pieces)
    joined = [packet for piece in data.draw(st.permutations(handed)) for packet in rejoiner.join(piece, 0.0)]
    assert sorted(joined) == sorted(packets)
    assert (rejoiner.joined, rejoiner.again) == (len(handed) - len(packets), 0)
    assert (rejoiner.waiting, rejoiner.incomplete, rejoiner.inconsistent) == (0, 0, 0)
    assert rejoiner.deadline() == inf


def test_same_numbers_of_two_epochs_are_two_packets() -> None:
    rejoiner = Rejoiner()
    one, two = split(random_bytes(100, 1), 60), split(random_bytes(100, 2), 60)
    assert join(rejoiner, 0, one, [0], epoch=1) == []
    assert join(rejoiner, 0, two, [1, 0], epoch=2) == [b"".join(two)]
    assert join(rejoiner, 0, one, [1], epoch=1) == [b"".join(one)]


def test_incomplete_packets_are_given_up_after_their_time() -> None:
    rejoiner = Rejoiner()
    rejoiner.join(Piece(1, 0, 0, 2, b"a"), 5.0)
    rejoiner.join(Piece(1, 1, 1, 2, b"b"), 5.5)
    rejoiner.join(Piece(1, 10, 0, 2, b"c"), 5.5)
    assert rejoiner.deadline() == 5.0 + PARTIAL_TIMEOUT
    rejoiner.expire(5.0 + PARTIAL_TIMEOUT - 0.001)
    assert rejoiner.waiting == 3
    rejoiner.expire(5.0 + PARTIAL_TIMEOUT)
    assert (rejoiner.waiting, rejoiner.incomplete) == (1, 2)
    assert rejoiner.deadline() == 5.5 + PARTIAL_TIMEOUT


def test_oldest_incomplete_packet_makes_room() -> None:
    rejoiner = Rejoiner()
    for number in range(MAX_PARTIAL + 10):
        rejoiner.join(Piece(1, 2 * number, 0, 1, b"first"), 0.0)
    assert (rejoiner.waiting, rejoiner.incomplete) == (MAX_PARTIAL, 10)
    assert rejoiner.join(Piece(1, 2 * 9 + 1, 1, 1, b"last"), 0.0) == []
    assert rejoiner.join(Piece(1, 2 * 11 + 1, 1, 1, b"last"), 0.0) == [b"firstlast"]


@given(st.data())
def test_forged_pieces_do_not_spoil_a_packet(data: st.DataObject) -> None:
    """Whichever piece is forged, how often, and when: the true packet comes through, once."""
    rejoiner = Rejoiner()
    pieces = split(random_bytes(500), data.draw(st.integers(60, 400)))
    last = len(pieces) - 1
    true = [Piece(1, number, number, last, piece) for number, piece in enumerate(pieces)]
    place = data.draw(st.integers(0, last))
    forged = [
        Piece(1, place, place, data.draw(st.sampled_from([last, last + 1, 255])), payload)
        for payload in data.draw(st.lists(st.binary(min_size=1, max_size=8), max_size=MAX_WAYS - 1, unique=True))
    ]
    handed = data.draw(st.permutations(true + forged))
    joined = [packet for piece in handed for packet in rejoiner.join(piece, 0.0)]
    assert joined.count(b"".join(pieces)) == 1
    assert len(joined) - 1 == rejoiner.again
    numbers = rejoiner.joined + rejoiner.waiting + rejoiner.incomplete + rejoiner.inconsistent
    assert len(handed) + rejoiner.again == len(joined) + numbers


def test_ways_to_put_a_packet_together_are_bounded() -> None:
    rejoiner = Rejoiner()
    joined = [
        packet
        for number in (0, 1)
        for form in range(20)
        for packet in rejoiner.join(Piece(1, number, number, 1, bytes([form])), 0.0)
    ]
    assert len(joined) == MAX_WAYS
    assert rejoiner.inconsistent == 40 - MAX_WAYS - 1


def test_what_was_put_together_is_kept_for_a_moment() -> None:
    rejoiner = Rejoiner()
    assert join(rejoiner, 0, [b"first", b"forged"], [0, 1]) == [b"firstforged"]
    assert rejoiner.deadline() == inf
    assert rejoiner.join(Piece(1, 1, 1, 1, b"forged"), 0.0) == []
    assert rejoiner.join(Piece(1, 1, 1, 1, b"last"), 0.5) == [b"firstlast"]
    rejoiner.expire(PARTIAL_TIMEOUT)
    assert rejoiner.join(Piece(1, 1, 1, 1, b"too late"), 1.5) == []
    for number in range(MAX_DONE + 1):
        assert join(rejoiner, 10 + 2 * number, [b"one", b"two"], [0, 1]) == [b"onetwo"]
    assert rejoiner.join(Piece(1, 11, 1, 1, b"of the oldest, which made room"), 1.5) == []


def test_bytes_are_bounded() -> None:
    rejoiner = Rejoiner()
    jumbo = bytes(60_000)
    many = MAX_BYTES // len(jumbo)
    for number in range(40):
        for piece in range(10):
            rejoiner.join(Piece(1, 300 * number + piece, piece, 255, jumbo), 0.0)
    assert rejoiner.waiting == many // 10 * 10
    assert rejoiner.incomplete == 400 - rejoiner.waiting


def test_largest_ip_packet_is_rejoined() -> None:
    packet = random_bytes(MAX_PACKET)
    assert join(Rejoiner(), 0, split(packet, 1300), list(range(51))) == [packet]


def test_no_packet_grows_beyond_the_largest_ip_packet() -> None:
    rejoiner = Rejoiner()
    size = MAX_PACKET // 2
    assert join(rejoiner, 0, [bytes(size)] * 3, [0, 1, 2]) == []
    assert (rejoiner.inconsistent, rejoiner.waiting) == (3, 0)
