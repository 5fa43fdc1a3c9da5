"""Reading: from which tables an answer is made, how large it may get, and what is said where there is none."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.history import store
from alagg.history.store import HistoryError, Store
from alagg.history.tables import DAY
from alagg.history.writer import Writer
from tests.history.helpers import MB, T0, changed, event, sample

if TYPE_CHECKING:
    from pathlib import Path

WAN: Final = ("office", "wan")


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: T0 + 7200.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def write(path: Path, seconds: range, **values: Any) -> None:
    with closing(Writer(path, 4 * MB)) as kept:
        for second in seconds:
            kept.write(T0 + second, {WAN: sample(**values), ("office", ""): {"covered": 1000, "sent": 7}})


def test_seconds_as_they_were(path: Path) -> None:
    write(path, range(3), loss=250_000)
    found = Store(path).query(T0, T0 + 2)
    assert (found["since"], found["until"], found["step"]) == (T0, T0 + 2, 1)
    assert found["links"] == [{
        "peer": "office", "name": "wan", "time": [T0, T0 + 1], "state": ["up", "up"], "up": [1.0, 1.0],
        "rtt_ms": [1.5, 1.5], "loss": [0.25, 0.25], "tx_loss": [None, None], "queue_ms": [None, None],
        "tx_rate_bps": [1000.0, 1000.0], "rx_rate_bps": [2000.0, 2000.0],
    }]  # fmt: skip
    assert found["peers"] == [{
        "name": "office", "time": [T0, T0 + 1], "sent": [7.0, 7.0], "delivered": [None, None], "lost": [None, None],
    }]  # fmt: skip


def test_coarser_samples_are_made_of_minutes_and_of_what_is_no_minute_yet(path: Path) -> None:
    write(path, range(0, 150, 10))
    with closing(Writer(path, 4 * MB)) as kept:  # minutes are read where they are there
        kept._database.execute("DELETE FROM second WHERE time < ?", (T0 + 120,))
    (link,) = Store(path).query(T0, None, 60)["links"]
    assert link["time"] == [T0, T0 + 60, T0 + 120]
    assert link["rtt_ms"] == [1.5, 1.5, 1.5]


def test_worst_state_of_a_sample_is_shown(path: Path) -> None:
    with closing(Writer(path, 4 * MB)) as kept:
        for second, state in enumerate(("up", "silent", "up", "wary")):
            kept.write(T0 + second, {WAN: sample(state)})
    (link,) = Store(path).query(T0, T0 + 4, 2)["links"]
    assert (link["state"], link["up"]) == (["silent", "wary"], [0.5, 0.5])


@pytest.mark.parametrize(
    ("since", "until", "step", "given"),
    [
        (0, 10, 1, 1),
        (0, 1000, 7, 7),
        (0, 3600, 1, 4),
        (0, DAY, 1, 120),
        (0, 7 * DAY, 1, 3600),
        (-5 * DAY, -5 * DAY + 600, 1, 60),
        (-200 * DAY, -200 * DAY + 60, 1, 3600),
    ],
)
def test_step_is_one_that_a_table_has_and_bounds_the_answer(since: int, until: int, step: int, given: int) -> None:
    now = 1_000_000_000
    found = store._step(now - DAY + since, now - DAY + until, step, float(now))
    assert found == given
    assert (until - since) / found <= store.MAX_POINTS


def test_events_come_with_all_that_they_tell(path: Path) -> None:
    with closing(Writer(path, 4 * MB)) as kept:
        kept.write(T0, {}, [event(T0 + 1, "reloaded: 1 peer"), changed(T0, "down", reason="no carrier")])
    assert Store(path).query(T0)["events"] == [
        {"time": T0, "kind": "link_state_changed", "peer": "office", "link": "wan", "state": "down",
         "reason": "no carrier", "text": "link wan to office is down: no carrier"},
        {"time": T0 + 1, "kind": "reloaded", "peer": "", "link": "", "text": "reloaded: 1 peer"},
    ]  # fmt: skip


def test_number_of_events_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_EVENTS", 2)
    with closing(Writer(path, 4 * MB)) as kept:
        kept.write(T0, {}, [event(T0 + number, str(number)) for number in range(5)])
    assert [one["text"] for one in Store(path).query(T0)["events"]] == ["3", "4"]


def test_reader_sees_what_a_writer_is_writing(path: Path) -> None:
    with closing(Writer(path, 4 * MB)) as kept:
        kept.write(T0, {WAN: sample()})
        assert Store(path).query(T0)["links"][0]["time"] == [T0]


def test_no_history_is_one_line(path: Path) -> None:
    with pytest.raises(HistoryError, match="there is no history; \\[history\\] keep = yes has the node keep one"):
        Store(path).query(T0)


@pytest.mark.parametrize("content", [b"\xa5" * 9000, b""])
def test_history_that_cannot_be_read_is_one_line(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(HistoryError, match=r"cannot be read: [a-z]"):
        Store(path).query(T0)
