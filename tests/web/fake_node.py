"""A node that only talks: it listens on a control socket as the real one does, and says what a test has it say."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

from alagg.control.loop import Loop
from alagg.control.socket import ControlServer

if TYPE_CHECKING:
    from pathlib import Path


def link(name: str, **values: Any) -> dict[str, Any]:
    """Give what a status says of a link that is well."""
    return {
        "name": name, "peer": "office", "type": "ethernet", "interface": name, "mac": "52:54:00:12:34:56",
        "rate_bps": None, "state": "up", "reason": "", "mtu": 1500, "path_mtu": 1500, "rtt_ms": 0.42,
        "jitter_ms": 0.05, "loss": 0.0, "tx_loss": 0.0, "rx_expected": 1000, "tx_frames": 1000, "tx_bytes": 900_000,
        "tx_dropped_full": 0, "tx_dropped_down": 0, "rx_frames": 1000, "rx_bytes": 800_000, "rx_dropped": 0,
        "malformed": 0,
        "recent": {"seconds": 60.0, "tx_frames": 600, "tx_dropped_full": 0, "rx_frames": 600, "rx_dropped": 0,
                   "malformed": 0},
        **values,
    }  # fmt: skip


def status(*links: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Give the status of a node with these links."""
    peer = {
        "name": "office", "scheduler": "redundant", "destinations": ["10.99.0.2/32"], "advice": [], "refused": {},
        "tx": {"captured": 100, "sent": 100}, "rx": {"passed": 100, "discarded": 100},
    }  # fmt: skip
    return {
        "version": "0.1", "pid": os.getpid(), "uptime_s": 3600.5, "engine": "compiled", "edges": "compiled",
        "put_back": [], "peers": [peer], "links": list(links), "capture": {"captured": 100},
        "injector": {"injected": 100}, "drops": {"no_peer": 0}, **values,
    }  # fmt: skip


class FakeNode:
    """Serves in a thread of its own."""

    def __init__(self, path: Path, group: str = "") -> None:
        self.path = path
        self.says = status(link("fibre"), link("copper"))
        self.asked = 0
        self.changes: list[dict[str, Any]] = []
        """What was done to links."""
        self.refuses = ""
        """Why it does nothing to a link; empty: it does it."""
        self._loop = Loop()
        requests = {
            "status": lambda client, _: client.answer(self._status()),
            "events": lambda client, _: client.subscribe(),
            "link": lambda client, text: client.answer(self._change(text)),
        }
        self._server = ControlServer(path, group, self._loop, requests)
        self._events: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._serve, name="fake-node", daemon=True)
        self._thread.start()

    def happen(self, **event: Any) -> None:
        """Publish an event."""
        self._events.append(event)

    def close(self) -> None:
        self._loop.running = False
        self._thread.join()
        self._server.close()

    def _status(self) -> dict[str, Any]:
        self.asked += 1
        return self.says

    def _change(self, text: str) -> dict[str, Any]:
        if self.refuses:
            return {"error": self.refuses}
        self.changes.append(json.loads(text))
        return {"ok": True, "text": "done"}

    def _serve(self) -> None:
        while self._loop.running:
            self._loop.step(0.01)
            while self._events:
                self._server.publish(self._events.pop(0))
