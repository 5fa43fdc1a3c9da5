"""Trials: what clients of the control socket try on a peer's links, and are told bit by bit: `ping` and `speed`.

The worker that watches the links sends what is tried (`alagg.trial`), a little at a time, and only while it has taken
all else that it was told. Here the time goes, and all of it is bounded: how often, how fast, how long, how many.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from alagg.engine.events import Measured, Ponged
from alagg.messages import Burst, Measure, Ping
from alagg.values import similar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alagg.config import Config, PeerConfig
    from alagg.engine.events import ForTrials
    from alagg.messages import Try

PATIENCE: Final = 2.0
"""Seconds after which a ping is lost."""
MAX_COUNT: Final = 1000
MIN_INTERVAL: Final = 0.02
MAX_INTERVAL: Final = 10.0
MAX_SIZE: Final = 65535
MAX_SECONDS: Final = 30.0
"""For one link, and once more for all together."""
MIN_RATE, MAX_RATE = 10_000, 10_000_000_000
"""Bits per second on each link."""
MAX_PINGS: Final = 8
"""Clients that ping at the same time; one tries the speed."""
SETTLE: Final = 1.5
"""Seconds after which the peer has told of the last frame: it reports each second, at least."""
TICK: Final = 0.005
"""Seconds between two bursts."""
TELL: Final = 0.2
"""Seconds between two words about how far it is."""
ALLOWED: Final = {
    "ping": 'ping {"peer": NAME, "link": NAME or null, "count": 1 to 1000, "interval": 0.02 to 10, "size": BYTES}',
    "speed": 'speed {"peer": NAME, "link": NAME or null, "seconds": 0.5 to 30, "rate": BITS PER SECOND}',
}


class TrialError(ValueError):
    """Why nothing is tried, in one line."""


class Tested(Protocol):
    """What a node offers to who tries its links."""

    config: Config

    def try_on_link(self, message: Try) -> bool:
        """Have it tried; False where the worker is busy."""

    def call_in(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something later."""


class Listening(Protocol):
    """Who has asked."""

    gone: bool

    def answer(self, values: dict[str, Any]) -> None:
        """Say one thing and hang up."""

    def begin(self) -> None:
        """More than one thing is said from now on."""

    def stream(self, event: dict[str, Any]) -> None:
        """Say something."""

    def end(self) -> None:
        """Hang up."""


class Trials:
    """All that is tried at present."""

    def __init__(self, node: Tested, clock: Callable[[], float] = time.monotonic) -> None:
        """Try nothing yet."""
        self.node = node
        self.clock = clock
        self._running: list[_Pinging | _Speeding] = []
        self._number = 0

    def ping(self, client: Listening, text: str) -> None:
        """Ping a peer's links, for a client who says which."""
        self._begin(client, "ping", text, _Pinging, MAX_PINGS)

    def speed(self, client: Listening, text: str) -> None:
        """Try how much a peer's links carry, for a client who says which."""
        self._begin(client, "speed", text, _Speeding, 1)

    def heard(self, event: ForTrials) -> None:
        """Take what a worker tells."""
        for one in self._running:
            one.heard(event)

    def number(self) -> int:
        """Give a number that no question had yet."""
        self._number += 1
        return self._number

    def _begin(
        self, client: Listening, name: str, text: str, kind: type[_Pinging | _Speeding], most: int
    ) -> None:
        self._running = [one for one in self._running if not one.ended]
        if sum(isinstance(one, kind) for one in self._running) >= most:
            client.answer({"error": f"as many run already as may at the same time: {most}; allowed: later"})
            return
        try:
            asked = _read(name, text)
            peer = _peer(self.node.config, asked["peer"])
            links = _links(peer, asked.get("link"))
            one = kind(self, client, peer, links, asked)
        except TrialError as error:
            client.answer({"error": str(error)})
            return
        self._running.append(one)
        client.begin()
        one.step()


@dataclass
class _Tally:
    """What came of the pings on one way."""

    sent: int = 0
    trips: list[float] = field(default_factory=list)
    reason: str = ""

    def values(self) -> dict[str, Any]:
        trips = [trip * 1000 for trip in self.trips]
        return {
            "sent": self.sent, "received": len(trips), "loss": 1 - len(trips) / self.sent if self.sent else None,
            "min_ms": min(trips, default=None), "avg_ms": sum(trips) / len(trips) if trips else None,
            "max_ms": max(trips, default=None), **({"reason": self.reason} if self.reason else {}),
        }  # fmt: skip


