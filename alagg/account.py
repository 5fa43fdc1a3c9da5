"""Account: what links with a cap have carried in the period that runs, whatever their host's clock does.

A period is known by its first day. A clock that goes on into a later one begins to count there; one that goes back,
into a period that is known, goes on there with what was carried meanwhile, and into one that is not known, with what
was counted. So neither way of a wrong clock, nor its return, makes anybody pay for more than the cap.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from alagg.cap import period_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from alagg.cap import Cap

    Key = tuple[str, str]
    """A peer's name, and a link's."""

PERIODS: Final = 4
"""Periods that are remembered of a link: the clock may come back to them."""
ACCOUNTS: Final = 2000
"""Links that are remembered, those included that are configured no more."""
_VERSION: Final = 1
_NAME: Final = 64
"""Characters of a name, at most."""
_MOST: Final = 1 << 63


@dataclass
class Account:
    """What one link has carried."""

    unit: str
    """The kind of its periods, one of `alagg.cap.PERIODS`."""
    current: str
    """The first day of the period that runs (ISO 8601)."""
    used: dict[str, int] = field(default_factory=dict)
    """Bytes, by the first days of the periods."""
    told: int = 0
    """Per cent of the cap that an event has told of, in the period that runs."""
    since: int = 0
    """Bytes since the clock went into this period, as far as this process has seen it."""

    def turn(self, first: str) -> bool:
        """Take which period it is by the clock; tell whether it is another one."""
        if first == self.current:
            return False
        if first > self.current:
            self.used.setdefault(first, 0)
        elif first in self.used:
            self.used[first] += self.since
        else:
            self.used[first] = self.used[self.current]
        self.current, self.since, self.told = first, 0, 0
        others = sorted(one for one in self.used if one != first)
        for one in others[: max(len(others) - PERIODS + 1, 0)]:
            del self.used[one]
        return True

    def add(self, size: int) -> None:
        """Count bytes; a later period that is known was a wrong clock's, or this one is: they count in both."""
        self.since += size
        for first in self.used:
            if first >= self.current:
                self.used[first] += size

    @property
    def carried(self) -> int:
        """Bytes in the period that runs."""
        return self.used[self.current]


class Accounts:
    """The accounts of all links that have a cap."""

    def __init__(self) -> None:
        """Nothing was carried yet."""
        self._all: dict[Key, Account] = {}

    def of(self, key: Key, cap: Cap, today: dt.date) -> Account:
        """Give a link's account, in the period that runs; a cap of another kind of period begins to count anew."""
        first = period_of(cap.period, today)[0].isoformat()
        found = self._all.get(key)
        if found is None or found.unit != cap.period:
            found = self._all[key] = Account(cap.period, first, {first: 0})
        found.turn(first)
        return found

    def text(self, wanted: Collection[Key]) -> str:
        """Give what a file keeps of it: the links that are wanted, and others as far as there is room."""
        keys = [*(key for key in self._all if key in wanted), *(key for key in self._all if key not in wanted)]
        links = [
            {"peer": key[0], "link": key[1], "unit": one.unit, "current": one.current, "used": one.used,
             "told": one.told}
            for key, one in ((key, self._all[key]) for key in keys[:ACCOUNTS])
        ]  # fmt: skip
        return json.dumps({"version": _VERSION, "links": links}, indent=1) + "\n"

    def read(self, text: str) -> None:
        """Take what a file has kept.

        Raises:
            ValueError: it was not written by `text`.
        """
        try:
            found = json.loads(text)
            if found["version"] != _VERSION:
                raise ValueError("another version")
            self._all = dict(map(_account, found["links"][:ACCOUNTS]))
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(str(error)) from None


def _account(values: dict[str, Any]) -> tuple[Key, Account]:
    account = Account(values["unit"], values["current"], dict(values["used"]), values["told"])
    key = values["peer"], values["link"]
    for day in (account.current, *account.used):
        dt.date.fromisoformat(day)
    words: tuple[object, ...] = (*key, account.unit)
    names = all(isinstance(one, str) and len(one) <= _NAME for one in words)
    numbers: tuple[object, ...] = (account.told, *account.used.values())
    counts = all(isinstance(one, int) and 0 <= one < _MOST for one in numbers)
    if not names or not counts or account.current not in account.used or len(account.used) > PERIODS:
        raise ValueError("not an account")
    return key, account
