"""The compiled reader and writer beside their plain twins: the same packets, items, bytes and counters."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.merge import ALONE
from tests.native.forms import compiled, plain
from tests.native.leak import ALLOWED, growth

if TYPE_CHECKING:
    from collections.abc import Sequence


@st.composite
def items(draw: st.DrawFn) -> Any:
    packets = draw(st.lists(st.binary(min_size=4, max_size=40), max_size=70))
    offset = draw(st.integers(0, 4)) if packets else 0
    return draw(st.sampled_from([ALONE, b"\x01" * 10])), draw(st.binary(max_size=60)), packets, offset


def outcome(edge: Any, batch: Sequence[Any]) -> object:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        writer = edge.Writer(ours.fileno())
        done = writer.write(batch)
        return done, writer.written, writer.refused, [theirs.recv(1 << 17) for _ in batch]


@given(st.lists(items(), max_size=90))
def test_both_forms_write_the_same(batch: list[Any]) -> None:
    assert outcome(compiled("tun"), batch) == outcome(plain("tun"), batch)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=90))
def test_both_forms_read_the_same(messages: list[bytes]) -> None:
    assert read(compiled("tun"), messages) == read(plain("tun"), messages)


def read(edge: Any, messages: Sequence[bytes]) -> object:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        reader = edge.Reader(ours.fileno())
        for message in messages:
            theirs.send(message)
        return reader.read(), reader.read(), reader.malformed


@pytest.mark.parametrize(("wrong", "error"), [
    ((ALONE, b"h", [b"short"], 6), ValueError),
    ((ALONE, b"h", [b"short"], -1), ValueError),
    ((ALONE, b"h", [b""] * 1023, 0), ValueError),
    ((ALONE, None, [], 0), TypeError),
    ((ALONE, b"h", [None], 0), ValueError),
    ((ALONE, b"h", [bytearray(9)], 0), TypeError),
    ((ALONE, b"h", None, 0), TypeError),
    ((ALONE, b"h"), ValueError),
    ((None, b"h", [], 0), TypeError),
    (None, TypeError),
])
def test_what_is_no_item_is_refused_before_it_is_looked_at(wrong: Any, error: type[Exception]) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with ours, theirs:
        writer = compiled("tun").Writer(ours.fileno())
        with pytest.raises(error):
            writer.write([wrong])
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


def test_nothing_is_kept() -> None:
    descriptor = os.open("/dev/null", os.O_WRONLY)
    writer = compiled("tun").Writer(descriptor)
    refusing = compiled("tun").Writer(-1)
    assert growth(lambda: writer.write([(bytes(10), bytes(50), [bytes(100)] * 3, 40), (ALONE, bytes(60), [], 0)])) \
        < ALLOWED
    assert growth(lambda: refusing.write([(ALONE, bytes(60), [], 0)])) < ALLOWED
    assert set(refusing.refused) == {"EBADF"}
    os.close(descriptor)
