"""The parts in C: compiled when they are first needed, and called through ctypes."""

from __future__ import annotations

import ctypes
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
SLOT: Final = 2048
"""Bytes of one of the reference's buffers, as in reference.c."""
SLOTS: Final = 256


class NativeError(RuntimeError):
    """The C compiler is missing or refuses; the text says which."""


@cache
def load(name: str) -> ctypes.CDLL:
    """Load `NAME.c` of this folder; gcc compiles it if that has not happened since it changed.

    Raises:
        NativeError: it cannot be compiled.
    """
    source, library = HERE / f"{name}.c", HERE / f"_{name}.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        _compile(source, library)
    return ctypes.CDLL(str(library), use_errno=True)


def _compile(source: Path, library: Path) -> None:
    """Compile beside the source; whoever loads the library meanwhile finds it whole."""
    fresh = library.with_suffix(f".{os.getpid()}")
    command = ["gcc", "-O3", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(fresh), str(source)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise NativeError("gcc is not installed; on Debian and Ubuntu: apt-get install gcc libc6-dev") from None
    if done.returncode:
        raise NativeError(f"{source.name} does not compile: {done.stderr.strip()}")
    fresh.replace(library)


class Flood:
    """The load generator's loops (flood.c)."""

    def __init__(self) -> None:
        """Load them."""
        library = load("flood")
        self._send, self._mark = library.flood, library.mark
        self._send.argtypes = (ctypes.c_int, ctypes.c_long, ctypes.c_double, ctypes.c_double, ctypes.c_long,
                               ctypes.POINTER(ctypes.c_double))
        self._mark.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_long)
        self._send.restype = self._mark.restype = ctypes.c_long

    def send(self, descriptor: int, size: int, rate: float, seconds: float, count: int) -> tuple[int, float]:
        """Send numbered datagrams; give how many, and in how many seconds.

        Raises:
            OSError: the socket refused.
        """
        gone = ctypes.c_double()
        return _checked(self._send(descriptor, size, rate, seconds, count, ctypes.byref(gone))), gone.value

    def mark(self, descriptor: int, seen: ctypes.Array[ctypes.c_char]) -> int:
        """Read what waits and mark its numbers; give how many datagrams there were.

        Raises:
            OSError: the socket refused.
        """
        return _checked(self._mark(descriptor, seen, len(seen)))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(-result, "the load generator's system call failed")
    return result


class Reference:
    """What C needs at least for packets out and in (reference.c)."""

    def __init__(self) -> None:
        """Load it, with the checksum of the library that the engine calls."""
        import google_crc32c  # noqa: PLC0415 - the load generators, which start often, do without

        library = load("reference")
        checksum = ctypes.CDLL(google_crc32c._crc32c.__file__).crc32c_extend  # noqa: SLF001 - its path, as the engine
        self._checksum = ctypes.cast(checksum, ctypes.c_void_p)
        self._buffers = ctypes.create_string_buffer(2 * SLOT * SLOTS)
        self._out, self._in = library.reference_out, library.reference_in
        for function in (self._out, self._in):
            function.argtypes = (ctypes.c_void_p, ctypes.c_char_p, *[ctypes.c_long] * 3)
            function.restype = None
        self._in.restype = ctypes.c_uint32

    def out(self, size: int, links: int, packets: int) -> None:
        """Make the frames of so many packets."""
        self._out(self._checksum, self._buffers, size, links, packets)

    def into(self, size: int, links: int, packets: int) -> None:
        """Read the frames of so many packets."""
        self._in(self._checksum, self._buffers, size, links, packets)
