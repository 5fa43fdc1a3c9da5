"""Peek: a cheap look at the kernel's legacy packet filter, to see whether the node's rules are still there.

The legacy tables tell nobody when they change. Reading one with python-iptables takes a process and a third of a
second; this takes one system call: what iptables(8) itself asks for (linux/netfilter_ipv4/ip_tables.h, and ip6_).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg.system import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.system.rules import Family

_GET_INFO, _GET_ENTRIES = 64, 65
_INFO: Final = struct.Struct("=32sI5I5III")
_SIZE: Final = struct.Struct("32sI0Q")
"""`struct ipt_get_entries` without the entries."""
_ENTRY: Final = {4: struct.Struct("84sIHHI2Q"), 6: struct.Struct("136sIHHI2Q")}
"""`struct ipt_entry` and `struct ip6t_entry`: what to match, cache, offsets of target and next, origin, counters."""
_LEVEL: Final = {4: (socket.AF_INET, socket.IPPROTO_IP), 6: (socket.AF_INET6, socket.IPPROTO_IPV6)}
_HOOKS: Final = {"INPUT": 1, "FORWARD": 2, "OUTPUT": 3}
_ADDRESSES: Final = {4: (16, 84), 6: (64, 136)}
"""Where the name of the interface begins in an entry, and where what it matches by itself ends."""
_NAME: Final = 16
"""Bytes of an interface's name."""
_ATTEMPTS: Final = 5
_OURS: Final = b"alagg:"
"""All nodes' comments begin so; those of another node on this host are left where they are."""
_TARGET: Final = struct.Struct("=H29sB")
_VERDICT: Final = struct.Struct("=i")
_DROP: Final = -1


class NoTableError(HostError):
    """The kernel has no such table, and so no rule in it."""


class Chain(NamedTuple):
    """What a chain of the kernel holds of one node."""

    rules: tuple[bytes, ...]
    """Its rules in order, without counters."""
    overtaken: bool
    """A rule of somebody else stands before the last of them and may let packets pass by."""


def chain(family: Family, table: str, name: str, comment: str) -> Chain:
    """Look at a chain.

    Args:
        family: 4 or 6.
        table: such as `filter`.
        name: `OUTPUT` or `FORWARD`.
        comment: what the rules say of whose they are.

    Raises:
        NoTableError: the kernel has no such table.
        HostError: the table cannot be read.
    """
    mark = comment.encode() + b"\0"
    entries = list(_entries(family, table, _HOOKS[name]))
    ours = [place for place, entry in enumerate(entries) if mark in entry]
    before = entries[: ours[-1]] if ours else []
    foreign = [entry for entry in before if _OURS not in entry and not _refuses(family, entry)]
    return Chain(tuple(_without_counters(family, entries[place]) for place in ours), overtaken=bool(foreign))


def refuses(family: Family, table: str, name: str, device: str) -> tuple[bool, bool]:
    """Say whether a chain refuses all that no rule lets pass, and whether a rule of its table names a device.

    Raises:
        HostError: the table cannot be read.
    """
    whole, first, last = _read(family, table, _HOOKS[name])
    policy = next(_split(family, whole, last, last + 1))
    rules = _split(family, whole, first, last)
    refusing = _refuses(family, policy) or any(_refuses(family, one) and _unconditional(family, one) for one in rules)
    start, _ = _ADDRESSES[family]
    names = {one[start : start + _NAME].partition(b"\0")[0] for one in _split(family, whole, 0, len(whole))}
    whole_name = device.encode()
    named = (whole_name.startswith(one[:-1]) if one.endswith(b"+") else one == whole_name for one in names)
    return refusing, any(named)


def _unconditional(family: Family, entry: bytes) -> bool:
    size = _ENTRY[family].size
    return not any(entry[: _ADDRESSES[family][1]]) and _ENTRY[family].unpack_from(entry)[2] == size


def _entries(family: Family, table: str, hook: int) -> Iterator[bytes]:
    return _split(family, *_read(family, table, hook))


def _split(family: Family, whole: bytes, first: int, last: int) -> Iterator[bytes]:
    at = first
    while at < last:
        length = _ENTRY[family].unpack_from(whole, at)[3]
        yield whole[at : at + length]
        at += length


def _read(family: Family, table: str, hook: int) -> tuple[bytes, int, int]:
    """Give a table's entries, and where those of a hook begin and end (the chain's policy is the last one)."""
    address_family, level = _LEVEL[family]
    name = table.encode()
    try:
        with socket.socket(address_family, socket.SOCK_RAW, socket.IPPROTO_RAW) as asking:
            for left in reversed(range(_ATTEMPTS)):
                info = _INFO.unpack(_ask(asking, level, _GET_INFO, name.ljust(_INFO.size, b"\0")))
                first, last, size = info[2 + hook], info[7 + hook], info[13]
                try:
                    asked = _SIZE.pack(name, size) + bytes(size)
                    return _ask(asking, level, _GET_ENTRIES, asked)[_SIZE.size :], first, last
                except BlockingIOError:  # it has changed in between
                    if not left:
                        raise
    except OSError as error:
        kind = NoTableError if error.errno in (errno.ENOENT, errno.ENOPROTOOPT) else HostError
        raise kind(f"the {table} table of IPv{family} cannot be read: {error.strerror}") from None
    raise AssertionError


def _ask(asking: socket.socket, level: int, option: int, text: bytes) -> bytes:
    """Call getsockopt(2) with a question in its buffer, which Python's own cannot."""
    buffer = ctypes.create_string_buffer(text, len(text))
    length = ctypes.c_uint32(len(text))
    library = ctypes.CDLL(None, use_errno=True)
    if library.getsockopt(asking.fileno(), level, option, buffer, ctypes.byref(length)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return buffer.raw


def _refuses(family: Family, entry: bytes) -> bool:
    """Say whether a rule keeps packets from leaving at all: that is its user's will, and stays in its place."""
    target = _ENTRY[family].unpack_from(entry)[2]
    _, name, _ = _TARGET.unpack_from(entry, target)
    word = name.partition(b"\0")[0]
    if word == b"REJECT":
        return True
    verdict: int = _VERDICT.unpack_from(entry, target + _TARGET.size)[0]
    return word == b"" and verdict == _DROP


def _without_counters(family: Family, entry: bytes) -> bytes:
    layout = _ENTRY[family]
    match, cache, target, after, _, _, _ = layout.unpack_from(entry)
    return layout.pack(match, cache, target, after, 0, 0, 0) + entry[layout.size :]
