"""Filters on interfaces, which AF_XDP would pass by: those of tc, BPF programs (tcx), and chains of nftables.

Whoever adds a filter need not touch the queueing discipline, and of BPF programs the kernel tells nobody: so a look
is taken at regular times. A filter of either direction counts: what is filtered shall stay where people look for it.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alagg.ports.timer import Ticker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alagg.system.netlink import Interface

INTERVAL: Final = 0.5
"""Seconds between two looks."""
LATER: Final = 60.0
"""Seconds after which a kernel without nftables is asked again: each question has it look for a module."""

_NETLINK_NETFILTER: Final = 12
_REQUEST_DUMP: Final = 0x1 | 0x300
_MESSAGE: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_ERROR, _DONE = 2, 3
_TYPE_MASK: Final = 0x3FFF

_GET_QDISC: Final = 38
_TC: Final = struct.Struct("=B3xiIII")
_TCA_KIND: Final = 1
_CLASSLESS: Final = ("clsact", "ingress")
"""Queueing disciplines that only hold filters."""

_GET_CHAIN: Final = 10 << 8 | 4  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN
_NETDEV: Final = struct.pack("=BBH", 5, 0, 0)  # NFPROTO_NETDEV
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK = 1, 3, 4
_HOOK_DEVICE, _HOOK_DEVICES = 3, 4
_DEVICE_PREFIX: Final = 2

_LIBC: Final = ctypes.CDLL(None)
_STATUS: Final = Path("/proc/self/status")
_PROG_QUERY: Final = 16
_TCX: Final = (46, 47)  # BPF_TCX_INGRESS, BPF_TCX_EGRESS
_BPF: Final = {
    ("x86_64", 64): 321, ("x86_64", 32): 357, ("i686", 32): 357, ("i586", 32): 357,
    ("aarch64", 64): 280, ("aarch64", 32): 386, ("armv8l", 32): 386, ("armv7l", 32): 386, ("armv6l", 32): 386,
    ("riscv64", 64): 280, ("loongarch64", 64): 280, ("ppc64le", 64): 361, ("s390x", 64): 351,
    ("mips64", 64): 5315, ("mips", 32): 4355,
}  # fmt: skip
"""The number of bpf(2), for which the C library has no function, by machine and bits."""


class Filters:
    """What filters the frames of interfaces, as of the last look."""

    def __init__(self) -> None:
        """Open what is asked; nothing has been looked at yet.

        Raises:
            OSError: the process may have no more descriptors.
        """
        self._route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._netfilter = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._ticker = Ticker(INTERVAL)
        self._bpf = _usable_bpf()
        self._found: dict[int, str] = {}
        self._nftables_from = 0.0
        """When nftables may be asked next, by the clock."""

    def fileno(self) -> int:
        """Give the descriptor that is readable when it is time for another look."""
        return self._ticker.fileno()

    def look(self, interfaces: Iterable[Interface]) -> bool:
        """Look anew; say whether anything has changed."""
        self._ticker.take()
        before, self._found = self._found, {}
        try:
            tc, chains = self._tc(), self._nftables()
        except OSError:
            # The kernel lost a part of its answer, or has no memory just now.
            self._found = before
            return False
        for interface in interfaces:
            chain = next((text for name, text in chains if _matches(name, interface.name)), "")
            tcx = "a BPF program (tcx)" if _tcx(self._bpf, interface.index) else ""
            if reason := tc.get(interface.index) or tcx or chain:
                self._found[interface.index] = reason
        return self._found != before

    def on(self, interface: Interface) -> str:
        """Say in words what filters an interface's frames; give nothing when nothing does."""
        return self._found.get(interface.index, "")

    def close(self) -> None:
        """Give the descriptors back. More calls do nothing."""
        self._route.close()
        self._netfilter.close()
        self._ticker.close()

    def _tc(self) -> dict[int, str]:
        """Find the interfaces with a place for filters of tc."""
        found: dict[int, str] = {}
        for message in _dump(self._route, _GET_QDISC, bytes(_TC.size)):
            kind = _text(dict(_attributes(message[_TC.size :])).get(_TCA_KIND, b""))
            if kind in _CLASSLESS:
                found[_TC.unpack_from(message)[1]] = f"filters of tc ({kind})"
        return found

    def _nftables(self) -> list[tuple[bytes, str]]:
        """Find the chains of nftables that are bound to interfaces; each with an interface as `_devices` gives it."""
        if time.monotonic() < self._nftables_from:
            return []
        try:
            chains = list(_dump(self._netfilter, _GET_CHAIN, _NETDEV))
        except OSError as error:
            if error.errno in (errno.ENOBUFS, errno.EINTR, errno.EAGAIN):
                raise
            self._nftables_from = time.monotonic() + LATER
            return []
        return [device for chain in chains for device in _devices(chain[len(_NETDEV) :])]


