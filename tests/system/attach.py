"""Filters that no tool of a test machine can add: BPF programs (tcx), an interface's chains of nftables."""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from alagg.system.filters import _BPF

if TYPE_CHECKING:
    from collections.abc import Iterator

INGRESS: Final = 46
EGRESS: Final = 47

_PROG_LOAD, _LINK_CREATE = 5, 28
_SCHED_CLS: Final = 3
_PASS_ON: Final = struct.pack("=BBhi", 0xB7, 0, 0, -1) + struct.pack("=BBhi", 0x95, 0, 0, 0)  # r0 = TCX_NEXT; exit
_REQUEST, _ACK, _CREATE = 0x1, 0x4, 0x400
_NETDEV: Final = 5


@contextmanager
def bpf_program(index: int, attach_type: int = EGRESS) -> Iterator[None]:
    """Have a program at an interface that lets everything pass.

    Raises:
        OSError: the kernel has no such place.
    """
    instructions, licence = ctypes.create_string_buffer(_PASS_ON), ctypes.create_string_buffer(b"GPL")
    load = struct.pack("=IIQQ", _SCHED_CLS, 2, ctypes.addressof(instructions), ctypes.addressof(licence))
    program = _bpf(_PROG_LOAD, load)
    try:
        link = _bpf(_LINK_CREATE, struct.pack("=IIII", program, index, attach_type, 0))
    finally:
        os.close(program)
    try:
        yield
    finally:
        os.close(link)


def _bpf(command: int, arguments: bytes) -> int:
    buffer = ctypes.create_string_buffer(arguments, 128)
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(_BPF[platform.machine(), 64], command, buffer, 128))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@contextmanager
def nftables_chain(interface: str, hook: int, *, several: bool = False) -> Iterator[None]:
    """Have a chain `net out` at an interface: hook 0 for what comes, 1 for what goes.

    Args:
        several: name the interface in a list, as chains with several interfaces do.

    Raises:
        OSError: the kernel has no such place.
    """
    table = _attribute(1, b"net\0")
    name = _attribute(1, interface.encode() + b"\0")
    device = _attribute(4 | 0x8000, name) if several else _attribute(3, interface.encode() + b"\0")
    place = _attribute(1, struct.pack("!I", hook)) + _attribute(2, struct.pack("!i", 0)) + device
    chain = table + _attribute(3, b"out\0") + _attribute(4 | 0x8000, place) + _attribute(7, b"filter\0")
    _change(0, _CREATE, table)
    try:
        _change(3, _CREATE, chain)
        yield
    finally:
        _change(2, 0, table)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _change(kind: int, flags: int, attributes: bytes) -> None:
    """Send one change of nftables in a batch of its own (libnftnl's way)."""
    parts = [
        (0x10, _REQUEST, struct.pack("!BBH", 0, 0, 10)),
        (10 << 8 | kind, _REQUEST | _ACK | flags, struct.pack("!BBH", _NETDEV, 0, 0) + attributes),
        (0x11, _REQUEST, struct.pack("!BBH", 0, 0, 10)),
    ]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netfilter:
        netfilter.send(b"".join(
            struct.pack("=IHHII", 16 + len(body), number, one, 1, 0) + body for number, one, body in parts
        ))
        (code,) = struct.unpack_from("=i", netfilter.recv(1 << 16), 16)
    if code:
        raise OSError(-code, os.strerror(-code))
