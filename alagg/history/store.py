"""Store: reads the history, from any process, while its writer goes on."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from alagg.control.counters import STATES
from alagg.history import opening
from alagg.history.tables import FOLDED, NAMES, TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_POINTS: Final = 1000
"""Samples of one subject that an answer has at most."""
MAX_SCANNED: Final = 4000
"""Rows of one subject that an answer is made of at most: an hour by the second, two days and more by the minute."""
MAX_EVENTS: Final = 5000
"""Events that an answer has at most, the newest."""


class HistoryError(Exception):
    """Why there is no history, in one line for the user."""


class Store:
    """The history of a node."""

    def __init__(self, path: Path) -> None:
        """Read the file at `path`."""
        self._path = path

    def query(self, since: float, until: float | None = None, step: int = 1) -> dict[str, Any]:
        """Give what happened in a time.

        Args:
            since: its beginning, in seconds since 1970.
            until: its end; None for now.
            step: seconds that one sample shall stand for; more where there is nothing as fine any more, or where it
                would be too many.

        Returns:
            `since`, `until`, `step` (as they came to be), `links`, `peers` and `events`. Each of the links has
            `peer`, `name`, and lists of the same length: `time` (the beginning of each sample), `state`, `up` (share
            of the time), `rtt_ms`, `loss`, `tx_loss`, `queue_ms`, `tx_rate_bps`, `rx_rate_bps`; each of the peers
            `name`, `time`, `sent`, `delivered`, `lost` (packets a second). Null is what is not known. Events, the
            oldest first, have `time`, `kind`, `peer`, `link`, `text`, and what else the node told.

        Raises:
            HistoryError: there is no history, or it cannot be read.
        """
        now = time.time()
        until = now if until is None else until
        step = _step(since, until, step, now)
        try:
            with closing(opening.for_reading(self._path)) as database:
                subjects = {row[0]: row[1:] for row in database.execute("SELECT id, peer, link FROM subject")}
                found = _series(_rows(database, since, until, step))
                events = list(_events(database, since, until))
        except sqlite3.Error as error:
            raise _readable(self._path, error) from None
        known = [(subjects[subject], series) for subject, series in found.items() if subject in subjects]
        links = [{"peer": peer, "name": link, **_of_link(series)} for (peer, link), series in known if link]
        peers = [{"name": peer, **_of_peer(series)} for (peer, link), series in known if not link]
        return {"since": since, "until": until, "step": step, "links": links, "peers": peers, "events": events}


def _step(since: float, until: float, step: int, now: float) -> int:
    """Give the step that is possible: a table's own, or a multiple of it."""
    wanted = max(step, int((until - since) / MAX_POINTS) + 1, 1)
    kept = (tier for tier in TIERS if since >= now - tier.keep and until - since <= MAX_SCANNED * tier.step)
    fine = next(kept, TIERS[-1])
    coarse = max((tier.step for tier in TIERS if tier.step <= wanted), default=1)
    unit = max(fine.step, coarse)
    return -(-wanted // unit) * unit


def _rows(database: sqlite3.Connection, since: float, until: float, step: int) -> Iterator[tuple[Any, ...]]:
    """Give samples of each subject, by time.

    The coarsest table that is fine enough has most of them; what is not in it yet comes from the finer ones.
    """
    parts: list[str] = []
    values: list[float] = []
    end = int(since) // step * step
    for tier in reversed([tier for tier in TIERS if tier.step <= step]):
        (last,) = database.execute(f"SELECT MAX(time) FROM {tier.name} WHERE time < ?", (until,)).fetchone()  # noqa: S608
        parts.append(f"SELECT time, subject, {NAMES} FROM {tier.name} WHERE time >= ? AND time < ?")  # noqa: S608
        values += [end, until]
        end = max(end, 0 if last is None else int(last) + tier.step)
    yield from database.execute(
        f"SELECT time / {step} * {step} AS began, subject, {FOLDED} FROM ({' UNION ALL '.join(parts)}) "  # noqa: S608
        "GROUP BY began, subject ORDER BY began",
        values,
    )


_PLACES: Final = {name: place for place, name in enumerate(("time", "subject", *NAMES.split(", ")))}


def _series(rows: Iterator[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        found.setdefault(row[1], []).append(row)
    return found


def _of_link(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    state = _PLACES["state"]
    return {
        "time": [row[0] for row in rows],
        "state": [None if row[state] is None else STATES[row[state]] for row in rows],
        "up": _ratio(rows, "up", "covered", 1.0),
        "rtt_ms": _scaled(rows, "rtt", 1e-3),
        "loss": _scaled(rows, "loss", 1e-6),
        "tx_loss": _scaled(rows, "tx_loss", 1e-6),
        "queue_ms": _scaled(rows, "queue", 1e-3),
        "tx_rate_bps": _ratio(rows, "tx", "covered", 8000.0),
        "rx_rate_bps": _ratio(rows, "rx", "covered", 8000.0),
    }


def _of_peer(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    counted = {name: _ratio(rows, name, "covered", 1000.0) for name in ("sent", "delivered", "lost")}
    return {"time": [row[0] for row in rows], **counted}


def _scaled(rows: list[tuple[Any, ...]], name: str, factor: float) -> list[float | None]:
    place = _PLACES[name]
    return [None if row[place] is None else round(row[place] * factor, 6) for row in rows]


def _ratio(rows: list[tuple[Any, ...]], name: str, other: str, factor: float) -> list[float | None]:
    one, two = _PLACES[name], _PLACES[other]
    return [None if row[one] is None or not row[two] else round(factor * row[one] / row[two], 6) for row in rows]


def _events(database: sqlite3.Connection, since: float, until: float) -> Iterator[Mapping[str, Any]]:
    query = (
        "SELECT time, kind, peer, link, text, rest FROM event WHERE time >= ? AND time < ? "
        "ORDER BY time DESC, id DESC LIMIT ?"
    )
    rows = database.execute(query, (since, until, MAX_EVENTS)).fetchall()
    for seconds, kind, peer, link, text, rest in reversed(rows):
        yield {**json.loads(rest), "time": seconds, "kind": kind, "peer": peer, "link": link, "text": text}


def _readable(path: Path, error: sqlite3.Error) -> HistoryError:
    if not path.exists():
        return HistoryError(f"{path}: there is no history; [history] keep = yes has the node keep one")
    return HistoryError(f"{path}: cannot be read: {error}")