class _Pinging:
    """One client's pings: a round on all links, again and again."""

    def __init__(
        self, trials: Trials, client: Listening, peer: PeerConfig, links: Sequence[str], asked: dict[str, Any]
    ) -> None:
        self.ended = False
        self._trials, self._client, self._peer, self._links = trials, client, peer, links
        self._count = int(_within(asked, "ping", "count", 5, 1, MAX_COUNT))
        self._interval = _within(asked, "ping", "interval", 0.2, MIN_INTERVAL, MAX_INTERVAL)
        self._size = int(_within(asked, "ping", "size", 0, 0, MAX_SIZE))
        self._waiting: dict[int, tuple[int, str]] = {}
        """The round and the link of each ping that may still be answered."""
        self._open: dict[int, int] = {}
        """How many of a round's pings these are."""
        self._best: dict[int, float] = {}
        """The shortest round trip of a round so far."""
        self._round = 0
        self._tallies = {link: _Tally() for link in links}
        self._bond = _Tally()

    def step(self) -> None:
        """Send a round, and see to the next one."""
        if self._client.gone:
            self.ended = True
            return
        self._round += 1
        self._open[self._round] = len(self._links)
        self._bond.sent += 1
        for link in self._links:
            number = self._trials.number()
            self._waiting[number] = self._round, link
            self._tallies[link].sent += 1
            if self._trials.node.try_on_link(Ping(self._peer.name, link, number, self._size)):
                self._trials.node.call_in(PATIENCE, partial(self._settle, number, None, ""))
            else:
                self._settle(number, None, "the node has too much to do")
        if self._round < self._count:
            self._trials.node.call_in(self._interval, self.step)

    def heard(self, event: ForTrials) -> None:
        """Take an answer."""
        if isinstance(event, Ponged):
            self._settle(event.number, event.rtt if event.rtt >= 0 else None, event.reason)

    def _settle(self, number: int, rtt: float | None, reason: str) -> None:
        if number not in self._waiting:
            return
        at, link = self._waiting.pop(number)
        tally = self._tallies[link]
        tally.reason = reason or tally.reason
        if rtt is not None:
            tally.trips.append(rtt)
            self._best[at] = min(rtt, self._best.get(at, rtt))
        trip = None if rtt is None else rtt * 1000
        self._client.stream({
            "round": at, "of": self._count, "link": link, "rtt_ms": trip, **({"reason": reason} if reason else {})
        })  # fmt: skip
        self._open[at] -= 1
        if not self._open[at]:
            del self._open[at]
            if at in self._best:
                self._bond.trips.append(self._best.pop(at))
        if not self._open and self._round == self._count:
            self._finish()

    def _finish(self) -> None:
        self.ended = True
        links = [{"link": link, **tally.values()} for link, tally in self._tallies.items()]
        bond = self._bond.values() if len(self._links) > 1 else None
        self._client.stream({"done": True, "peer": self._peer.name, "links": links, "bond": bond})
        self._client.end()


