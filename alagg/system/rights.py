"""The rights that a process needs to change what alagg changes on a host, and how to give them up."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import Final

from alagg.system import HostError

_CAPABILITIES: Final = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}
_ALL: Final = 64
"""Capabilities that a kernel can know: each set of them has as many bits (capget(2))."""
_PR_SET_PDEATHSIG: Final = 1
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522

_libc: Final = ctypes.CDLL(None, use_errno=True)


def lacking() -> list[str]:
    """Give the names of the capabilities that this process does not hold (capabilities(7))."""
    held = _told(b"CapEff")
    return [name for name, bit in _CAPABILITIES.items() if not held >> bit & 1]


def demand() -> None:
    """Go on only with all of them.

    Raises:
        HostError: some are lacking.
    """
    if names := lacking():
        raise HostError(f"this process lacks {' and '.join(names)}; run it as root")


def give_up() -> None:
    """Give up all capabilities for ever, also for what this process starts.

    Raises:
        HostError: the process still has some, or could get them.
    """
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(_ALL):  # refused to who has no CAP_SETPCAP, which is no harm without new privileges
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    # this process; nothing effective, permitted or inheritable, twice 32 bits of each (capset(2))
    _libc.capset((ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)())
    if _told(b"CapPrm") or _told(b"CapEff") or not _told(b"NoNewPrivs"):
        raise HostError("this process cannot give up its rights: the kernel does not let it")


def end_with(parent: int) -> bool:
    """Have this process end when its parent does, even by SIGKILL; a change of its user takes that back (prctl(2)).

    Args:
        parent: the parent's process id.

    Returns:
        Whether the parent is there still.

    Raises:
        OSError: the kernel refuses.
    """
    if _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return os.getppid() == parent


def _told(field: bytes) -> int:
    """Give a number of /proc/self/status: sets of capabilities stand there in hexadecimal (proc(5))."""
    status = Path("/proc/self/status").read_bytes()  # no codec: without rights Python may not find one any more
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(field + b":")), 16)
