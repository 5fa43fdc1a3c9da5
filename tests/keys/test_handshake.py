"""Handshake: one of them at a time, whatever the way between the two does to its pieces."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alagg.keys import pieces, schedule, trust
from alagg.keys.handshake import LINGER, PATIENCE, SIZE, Handshake, Side
from alagg.keys.pieces import Piece
from tests.keys.making import node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.keys.making import Made

@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Made]:
    directory = tmp_path_factory.mktemp("nodes")
    return node(directory, "left"), node(directory, "right")


class Pair:
    """A caller and the one who is called, with a way between them that an example decides on."""

    def __init__(
        self, nodes: tuple[Made, Made], *, aes: tuple[bool, bool] = (True, True), judge: tuple[int, int] = (0, 0)
    ) -> None:
        trusts = [trust.read_pinned(made.certificate) for made in nodes]
        self.knock = trusts[1].knock
        self.now = 0.0
        sides = [
            Side(
                trust.context(nodes[at].own, trusts[1 - at], server=bool(at)), self.knock,
                lambda _, code=judge[at]: code,  # type: ignore[misc]
                os.urandom(32), bytes([at] * 8), aes[at],
            )
            for at in (0, 1)
        ]  # fmt: skip
        self.ends = [Handshake(7, side, 0.0, caller=not at) for at, side in enumerate(sides)]
        self.ends[1].prove(0.0)
        self.flying: list[tuple[int, bytes]] = []
        self.seen: list[bytes] = []

    def gather(self) -> None:
        for at, end in enumerate(self.ends):
            sent = end.send(self.now)
            self.seen += sent
            self.flying += [(1 - at, value) for value in sent]

    def deliver(self, to: int, value: bytes) -> None:
        found = pieces.decode(value, [self.knock])
        if found is not None:
            self.ends[to].hear(found[0], len(value), self.now)

    @property
    def confirmed(self) -> bool:
        return all(end.confirmed for end in self.ends)

    def run(self, way: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]] | None = None) -> None:
        while self.now < PATIENCE and not self.confirmed and not all(end.refusal for end in self.ends):
            self.gather()
            flying, self.flying = self.flying, []
            for to, value in flying if way is None else way(flying):
                self.deliver(to, value)
            self.now += 0.05


def test_two_round_trips_and_both_have_one_secret(nodes: tuple[Made, Made]) -> None:
    pair = Pair(nodes)
    pair.run()
    left, right = (end.agreed for end in pair.ends)
    assert left is not None
    assert right is not None
    assert left.secret == right.secret
    assert (left.caller, right.caller) == (True, False)
    assert (left.life, right.life) == (bytes([1] * 8), bytes(8))
    assert (left.certificate, right.certificate) == (nodes[1].own.chain[0], nodes[0].own.chain[0])
    assert len(pair.seen) <= 6
    assert max(map(len, pair.seen)) <= SIZE


@pytest.mark.parametrize("aes", [(True, True), (True, False), (False, True), (False, False)])
def test_cipher_is_aes_where_both_processors_have_it(nodes: tuple[Made, Made], aes: tuple[bool, bool]) -> None:
    pair = Pair(nodes, aes=aes)
    pair.run()
    expected = schedule.AES_256_GCM if all(aes) else schedule.CHACHA20_POLY1305
    assert [end.agreed and end.agreed.cipher for end in pair.ends] == [expected, expected]


@given(seed=st.integers(0, 2**32), loss=st.floats(0, 0.5), twice=st.floats(0, 1), flips=st.floats(0, 0.3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_loss_doubling_and_damage(
    nodes: tuple[Made, Made], seed: int, loss: float, twice: float, flips: float
) -> None:
    rng = random.Random(seed)
    held: list[tuple[int, bytes]] = []

    def way(flying: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        held.extend(one for one in flying if rng.random() >= loss)
        held.extend([one for one in flying if rng.random() < twice])
        rng.shuffle(held)
        keep = rng.randrange(len(held) + 1)
        now, held[:] = held[keep:], held[:keep]
        return [(to, flipped(value, rng) if rng.random() < flips else value) for to, value in now]

    pair = Pair(nodes)
    pair.run(way)
    assert not any(end.refusal for end in pair.ends)
    secrets = {end.agreed.secret for end in pair.ends if end.agreed is not None}
    assert len(secrets) <= 1
    if loss < 0.3 and flips < 0.2:
        assert pair.confirmed


def flipped(value: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(8 * len(value))
    changed = bytearray(value)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def test_pieces_are_cut_small_when_large_ones_get_lost(nodes: tuple[Made, Made]) -> None:
    pair = Pair(nodes)
    pair.run(lambda flying: [one for one in flying if len(one[1]) <= 300])
    assert pair.confirmed


@pytest.mark.parametrize("code", [trust.NAME, trust.REVOKED, trust.PINNED])
@pytest.mark.parametrize("who", [0, 1])
def test_whoever_refuses_says_why_and_both_know(nodes: tuple[Made, Made], who: int, code: int) -> None:
    pair = Pair(nodes, judge=(code, 0) if who == 0 else (0, code))
    pair.run()
    assert [end.refusal for end in pair.ends] == [code, code]
    assert [end.refused_here for end in pair.ends] == [who == 0, who == 1]
    assert [end.agreed for end in pair.ends] == [None, None]


def test_another_certificate_is_refused_by_openssl(nodes: tuple[Made, Made], tmp_path: Path) -> None:
    other = node(tmp_path, "other")
    pair = Pair((nodes[0], nodes[1]))
    side = Side(trust.context(other.own, trust.read_pinned(nodes[0].certificate), server=True), pair.knock,
                lambda _: 0, os.urandom(32), bytes(8))  # fmt: skip
    pair.ends[1] = Handshake(7, side, 0.0, caller=False)
    pair.ends[1].prove(0.0)
    pair.run()
    assert [end.refusal for end in pair.ends] == [trust.AUTHORITY] * 2


def test_who_has_proved_nothing_is_sent_no_more_than_came(nodes: tuple[Made, Made]) -> None:
    pair = Pair(nodes)
    pair.ends[1].proven = False
    came = sent = 0
    for _ in range(200):
        for value in pair.ends[0].send(pair.now):
            came += len(value)
            pair.deliver(1, value)
        sent += sum(map(len, pair.ends[1].send(pair.now)))
        pair.now += 0.05
    assert 0 < sent <= came


def test_a_small_call_is_answered_when_the_caller_has_proved_itself(nodes: tuple[Made, Made]) -> None:
    pair = Pair(nodes)
    pair.ends[1].proven = False
    value = pair.ends[0].send(0.0)[0]
    piece, _ = pieces.decode(value, [pair.knock]) or (None, b"")
    assert piece is not None
    pair.ends[1].hear(piece, len(piece.data), 0.0)  # as if it had not been filled up
    assert sum(map(len, pair.ends[1].send(0.0))) <= len(piece.data)
    pair.ends[1].prove(0.1)
    assert pair.ends[1].send(0.1)


def test_memory_is_bounded_whatever_offsets_say(nodes: tuple[Made, Made]) -> None:
    called = Pair(nodes).ends[1]
    for offset in range(1, 60_000, 7):
        called.hear(Piece(pieces.CALL, 7, offset, data=b"x" * 1000), 1080, 0.0)
    waiting = called._incoming._waiting
    assert sum(map(len, waiting.values())) <= 64 * 1000


def test_it_is_forgotten_in_time(nodes: tuple[Made, Made]) -> None:
    alone = Pair(nodes).ends[0]
    assert alone.ends == PATIENCE
    pair = Pair(nodes)
    pair.run()
    assert all(end.ends <= pair.now + LINGER for end in pair.ends)


def test_garbage_under_the_right_knock_ends_it(nodes: tuple[Made, Made]) -> None:
    called = Pair(nodes).ends[1]
    called.hear(Piece(pieces.CALL, 7, 0, data=bytes(300)), 400, 0.0)
    assert called.refusal == trust.TLS
    assert [len(value) for value in called.send(0.0)] == [pieces.OVERHEAD + 1]
    assert called.send(0.0) == []
