"""The compiled engine against the plain one, packet by packet: the same goes in, the same comes out."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alagg.engine import receiver
from alagg.engine.header import SIZE
from tests import forms
from tests.engine.helpers import ONE, ONE6, TWO, TWO6, batch, frame, ipv4, ipv6
from tests.engine.packets import UDP, Packet, packets
from tests.engine.test_merge import batches
from tests.twins import LINKS, WINDOWS, Twins

pytestmark = forms.needs_compiled

SEQUENCES = st.one_of(
    st.integers(0, 40),
    st.integers(0xFFFF_FFF0, 0xFFFF_FFFF),
    st.sampled_from([64, 127, 128, 8191, 8192, 9000, 1 << 31, (1 << 31) + 1]),
)
PAUSES = st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.05, 0.3, 1.0, 2.0])
EPOCHS = st.sampled_from([7, 7, 7, 8, 9, 0xFFFF_FFFF])


def test_forms_are_what_they_say_and_leave_the_process_alone() -> None:
    compiled = forms.compiled()
    assert compiled
    assert str(forms.plain().receiver.__file__).endswith(".py")
    assert str(compiled.receiver.__file__).endswith(".so")
    assert forms.plain().receiver.parse is forms.plain().header.parse
    assert sys.modules["alagg.engine.receiver"] is receiver is sys.modules["alagg.engine"].receiver


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Give a frame with a packet that is ours or is not, or with a piece of one."""
    sequence = draw(SEQUENCES)
    payload = draw(st.sampled_from([
        ipv4(sequence.to_bytes(4, "big"), TWO, ONE), ipv6(b"6", TWO6, ONE6), ipv4(b"?", "10.9.9.9", ONE), b"any",
    ]))  # fmt: skip
    last = draw(st.sampled_from([0, 0, 0, 1, 3]))
    place = (min(draw(st.integers(0, 3)), last), last)
    lane = draw(st.sampled_from([0, 0, 0, 15, 16]))
    made = frame(sequence, payload, epoch=draw(EPOCHS), lane=lane, link_sequence=draw(SEQUENCES), place=place)
    return made + bytes(draw(st.sampled_from([0, 0, 22])))


RECEIVE = st.tuples(st.just("receive"), st.integers(0, LINKS - 1), st.lists(frames(), max_size=12))
WAIT = st.tuples(st.just("wait"), PAUSES)
SEND = st.tuples(
    st.just("send"),
    st.lists(st.sampled_from([10, 200, 1000, 65_507]), max_size=20),
    st.tuples(*[st.sampled_from([1000, 1000, 0, 1, 5])] * LINKS),
)
VERBS = st.lists(st.one_of(RECEIVE, RECEIVE, WAIT, SEND), max_size=15)


@given(verbs=VERBS, scheduler=st.sampled_from(["redundant", "round-robin"]), window=st.sampled_from(WINDOWS))
def test_whole_engine(verbs: list[tuple[Any, ...]], scheduler: str, window: int) -> None:
    """Sender and receiver with all their parts; `Twins` compares after each verb."""
    twins = Twins(scheduler=scheduler, window=window)
    for verb, *arguments in verbs:
        if verb == "send":
            sizes, taken = arguments
            twins.send([ipv4(bytes(size)) for size in sizes], taken)
        else:
            getattr(twins, verb)(*arguments)
    twins.flush()


def test_a_packet_that_is_given_up_while_one_of_its_pieces_is_tried_again() -> None:
    twins = Twins(scheduler="round-robin")
    twins.send([ipv4(bytes(65_507))], (1000, 1000, 0))
    twins.wait(0.001)
    twins.wait(0.05)
    twins.send([ipv4(bytes(10))], (1000, 1000, 1000))
    twins.flush()


