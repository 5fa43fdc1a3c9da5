"""Capping: counts what links with a cap carry, warns in time, and holds them back when it is used up."""

from __future__ import annotations

import datetime as dt
import logging
import time
from typing import TYPE_CHECKING, Final, Protocol

from alagg.account import Accounts
from alagg.cap import amount, period_of
from alagg.engine.state import CAPPED, STANDBY
from alagg.messages import CapsUsed
from alagg.system.statefile import StateFile, place

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.account import Account, Key
    from alagg.cap import Cap
    from alagg.config import Config, LinkConfig
    from alagg.engine.events import LinkCarried

FULL: Final = 100
"""Per cent of a cap, all of it."""
KINDS: Final = {80: "cap_near", FULL: "cap_reached"}
"""Events that tell of a cap, by the per cent of it that have to be used."""
ENDING: Final = ".caps"
"""The end of the file's name."""
LOOK: Final = 1.0
"""Seconds between two looks at the clock."""
WRITE: Final = 10.0
"""Seconds between two writes of what was carried, at least; what is told of is written at once."""
_STATES: Final = {"block": CAPPED, "standby": STANDBY}
"""What a link is held in, by `when_capped`."""

log = logging.getLogger(__name__)


class Capped(Protocol):
    """What a node offers to who holds links back."""

    def hold(self, source: str, held: list[tuple[str, str, str, str]]) -> None:
        """Hold links back: peer, link, state and reason; those that the same source held before are free else."""

    def call_in(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something later."""

    def publish(self, kind: str, text: str, **more: object) -> None:
        """Tell those who asked for events."""


class Capping:
    """The caps of a node's links."""

    def __init__(
        self,
        node: Capped,
        config: Config,
        clock: Callable[[], float] = time.time,
        passed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read what was carried before.

        Args:
            node: who is told.
            config: what it goes by.
            clock: gives the time of `time.time`, which may jump.
            passed: gives the time of `time.monotonic`.
        """
        self._node = node
        self._clock, self._passed = clock, passed
        self._file = StateFile(place(config.control_socket, ENDING))
        self._accounts = Accounts()
        self._links: dict[Key, LinkConfig] = {}
        self._seen: dict[tuple[int, Key], int] = {}
        """What each worker said last that a link has carried in its life."""
        self._held: dict[Key, tuple[str, str, str, str]] = {}
        self._told: list[tuple[str, str, str, str]] = []
        self._looks = self._read = self._changed = False
        self._written = float("-inf")
        self.keep(config)

    def keep(self, config: Config) -> None:
        """Go by another configuration."""
        self._links = {(link.peer, link.name): link for link in config.links if link.cap is not None}
        self._seen = {seen: size for seen, size in self._seen.items() if seen[1] in self._links}
        if self._links and not self._read:
            self._read_file()
        self._judge_all()
        if self._links and not self._looks:
            self._looks = True
            self._node.call_in(LOOK, self._look)

    def heard(self, event: LinkCarried, worker: int) -> None:
        """Take what a worker says that a link has carried in its life."""
        key = event.peer, event.link
        if key not in self._links:
            return
        before = self._seen.get((worker, key), 0)
        self._seen[worker, key] = event.size
        # Less than before: it was taken away and has come back.
        self._account(key).add(event.size - before if event.size >= before else event.size)
        self._changed = True
        self._judge(key)
        self._hold()

    def used(self) -> CapsUsed:
        """Give what the caps are used up to."""
        return CapsUsed({key: (self._account(key).carried, self._until(key)) for key in self._links})

    def close(self) -> None:
        """Write down what was carried."""
        if self._changed:
            self._file.write(self._accounts.text(self._links))
        self._file.close()

    def _read_file(self) -> None:
        self._read = True
        try:
            if text := self._file.read():
                self._accounts.read(text)
        except OSError as error:
            log.warning("%s: cannot be read: %s; caps are counted from zero", self._file.path, error.strerror)
        except ValueError:
            log.warning("%s: is damaged; caps are counted from zero", self._file.path)

    def _look(self) -> None:
        self._looks = bool(self._links)
        if self._looks:
            self._judge_all()
            self._write_in_time()
            self._node.call_in(LOOK, self._look)

    def _write_in_time(self) -> None:
        now = self._passed()
        if self._changed and now - self._written >= WRITE:
            self._written, self._changed = now, False
            self._file.write(self._accounts.text(self._links))

    def _judge_all(self) -> None:
        self._held = {key: entry for key, entry in self._held.items() if key in self._links}
        for key in self._links:
            self._judge(key)
        self._hold()

    def _hold(self) -> None:
        if (held := list(self._held.values())) != self._told:
            self._told = held
            self._node.hold("cap", held)

    def _judge(self, key: Key) -> None:
        """See whether a cap is near or used up, tell of it once in a period, and hold the link back if it says so."""
        link, account = self._links[key], self._account(key)
        share = 100 * account.carried // _cap(link).size
        reached = max((one for one in KINDS if share >= one), default=0)
        if reached != account.told:
            self._changed = True
            told, account.told = account.told, reached
            if reached > told:
                self._warn(key, reached)
        state = _STATES.get(link.when_capped)
        if state is not None and reached == FULL:
            self._held[key] = (*key, state, self._words(key))
        else:
            self._held.pop(key, None)

    def _warn(self, key: Key, reached: int) -> None:
        peer, name = key
        text = f"link {name} to {peer} {self._words(key)}"
        log.warning("%s", text)
        self._node.publish(KINDS[reached], text, peer=peer, link=name)
        self._written = float("-inf")

    def _words(self, key: Key) -> str:
        """Say what it has carried, in words that stay the same while the cap is used up."""
        cap, carried = _cap(self._links[key]), self._account(key).carried
        share = 100 * carried // cap.size
        what = f"its {cap}" if share >= FULL else f"{amount(carried)}, {share} % of its {cap}"
        return f"has carried {what}, which begins anew on {self._until(key)}"

    def _account(self, key: Key) -> Account:
        return self._accounts.of(key, _cap(self._links[key]), self._today())

    def _until(self, key: Key) -> str:
        return period_of(_cap(self._links[key]).period, self._today())[1].isoformat()

    def _today(self) -> dt.date:
        return dt.datetime.fromtimestamp(self._clock()).astimezone().date()


def _cap(link: LinkConfig) -> Cap:
    assert link.cap is not None
    return link.cap
