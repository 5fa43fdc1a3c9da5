"""Histories to read and write: a writer, what it is given, and the rows of its file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from alagg.control.counters import STATES

if TYPE_CHECKING:
    from pathlib import Path

    from alagg.history.look import Sample

T0: Final = 1_800_000_000 // 3600 * 3600
"""The beginning of an hour."""
MB: Final = 10**6


def sample(state: str = "up", **values: int | None) -> Sample:
    """Give a second of a link."""
    up = 1000 if state == "up" else 0
    return {"covered": 1000, "up": up, "state": STATES.index(state), "rtt": 1500, "tx": 125, "rx": 250, **values}


def event(at: float, text: str, kind: str = "reloaded", **more: Any) -> dict[str, Any]:
    return {"at": at, "kind": kind, "text": text, **more}


def changed(at: float, state: str, link: str = "wan", reason: str = "") -> dict[str, Any]:
    text = f"link {link} to office is {state}{f': {reason}' if reason else ''}"
    return event(at, text, "link_state_changed", peer="office", link=link, state=state, reason=reason)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()
