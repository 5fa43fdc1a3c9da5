"""The little of an event loop that a connection's driver needs, as one task of anyio."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable


class Handle:
    """Something that will be called, unless it is cancelled before."""

    def __init__(self, callback: Callable[[], None], at: float = 0.0) -> None:
        """Plan a call; `at` are the loop's seconds."""
        self.callback = callback
        self.at = at
        self.cancelled = False

    def cancel(self) -> None:
        """Do not call it."""
        self.cancelled = True


class Loop:
    """Calls what one driver asks for: many things soon, and one at a time that it names."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._ready: deque[Handle] = deque()
        self._alarm: Handle | None = None
        self._wake = anyio.Event()
        self._stopped = False

    def time(self) -> float:
        """Give the backend's time, seconds."""
        return anyio.current_time()

    def call_soon(self, callback: Callable[[], None]) -> Handle:
        """Have something called by the task."""
        handle = Handle(callback)
        self._ready.append(handle)
        self._wake.set()
        return handle

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        """Have something called at a time; a driver has one such alarm, so the newest one counts."""
        self._alarm = Handle(callback, when)
        self._wake.set()
        return self._alarm

    def stop(self) -> None:
        """Have the task end."""
        self._stopped = True
        self._wake.set()

    async def run(self) -> None:
        """Call, until stopped."""
        while not self._stopped:
            self._wake = anyio.Event()
            self._call_what_is_due()
            with anyio.CancelScope() as scope:
                if self._alarm is not None and not self._alarm.cancelled:
                    scope.deadline = self._alarm.at
                await self._wake.wait()

    def _call_what_is_due(self) -> None:
        alarm = self._alarm
        if alarm is not None and (alarm.cancelled or alarm.at <= self.time()):
            self._alarm = None
            self._ready.append(alarm)
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if not handle.cancelled:
                handle.callback()
