"""The supervisor's loop: waits for descriptors and for times, and calls who waits for them."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

READ: Final = select.POLLIN
WRITE: Final = select.POLLOUT


class Loop:
    """Descriptors and times, each with what is called for it; what that raises ends the loop."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self.running = True
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def watch(self, descriptor: int, handler: Callable[[], None], events: int = READ) -> None:
        """Call `handler` whenever the descriptor is ready, or was hung up; `events` 0 waits for the latter alone."""
        self._handlers[descriptor] = handler
        self._poll.register(descriptor, events)

    def unwatch(self, descriptor: int) -> None:
        """Stop watching; call it before the descriptor is closed."""
        if self._handlers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def call_in(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call `callback` once, when that time is over."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._count), callback))

    def run(self) -> None:
        """Serve until `running` is false."""
        while self.running:
            self.step()

    def step(self, timeout: float | None = None) -> None:
        """Serve what is ready and due, after waiting for it for `timeout` seconds at most; None for any time."""
        for descriptor, _ in self._poll.poll(self._milliseconds(timeout)):
            handler = self._handlers.get(descriptor)
            if handler is not None:  # another one's handler may have removed it
                handler()
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _milliseconds(self, timeout: float | None) -> float | None:
        limits = [] if timeout is None else [timeout]
        if self._timers:
            limits.append(self._timers[0][0] - time.monotonic())
        return max(min(limits), 0.0) * 1000 + 1 if limits else None
