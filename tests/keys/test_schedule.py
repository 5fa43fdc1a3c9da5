"""Schedule: both sides have the same keys at the same time, and no two of them are equal."""

from __future__ import annotations

import hmac

from alagg.keys.schedule import CALLED, CALLER, NUMBERS, ROTATION, Chain, agree, generation_at, lane_keys, number

SECRET = agree(bytes(32), bytes(range(32)))


def test_each_direction_generation_and_lane_has_keys_of_its_own() -> None:
    keys = set()
    for direction in (CALLER, CALLED):
        chain = Chain(SECRET, direction)
        for generation in range(20):
            chain.advance(generation)
            for lane in range(16):
                made = lane_keys(chain.current()[1], lane)
                assert [len(part) for part in made] == [32, 12, 32]
                keys |= set(made)
    assert len(keys) == 2 * 20 * 16 * 3


def test_a_thousand_generations_are_the_same_on_both_sides() -> None:
    ours, theirs = Chain(SECRET, CALLER), Chain(SECRET, CALLER)
    seen = set()
    for generation in range(1000):
        ours.advance(generation)
        assert ours.current() in theirs.valid()  # one side's clock may be a generation ahead
        theirs.advance(generation)
        assert ours.current() in theirs.valid()
        assert theirs.valid()[-1] != ours.current()
        seen.add(ours.current()[1])
    assert len(seen) == 1000


def test_old_links_are_forgotten() -> None:
    chain = Chain(SECRET, CALLER)
    before = chain.current()
    chain.advance(1)
    assert before in chain.valid()
    chain.advance(2)
    assert before not in chain.valid()
    assert [one for one, _ in chain.valid()] == [2, 3, 4]


def test_numbers_and_times() -> None:
    assert [number(one) for one in (0, 14, 15, 29, 30)] == [1, 15, 1, 15, 1]
    assert NUMBERS == 15
    assert [generation_at(one * ROTATION) for one in (0, 0.99, 1, 2.5)] == [0, 0, 1, 2]
    assert agree(b"a" * 32, b"b" * 32) != agree(b"b" * 32, b"a" * 32)


def test_vectors_hold_the_schedule() -> None:
    """Computed once by hand from RFC 5869's definition: T(1) = HMAC(PRK, info | 0x01), and so on."""
    def expand(secret: bytes, info: bytes, size: int) -> bytes:
        text, block = b"", b""
        for count in range(1, 4):
            block = hmac.digest(secret, block + info + bytes([count]), "sha256")
            text += block
        return text[:size]

    link = expand(SECRET, CALLER, 32)
    assert Chain(SECRET, CALLER).current() == (1, expand(link, b"keys", 32))
    assert b"".join(lane_keys(link, 3)) == expand(link, b"lane\x03", 76)
