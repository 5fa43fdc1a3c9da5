"""How long this machine's processors ran nobody: the host of a virtual machine takes them away at times.

A limit in seconds on what is measured here must allow for that. What our own processes do to each other is not
forgiven: a beat needs a processor for some microseconds only, and gets it from any process that is just busy.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing_extensions import Self

BEAT: Final = 0.002
"""Seconds between two beats on each processor."""


class Heartbeat:
    """Beats on every processor while it is entered, and remembers the longest pause."""

    def __init__(self) -> None:
        """Prepare one thread for each processor."""
        self.longest_pause = 0.0
        """Seconds for which a beat was late."""
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._beat, args=(cpu,)) for cpu in os.sched_getaffinity(0)]

    def __enter__(self) -> Self:
        """Start to beat."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _beat(self, cpu: int) -> None:
        os.sched_setaffinity(0, {cpu})  # of this thread only
        last = time.monotonic()
        while not self._over.wait(BEAT):
            now = time.monotonic()
            self.longest_pause = max(self.longest_pause, now - last - BEAT)
            last = now
