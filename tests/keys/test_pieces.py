"""Pieces: what is written comes back, under the right knock alone, and undamaged."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.keys.pieces import ANSWER, CALL, KINDS, OVERHEAD, RETRY, Piece, decode, encode

KNOCK, OTHER = bytes(32), bytes(range(32))

PIECES = st.builds(
    Piece, st.sampled_from(sorted(KINDS)), st.integers(0, 2**64 - 1), st.integers(0, 65535), st.integers(0, 65535),
    st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32), st.binary(max_size=1200),
)  # fmt: skip


@given(PIECES, st.integers(0, 1300))
def test_round_trip(piece: Piece, size: int) -> None:
    value = encode(piece, KNOCK, size)
    assert len(value) == max(size, OVERHEAD + len(piece.data))
    assert decode(value, [OTHER, KNOCK]) == (piece, KNOCK)
    assert decode(value, [OTHER]) is None


@given(PIECES, st.data())
def test_whatever_is_flipped_is_noticed(piece: Piece, data: st.DataObject) -> None:
    value = bytearray(encode(piece, KNOCK))
    at = data.draw(st.integers(0, 8 * len(value) - 1))
    value[at // 8] ^= 1 << at % 8
    assert decode(bytes(value), [KNOCK]) is None


@given(st.binary(max_size=200))
def test_garbage_is_nothing(value: bytes) -> None:
    assert decode(value, [KNOCK]) is None


@pytest.mark.parametrize("kind", [0, 5, 255])
def test_unknown_kinds_are_nothing(kind: int) -> None:
    assert decode(encode(Piece(kind, 1), KNOCK), [KNOCK]) is None


def test_length_beyond_the_piece_is_nothing() -> None:
    text = bytearray(encode(Piece(CALL, 1, data=b"abc"), KNOCK)[:-16])
    text[14] += 1
    assert decode(bytes(text) + hmac.digest(KNOCK, text, "sha256")[:16], [KNOCK]) is None


def test_a_retry_is_no_larger_than_any_call() -> None:
    assert len(encode(Piece(RETRY, 1), KNOCK)) <= len(encode(Piece(CALL, 1), KNOCK))
    assert len(encode(Piece(ANSWER, 1), KNOCK)) == OVERHEAD