def _devices(chain: bytes) -> Iterator[tuple[bytes, str]]:
    """Give the interfaces of one chain, and the chain in words; a name without a zero at its end is a prefix."""
    attributes = dict(_attributes(chain))
    text = f"nftables (chain {_text(attributes.get(_CHAIN_TABLE, b''))} {_text(attributes.get(_CHAIN_NAME, b''))})"
    for kind, value in _attributes(attributes.get(_CHAIN_HOOK, b"")):
        if kind == _HOOK_DEVICE:
            yield value, text
        elif kind == _HOOK_DEVICES:
            for inner, name in _attributes(value):
                yield (name.rstrip(b"\0") if inner == _DEVICE_PREFIX else name), text


def _matches(wanted: bytes, name: str) -> bool:
    return wanted == name.encode() + b"\0" or (not wanted.endswith(b"\0") and name.encode().startswith(wanted))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _tcx(number: int | None, index: int) -> bool:
    """Say whether BPF programs are attached to an interface (bpf(2), BPF_PROG_QUERY)."""
    return number is not None and any(_programs(number, index, attach_type) for attach_type in _TCX)


def _usable_bpf() -> int | None:
    """Give the number of bpf(2); None where we do not know it, or a filter of system calls does not let it through.

    Such a filter, as a unit of systemd may have, ends whoever makes the call: so another process tries.
    """
    number = _BPF.get((platform.machine(), 64 if sys.maxsize > 1 << 32 else 32))
    if number is None or "\nSeccomp:\t2" not in _STATUS.read_text():
        return number
    attempt = f"import ctypes; ctypes.CDLL(None).syscall({number}, {_PROG_QUERY}, None, 0)"
    done = subprocess.run([sys.executable, "-S", "-c", attempt], check=False, capture_output=True)  # noqa: S603 - ours
    return number if done.returncode == 0 else None


def _programs(number: int, index: int, attach_type: int) -> int:
    """Give how many programs there are at one place; 0 as well where the kernel knows no such place."""
    question = ctypes.create_string_buffer(struct.pack("=IIIIQI", index, attach_type, 0, 0, 0, 0), 64)
    _LIBC.syscall(number, _PROG_QUERY, question, ctypes.sizeof(question))
    return int(struct.unpack_from("=I", question, 24)[0])


def _dump(sock: socket.socket, kind: int, body: bytes) -> Iterator[bytes]:
    """Ask for everything of a kind; give the messages without their netlink headers.

    Raises:
        OSError: the kernel refused.
    """
    sequence = time.monotonic_ns() & 0xFFFFFFFF
    sock.send(_MESSAGE.pack(_MESSAGE.size + len(body), kind, _REQUEST_DUMP, sequence, 0) + body)
    while True:
        data = sock.recv(1 << 16)
        while len(data) >= _MESSAGE.size:
            size, answer, _, answered, _ = _MESSAGE.unpack_from(data)
            message, data = data[_MESSAGE.size : size], data[max(size, _MESSAGE.size) + 3 & ~3 :]
            if answered != sequence:
                continue  # what was left of an answer that broke off
            if answer == _DONE:
                return
            if answer == _ERROR:
                code = -struct.unpack_from("=i", message)[0]
                raise OSError(code, "netlink")
            yield message


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give numbers and contents of netlink attributes."""
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _TYPE_MASK, data[_ATTRIBUTE.size : length]
        data = data[length + 3 & ~3 :]
