"""The parts in C: they do what their Python counterparts would."""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from alagg.engine.crc import crc32c
from alagg.engine.header import DATA, SIZE, encode
from bench import native

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sockets() -> tuple[socket.socket, socket.socket]:
    server, client = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    server.bind(("127.0.0.1", 0))
    client.connect(server.getsockname())
    return server, client


def test_numbers_arrive_and_are_marked(sockets: tuple[socket.socket, socket.socket]) -> None:
    flood, (server, client) = native.Flood(), sockets
    sent, _ = flood.send(client.fileno(), 100, 0, 5.0, 70)
    seen = ctypes.create_string_buffer(100)
    assert sent == 70
    client.send(struct.pack(">Q", 10**6))  # not one of ours
    client.send(b"short")
    assert flood.mark(server.fileno(), seen) == 72
    assert seen.raw == b"\1" * 70 + bytes(30)
    server.close()
    client.close()


def test_a_refusal_is_an_error(sockets: tuple[socket.socket, socket.socket]) -> None:
    for one in sockets:
        one.close()
    with pytest.raises(OSError, match="load generator"):
        native.Flood().send(-1, 100, 0, 1.0, 10)
    with pytest.raises(OSError, match="load generator"):
        native.Flood().send(0, 4, 0, 1.0, 10)  # no room for the number


def test_the_reference_writes_the_headers_that_the_engine_writes() -> None:
    reference = native.Reference()
    payload = bytes(range(200))
    ctypes.memmove(reference._buffers, payload, 200)
    reference.out(200, 2, 1)
    start = native.SLOT * native.SLOTS
    frames = reference._buffers.raw[start : start + 2 * SIZE + 200]
    checksum = crc32c(0, payload, 0, 200)
    headers = [encode(DATA, 1, 0, 0, link, 0, 0, 0, 200, checksum) for link in (0, 1)]
    assert frames == b"".join(headers) + payload


def test_the_reference_copies_payloads() -> None:
    reference = native.Reference()
    ctypes.memmove(reference._buffers, bytes(SIZE) + b"abc", SIZE + 3)
    reference.into(3, 1, 1)
    start = native.SLOT * native.SLOTS
    assert reference._buffers.raw[start : start + 4] == b"abc\0"


def test_compiling_anew_only_what_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "HERE", tmp_path)
    load = native.load.__wrapped__
    (tmp_path / "one.c").write_text("int answer(void) { return 42; }")
    assert load("one").answer() == 42
    library = tmp_path / "_one.so"
    made = library.stat().st_mtime_ns
    assert load("one").answer() == 42
    assert library.stat().st_mtime_ns == made
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_one.so", "one.c"]


def test_what_does_not_compile_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "HERE", tmp_path)
    (tmp_path / "bad.c").write_text("int answer(")
    with pytest.raises(native.NativeError, match=r"bad\.c does not compile"):
        native.load("bad")
