"""Waiting for descriptors: the plain twin of `alagg.native.poller`, for hosts without a compiler.

`select.select` waits to the microsecond, but knows only descriptors below 1,024; `select.poll` knows all of them and
whole milliseconds.
"""

from __future__ import annotations

import ctypes
import errno
import math
import select
from typing import Final

TIMER_SLACK: Final = 1000
"""Nanoseconds by which the kernel may let a timer ring late; 50,000 unless told otherwise."""
LARGEST: Final = 1023
"""The largest descriptor that select(2) knows."""
LONGEST: Final = 1e9
"""Seconds; more is for ever."""

_PR_SET_TIMERSLACK: Final = 29


class Poller:
    """Waits for descriptors that are readable, have failed, or have been hung up.

    Making one also lets the calling thread's timers ring to the microsecond: by default the kernel may delay them by
    50 us, to wake up less often.
    """

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self._descriptors: dict[int, None] = {}
        self._poll = select.poll()
        # A kernel that refuses leaves us with its usual slack.
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(TIMER_SLACK), 0, 0, 0)

    def register(self, descriptor: int) -> None:
        """Wait for a descriptor, too; one that is registered stays so.

        Raises:
            ValueError: it is negative.
        """
        if descriptor < 0:
            raise ValueError("a descriptor is not negative")
        self._descriptors[descriptor] = None
        self._poll.register(descriptor, select.POLLIN)

    def unregister(self, descriptor: int) -> None:
        """Wait no longer for a descriptor.

        Raises:
            KeyError: it is not registered.
        """
        del self._descriptors[descriptor]
        self._poll.unregister(descriptor)

    def poll(self, seconds: float) -> list[int]:
        """Give the descriptors that are ready, in the order in which they were registered; a closed one is, too.

        Args:
            seconds: how long to wait for the first; 0 or less not at all, infinity for ever.

        Returns:
            An empty list when the time is over.

        Raises:
            OSError: the kernel cannot wait, such as for more descriptors than the process may have open.
            ValueError: `seconds` is not a number.
        """
        if math.isnan(seconds):
            raise ValueError("not a time")
        limit = max(seconds, 0.0) if seconds < LONGEST else None
        if max(self._descriptors, default=0) > LARGEST:
            return self._poll_coarsely(limit)
        try:
            return select.select(self._descriptors, (), (), limit)[0]
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            return self._poll_coarsely(limit)  # it says which one is closed

    def _poll_coarsely(self, limit: float | None) -> list[int]:
        """Wait to the next whole millisecond."""
        ready = {descriptor for descriptor, _ in self._poll.poll(None if limit is None else math.ceil(limit * 1000))}
        return [descriptor for descriptor in self._descriptors if descriptor in ready]