@given(st.lists(st.tuples(EPOCHS, SEQUENCES, PAUSES), max_size=60))
def test_recovery(numbers: list[tuple[int, int, float]]) -> None:
    ways = [engine.recovery.Recovery(64) for engine in forms.both()]
    now = 0.0
    for epoch, sequence, pause in numbers:
        now += pause
        plain, compiled = [(way.accept(epoch, sequence, now), way.epoch, way.counters()) for way in ways]
        assert compiled == plain


@given(
    st.sampled_from([None, 0.0, 0.02]),
    st.lists(st.tuples(st.sampled_from(["push", "push", "push", "expire", "passed", "flush"]), SEQUENCES, PAUSES)),
)
def test_reorder(timeout: float | None, verbs: list[tuple[str, int, float]]) -> None:
    buffers = [engine.reorder.Reorder(timeout) for engine in forms.both()]
    now = 0.0
    pushed: set[int] = set()
    for verb, sequence, pause in verbs:
        now += pause
        if verb == "push" and sequence in pushed:  # elimination has seen to that
            continue
        pushed.add(sequence)
        plain, compiled = [reordered(buffer, verb, sequence, now) for buffer in buffers]
        assert compiled == plain


def reordered(buffer: Any, verb: str, sequence: int, now: float) -> tuple[Any, ...]:
    """Give what a buffer releases upon a verb, and what it counts."""
    out: list[Any] = []
    if verb == "push":
        buffer.push(sequence, sequence.to_bytes(4, "big"), now, out)
    elif verb == "expire":
        buffer.expire(now, out)
    elif verb == "passed":
        buffer.passed_by_all(sequence, now, out)
    else:
        buffer.flush(out)
    return out, buffer.held, buffer.late, buffer.given_up, buffer.overflows, buffer.timeout, buffer.deadline()


@given(st.one_of(packets(), packets(UDP)), st.integers(60, 1500))
def test_cut_and_complete(packet: Packet, size: int) -> None:
    data = packet.pack_partial()
    plain, compiled = [(engine.segment.cut(data, size), engine.segment.complete(data)) for engine in forms.both()]
    assert compiled == plain


@given(batches())
def test_merge(merged: list[Packet]) -> None:
    data = [packet.pack() for packet in merged]
    mergers = [engine.merge.Merger() for engine in forms.both()]
    plain, compiled = [(merger.merge(data), merger.merged, merger.super_packets) for merger in mergers]
    assert compiled == plain


@given(st.lists(st.one_of(frames(), frames(), st.binary(max_size=60)), min_size=1, max_size=5), st.integers(0, 30))
def test_parsing(noisy: list[bytes], offset: int) -> None:
    headers, payloads = batch(noisy)
    for index, data in enumerate(noisy):
        plain, compiled = [
            (decoded(engine, data), decoded(engine, bytes(offset) + data, offset), decoded(engine, data, offset),
             parsed(engine, headers, index * SIZE, payloads[index] or b""))
            for engine in forms.both()
        ]  # fmt: skip
        assert compiled == plain


def decoded(engine: Any, data: bytes, offset: int = 0) -> Any:
    try:
        return engine.header.decode(data, offset)
    except engine.header.MalformedFrameError as error:
        return error.reason


def parsed(engine: Any, headers: bytes, at: int, payload: bytes) -> Any:
    try:
        return engine.header.parse(headers, at, payload)
    except engine.header.MalformedFrameError as error:
        return error.reason


BYTE, WORD = st.integers(0, 0xFF), st.integers(0, 0xFFFF_FFFF)


@given(
    st.integers(0, 3), st.integers(0, 3),
    st.tuples(st.integers(1, 3), WORD, BYTE, WORD, BYTE, WORD, BYTE, BYTE, st.integers(0, 0xFFFF), WORD),
)  # fmt: skip
def test_writing(before: int, behind: int, values: tuple[int, ...]) -> None:
    batches = [bytearray(b"\xaa" * (before + 1 + behind) * SIZE) for _ in forms.both()]
    for engine, headers in zip(forms.both(), batches, strict=True):
        engine.header.write(headers, before * SIZE, *values)
    plain, compiled = batches
    assert compiled == plain