class _Speeding:
    """One client's trial of speed: each link alone, then all together."""

    def __init__(
        self, trials: Trials, client: Listening, peer: PeerConfig, links: Sequence[str], asked: dict[str, Any]
    ) -> None:
        self.ended = False
        self._trials, self._client, self._peer = trials, client, peer
        self._seconds = _within(asked, "speed", "seconds", 3.0, 0.5, MAX_SECONDS)
        self._rate = _within(asked, "speed", "rate", 100e6, MIN_RATE, MAX_RATE)
        self._phases = [[link] for link in links] + ([list(links)] if len(links) > 1 else [])
        self._phase = -1
        self._results: list[list[dict[str, Any]]] = []

    def step(self) -> None:
        """Begin the next phase: first ask what was sent and came so far."""
        self._phase += 1
        if self._phase == len(self._phases):
            self._finish()
            return
        self._before: dict[str, Measured] = {}
        self._after: dict[str, Measured] = {}
        self._sent = dict.fromkeys(self._phases[self._phase], 0)
        self._measure(self._before)

    def heard(self, event: ForTrials) -> None:
        """Take what was sent and came; when that is known of all links, go on."""
        if not isinstance(event, Measured) or self._asked.pop(event.number, None) is None:
            return
        self._into[event.link] = event
        if self._asked:
            return
        if self._into is self._before:
            self._start = self._told = self._trials.clock()
            self._send()
        else:
            self._conclude()

    def _measure(self, into: dict[str, Measured]) -> None:
        self._into = into
        self._asked = {self._trials.number(): link for link in self._phases[self._phase]}
        asked = dict(self._asked)
        for number, link in asked.items():
            self._trials.node.try_on_link(Measure(self._peer.name, link, number))
        self._trials.node.call_in(PATIENCE, lambda: self._give_up(asked))

    def _give_up(self, asked: dict[int, str]) -> None:
        """End when a worker has not answered: a link is gone, or it is too busy for this."""
        if not self.ended and any(number in self._asked for number in asked):
            self.ended = True
            names = ", ".join(self._asked.values())
            self._client.stream({"error": f"link {names}: gone, or the node is too busy to try it now"})
            self._client.end()

    def _send(self) -> None:
        """Send what is due by now, but no more than two bursts late: what a busy node has not sent stays unsent."""
        now = self._trials.clock()
        elapsed = now - self._start
        if self._client.gone:
            self.ended = True
            return
        if elapsed >= self._seconds:
            self._took = elapsed
            self._trials.node.call_in(SETTLE, lambda: self._measure(self._after))
            return
        for link, measured in self._before.items():
            if measured.reason:
                continue
            each = 8 * measured.size / self._rate
            due = min(int(elapsed / each) - self._sent[link], max(int(4 * TICK / each), 1))
            if due > 0 and self._trials.node.try_on_link(Burst(self._peer.name, link, due)):
                self._sent[link] += due
        if now - self._told >= TELL:
            self._told = now
            self._client.stream({"phase": self._phases[self._phase], "share": elapsed / self._seconds})
        self._trials.node.call_in(TICK, self._send)

    def _conclude(self) -> None:
        results = [self._result(link) for link in self._phases[self._phase]]
        self._results.append(results)
        self._client.stream({"phase": self._phases[self._phase], "share": 1.0, "results": results})
        self.step()

    def _result(self, link: str) -> dict[str, Any]:
        before, after = self._before[link], self._after[link]
        held = max(after.tx_dropped - before.tx_dropped, 0)
        sent = max(self._sent[link] - held, 0)
        expected, received = after.highest - before.highest, after.received - before.received
        known = before.reports > 0 and after.reports > 0 and expected > 0
        loss = min(max(1 - received / expected, 0.0), 1.0) if known else None
        rate = sent * before.size * 8 / self._took
        why = before.reason or ("" if known else "the peer has not told what came")
        return {
            "link": link, "seconds": round(self._took, 3), "bytes": sent * before.size, "held_back": held,
            "sent_bps": round(rate), "loss": loss, "arrived_bps": None if loss is None else round(rate * (1 - loss)),
            **({"reason": why} if why else {}),
        }  # fmt: skip

    def _finish(self) -> None:
        self.ended = True
        alone = [one for results in self._results for one in results if len(results) == 1]
        together = self._results[-1] if len(self._results[-1]) > 1 else None
        self._client.stream({
            "done": True, "peer": self._peer.name, "scheduler": self._peer.scheduler, "links": alone,
            "bond": None if together is None else _bond(self._peer.scheduler, together),
        })  # fmt: skip
        self._client.end()


def _bond(scheduler: str, together: list[dict[str, Any]]) -> dict[str, Any]:
    """Say what links carried at the same time, and what that is for packets that go on all of them, or on one."""
    arrived = [one["arrived_bps"] for one in together if one["arrived_bps"] is not None]
    carries = None if not arrived else max(arrived) if scheduler == "redundant" else sum(arrived)
    return {"arrived_bps": carries, "bytes": sum(one["bytes"] for one in together), "links": together}


def _read(name: str, text: str) -> dict[str, Any]:
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or not isinstance(asked.get("peer"), str):
        raise TrialError(f"allowed: {ALLOWED[name]}")
    return asked


def _peer(config: Config, name: str) -> PeerConfig:
    """Find a peer; an empty name means the only one."""
    found = next((peer for peer in config.peers if peer.name == name), None)
    if found is None and not name and len(config.peers) == 1:
        return config.peers[0]
    if found is None:
        names = [peer.name for peer in config.peers]
        wrong = f"no peer {name}" if name else "no peer is named"
        raise TrialError(f"{wrong}; there are: {', '.join(names[:20])}{similar(name, names)}")
    return found


def _links(peer: PeerConfig, name: object) -> list[str]:
    names = [link.name for link in peer.links]
    if name is None:
        return names
    if name not in names:
        raise TrialError(f"no link {name} to {peer.name}; there are: {', '.join(names)}{similar(str(name), names)}")
    return [str(name)]


def _within(asked: dict[str, Any], what: str, key: str, default: float, least: float, most: float) -> float:
    value = asked.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise TrialError(f"{key}: {value!r} is not from {least:g} to {most:g}; allowed: {ALLOWED[what]}")
    return float(value)
