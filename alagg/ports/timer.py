"""A timer that a poll loop waits for like for any other edge (timerfd_create(2); Python has it from 3.13 on)."""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from typing import Final

_CLOCK_MONOTONIC: Final = 1
_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK, TFD_CLOEXEC


class Ticker:
    """A descriptor that is readable at regular times, from one interval after it was made."""

    def __init__(self, seconds: float) -> None:
        """Start it.

        Raises:
            OSError: the process may have no more descriptors.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        interval = int(seconds), int(seconds % 1 * 1e9)
        libc.timerfd_settime(self._descriptor, 0, struct.pack("llll", *interval, *interval), None)

    def fileno(self) -> int:
        """Give the descriptor; -1 once closed."""
        return int(self._descriptor)

    def take(self) -> None:
        """Make it unreadable until the next time."""
        with suppress(BlockingIOError):
            os.read(self._descriptor, 8)

    def close(self) -> None:
        """Give the descriptor back. More calls do nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
