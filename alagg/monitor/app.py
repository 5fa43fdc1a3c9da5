"""The terminal view: asks the node once a second and as soon as something happens, and shows what it says."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static

from alagg.control.client import ControlError
from alagg.monitor import draw
from alagg.monitor.rates import Rates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.events import Resize

INTERVAL: Final = 1.0
"""Seconds between two questions at least; a node that takes long to answer is asked more seldom."""
EASE: Final = 20.0
"""Times as long as an answer took that the next question waits: the node has other work."""
EVENTS: Final = 6
"""Events that are shown."""


class Node(Protocol):
    """Whom the view asks (`alagg.monitor.feed`)."""

    async def status(self) -> dict[str, Any]:
        """Ask how the node is."""

    def events(self) -> AsyncIterator[dict[str, Any]]:
        """Give what happens until the node ends."""


class Monitor(App[None]):
    """Shows one node."""

    CSS = """
    Screen { background: transparent; }
    #head, #trouble, #events { height: auto; padding: 0 1; background: transparent; }
    #body { padding: 0 1; background: transparent; }
    #events { max-height: 7; border-top: solid $foreground-muted; }
    """
    BINDINGS: ClassVar = [
        ("q", "quit", "Quit"),
        ("p", "pause", "Pause"),
        ("w", "worst_first", "Worst first"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, node: Node, bars: str = draw.BARS, interval: float = INTERVAL) -> None:
        """Show `node`, asked every `interval` seconds, histories drawn by `bars`."""
        super().__init__(ansi_color=True)
        self._node = node
        self._bars = bars
        self._interval = interval
        self._rates = Rates()
        self._status: dict[str, Any] = {}
        self._told: deque[str] = deque(maxlen=EVENTS)
        self._trouble = ""
        self._paused = self._worst_first = False
        self._wake = asyncio.Event()

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Static(id="head", markup=False)
        yield Static(id="trouble", markup=False)
        with VerticalScroll():
            yield Static(id="body", markup=False)
        yield Static(id="events", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to ask."""
        self.query_one("#events").display = False
        self.run_worker(self._ask(), exit_on_error=True)
        self.run_worker(self._listen(), exit_on_error=True)

    def on_resize(self, _event: Resize) -> None:
        """Draw for another width."""
        self._show()

    def action_pause(self) -> None:
        """Hold what is shown, or go on."""
        self._paused = not self._paused
        self._show()
        self._wake.set()

    def action_worst_first(self) -> None:
        """Sort links by their state, or as in the configuration."""
        self._worst_first = not self._worst_first
        self._show()

    async def _ask(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            if not self._paused:
                await self._look()
            pause = max(self._interval, EASE * (clock() - began))
            self._wake.clear()
            await _either(self._wake.wait(), pause)

    async def _look(self) -> None:
        try:
            self._status = await self._node.status()
        except ControlError as error:
            self._trouble = str(error)
        else:
            self._trouble = ""
            self._rates.take(self._status)
        self._show()

    async def _listen(self) -> None:
        while True:
            async for event in self._node.events():
                self._told.append(f"{str(event.get('time', ''))[11:19]} {event['text']}")
                self._wake.set()
            await asyncio.sleep(self._interval)

    def _show(self) -> None:
        if not self.query("#events"):  # not laid out yet, or no longer
            return
        paused = " (paused: p goes on)" if self._paused else ""
        old = " (what it said last:)" if self._trouble and self._status else ""
        self.query_one("#head", Static).update(f"{draw.headline(self._status)}{paused}" if self._status else "alagg")
        trouble = self.query_one("#trouble", Static)
        trouble.display = bool(self._trouble)
        trouble.update(f"{self._trouble}{old}")
        if self._status:
            width = max(self.size.width - 4, 20)
            text = draw.body(self._status, self._rates, width, self._bars, worst_first=self._worst_first)
            self.query_one("#body", Static).update(text)
        events = self.query_one("#events", Static)
        events.display = bool(self._told)
        events.update("\n".join(self._told))


async def _either(waiting: Any, seconds: float) -> None:
    """Wait for something, for so many seconds at most."""
    try:
        await asyncio.wait_for(waiting, seconds)
    except asyncio.TimeoutError:
        return
