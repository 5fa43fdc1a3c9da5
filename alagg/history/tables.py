"""Tables: what the file holds, how finer rows become coarser ones, and how long each kind is kept."""

from __future__ import annotations

from typing import Final, NamedTuple

VERSION: Final = 1
"""Of the tables (PRAGMA user_version); a file of another one is set aside."""
APPLICATION: Final = 0x616C6167
"""Says whose file it is (PRAGMA application_id)."""
DAY: Final = 86400


class Tier(NamedTuple):
    """A table of samples of the same length."""

    name: str
    step: int
    """Seconds that a row stands for."""
    keep: int
    """Seconds after which a row goes."""


TIERS: Final = (Tier("second", 1, 25 * 3600), Tier("minute", 60, 15 * DAY), Tier("hour", 3600, 400 * DAY))
"""The finest first."""
COLUMNS: Final = {
    "covered": "SUM",
    "up": "SUM",
    "state": "MAX",
    "rtt": "AVG",
    "loss": "AVG",
    "tx_loss": "AVG",
    "queue": "AVG",
    "tx": "SUM",
    "rx": "SUM",
    "sent": "SUM",
    "delivered": "SUM",
    "lost": "SUM",
}
"""Each column of a sample, whole numbers, and how SQL makes one of many.

`covered`, `up`: milliseconds that were looked at, and in which the link was up. `state`: its place in
`alagg.control.counters.STATES`, so the worst one is the largest. `rtt`, `queue`: microseconds. `loss`, `tx_loss`:
millionths. `tx`, `rx`: bytes of a link. `sent`, `delivered`, `lost`: packets of a peer. Null is what is not known,
and what the subject (a link, or a peer) does not have.
"""
NAMES: Final = ", ".join(COLUMNS)
FOLDED: Final = ", ".join(f"CAST({how}({name}) AS INTEGER) AS {name}" for name, how in COLUMNS.items())
"""What a SELECT with GROUP BY gives."""
_JOINED: Final = {
    "SUM": "COALESCE({0} + excluded.{0}, {0}, excluded.{0})",
    "MAX": "COALESCE(MAX({0}, excluded.{0}), {0}, excluded.{0})",
    "AVG": "COALESCE(excluded.{0}, {0})",
}
JOINED: Final = ", ".join(f"{name} = {_JOINED[how].format(name)}" for name, how in COLUMNS.items())
"""What becomes of a row for whose second there is one already."""
_SAMPLES: Final = "".join(
    f"CREATE TABLE {tier.name} (time INTEGER, subject INTEGER, {', '.join(f'{name} INTEGER' for name in COLUMNS)}, "
    "PRIMARY KEY (time, subject)) WITHOUT ROWID;"
    for tier in TIERS
)
SCHEMA: Final = f"""
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE subject (id INTEGER PRIMARY KEY, peer TEXT, link TEXT, UNIQUE (peer, link));
CREATE TABLE event (id INTEGER PRIMARY KEY, time REAL, kind TEXT, peer TEXT, link TEXT, text TEXT, rest TEXT);
CREATE INDEX event_time ON event (time);
{_SAMPLES}
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""
"""A link's subject has its peer's name and its own, a peer's an empty `link`."""
