"""Writer: keeps the history: adds samples and events, makes coarser rows of finer ones, and stays within its size.

It has no clock of its own. What it cannot write (a full disk) it loses, and says so; whoever calls it goes on.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from alagg.history import opening
from alagg.history.look import CHANGED
from alagg.history.tables import COLUMNS, DAY, FOLDED, JOINED, NAMES, TIERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from alagg.history.look import Sample, Subject
    from alagg.history.tables import Tier

MAX_EVENTS: Final = 100_000
"""Events that are kept."""
AT_ONCE: Final = 100
"""Events of one look that are kept; of more, the newest, and how many there were."""
STEADY: Final = 3600.0
"""Seconds since the clock's last jump before old rows go: a wrong clock must not throw the right ones away."""
FULL: Final = 0.9
"""Share of the file's size from which the oldest rows go."""
GIVEN_BACK: Final = 256
"""Free pages that the file gives back in a minute at most, so that none takes long."""
COMPLAIN: Final = 60.0
"""Seconds between two lines about what could not be written."""

log = logging.getLogger(__name__)


class Writer:
    """The one writer of a file."""

    def __init__(self, path: Path, size: int) -> None:
        """Open the file, of at most `size` bytes.

        Raises:
            sqlite3.Error, OSError: it cannot be used.
        """
        self._path = path
        self._pages = opening.pages(size)
        self._database = opening.for_writing(path, size)
        self._subjects: dict[Subject, int] = {}
        self._folded: dict[str, int] = {}
        """Until when each coarser table is complete."""
        self._lost = 0
        self._complained = float("-inf")
        self._place = _identity(path)

    def in_place(self) -> bool:
        """Tell whether the file is still where it was opened: nobody has moved, deleted or replaced it."""
        return _identity(self._path) == self._place

    def states(self) -> dict[Subject, str]:
        """Give the state of each link that was told last."""
        query = "SELECT peer, link, rest, MAX(id) FROM event WHERE kind = ? GROUP BY peer, link"
        rows = self._database.execute(query, (CHANGED,)).fetchall()
        return {(peer, link): str(json.loads(rest).get("state", "")) for peer, link, rest, _ in rows}

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def write(
        self, now: float, samples: Mapping[Subject, Sample], events: Sequence[Mapping[str, Any]] = (),
        steady: float = 0.0,
    ) -> None:
        """Add what was seen at a time.

        Args:
            now: the time (`time.time`); it may jump.
            samples: of each link and peer.
            events: as the node tells them, each with its own time in `at`.
            steady: seconds since the clock has jumped, or since it was looked at first.

        Raises:
            sqlite3.DatabaseError: the file is broken, and has to be opened anew.
        """
        second = int(now)
        self._attempt(now, len(samples) + len(events), lambda: self._add(second, samples, events))
        if self._fold_is_due(second):
            self._attempt(now, 0, lambda: self._tidy(second, forget=steady >= STEADY))
            self._give_back()

    def _attempt(self, now: float, count: int, work: Callable[[], None]) -> None:
        """Do all of something or nothing; `count` rows are lost where it cannot be done."""
        try:
            self._database.execute("BEGIN")
            work()
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._lose(error, count, now)
        except sqlite3.DatabaseError as error:
            if opening.is_broken(error):
                raise
            self._lose(error, count, now)

    def _lose(self, error: sqlite3.Error, count: int, now: float) -> None:
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")
        self._subjects.clear()
        with contextlib.suppress(sqlite3.OperationalError):
            # It may have as much as it is allowed; a full disk is no reason to throw anything away.
            if self._used() > FULL * self._pages:
                self._shrink()
        self._lost += count
        if abs(now - self._complained) >= COMPLAIN:
            log.warning("%s: %s; rows that are missing in the history: %d", self._path, error, self._lost)
            self._complained, self._lost = now, 0

    # --- rows -----------------------------------------------------------------------------------------------

    def _add(self, now: int, samples: Mapping[Subject, Sample], events: Sequence[Mapping[str, Any]]) -> None:
        marks = ", ".join("?" * (2 + len(COLUMNS)))
        rows = ((now, self._subject(*subject), *map(sample.get, COLUMNS)) for subject, sample in samples.items())
        again = f"ON CONFLICT (time, subject) DO UPDATE SET {JOINED}"
        self._database.executemany(f"INSERT INTO second VALUES ({marks}) {again}", rows)  # noqa: S608 - our names
        self._tell(events)

    def _subject(self, peer: str, link: str) -> int:
        found = self._subjects.get((peer, link))
        if found is None:
            self._database.execute("INSERT OR IGNORE INTO subject (peer, link) VALUES (?, ?)", (peer, link))
            query = "SELECT id FROM subject WHERE peer = ? AND link = ?"
            (found,) = self._database.execute(query, (peer, link)).fetchone()
            self._subjects[peer, link] = found
        return int(found)

    def _tell(self, events: Sequence[Mapping[str, Any]]) -> None:
        kept = list(events[-AT_ONCE:])
        if len(events) > AT_ONCE:
            text = f"{len(events) - AT_ONCE} events are missing here: there were {len(events)} at once"
            kept.insert(0, {"kind": "dropped", "at": kept[0]["at"], "text": text})
        rows = [
            (one["at"], one["kind"], one.get("peer", ""), one.get("link", ""), one["text"], json.dumps(_rest(one)))
            for one in kept
        ]
        sql = "INSERT INTO event (time, kind, peer, link, text, rest) VALUES (?, ?, ?, ?, ?, ?)"
        self._database.executemany(sql, rows)

    # --- coarser rows ---------------------------------------------------------------------------------------

    def _fold_is_due(self, now: int) -> bool:
        finest = TIERS[1]
        return self._folded.get(finest.name) != now // finest.step * finest.step

    def _tidy(self, now: int, *, forget: bool) -> None:
        """Make the coarser rows that are complete now, and throw away what need not be kept."""
        for finer, coarser in itertools.pairwise(TIERS):
            until = now // coarser.step * coarser.step
            since = self._folded.get(coarser.name)
            if since is None:
                since = self._complete_until(coarser, until)
            if since != until:
                # What cannot be done now is not tried for ever.
                self._folded[coarser.name] = until
                # A clock that went back leads through the same time once more: its rows are made anew.
                self._fold(finer, coarser, min(since, until - coarser.step), until)
        self._clear(now, forget=forget)

    def _complete_until(self, tier: Tier, until: int) -> int:
        query = f"SELECT MAX(time) FROM {tier.name} WHERE time < ?"  # noqa: S608 - our names
        (last,) = self._database.execute(query, (until,)).fetchone()
        return 0 if last is None else int(last) + tier.step

    def _fold(self, finer: Tier, coarser: Tier, since: int, until: int) -> None:
        self._database.execute(
            f"INSERT OR REPLACE INTO {coarser.name} (time, subject, {NAMES}) "  # noqa: S608 - our names
            f"SELECT time / {coarser.step} * {coarser.step} AS began, subject, {FOLDED} FROM {finer.name} "
            "WHERE time >= ? AND time < ? GROUP BY began, subject",
            (since, until),
        )

    # --- what goes ------------------------------------------------------------------------------------------

    def _clear(self, now: int, *, forget: bool) -> None:
        """Throw away what is too old, what is from the future, and the oldest where the file is full."""
        if forget:
            for tier in TIERS:
                self._database.execute(
                    f"DELETE FROM {tier.name} WHERE time < ? OR time > ?",  # noqa: S608 - our names
                    (now - tier.keep, now + DAY),
                )
            self._database.execute(
                "DELETE FROM event WHERE time < ? OR time > ?", (now - TIERS[-1].keep, now + DAY)
            )
        self._database.execute(
            "DELETE FROM event WHERE id <= (SELECT MAX(id) FROM event) - ?", (MAX_EVENTS,)
        )
        if self._used() > FULL * self._pages:
            self._shrink()

    def _give_back(self) -> None:
        """Make the file smaller where it was allowed more once."""
        count = self._count("page_count")
        if count > self._pages and self._count("freelist_count"):
            # To move pages it needs room for a moment; and `execute` would take only its first step.
            self._database.executescript(
                f"PRAGMA max_page_count = {count + GIVEN_BACK}; PRAGMA incremental_vacuum({GIVEN_BACK}); "
                f"PRAGMA max_page_count = {self._pages}"
            )

    def _used(self) -> int:
        return self._count("page_count") - self._count("freelist_count")

    def _count(self, pragma: str) -> int:
        (number,) = self._database.execute(f"PRAGMA {pragma}").fetchone()
        return int(number)

    def _shrink(self) -> None:
        """Throw away the oldest tenth of the largest table."""
        counts = {}
        for name in (*(tier.name for tier in TIERS), "event"):
            (counts[name],) = self._database.execute(f"SELECT COUNT(*) FROM {name}").fetchone()  # noqa: S608
        name = max(counts, key=lambda one: counts[one])
        order = f"SELECT time FROM {name} ORDER BY time LIMIT 1 OFFSET ?"  # noqa: S608
        found = self._database.execute(order, (counts[name] // 10,)).fetchone()
        if found is None:
            return
        (limit,) = found
        self._database.execute(f"DELETE FROM {name} WHERE time <= ?", (limit,))  # noqa: S608
        log.info("%s: is nearly as large as it may be; the oldest rows by the %s go", self._path, name)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _rest(event: Mapping[str, Any]) -> dict[str, Any]:
    """Give what an event tells besides what has a column."""
    return {key: value for key, value in event.items() if key not in ("at", "time", "kind", "peer", "link", "text")}
