"""The report: how each link was, and what went wrong when, for how long, and why."""

from __future__ import annotations

from datetime import timezone
from typing import Any

from alagg.history import report
from tests.history.helpers import T0, changed, event


def history(*events: dict[str, Any], **link: list[Any]) -> dict[str, Any]:
    series: dict[str, Any] = {
        "peer": "office", "name": "wan", "time": [T0], "state": ["up"], "up": [1.0], "rtt_ms": [1.5], "loss": [0.0],
        "tx_loss": [None], "queue_ms": [None], "tx_rate_bps": [8e6], "rx_rate_bps": [None], **link,
    }  # fmt: skip
    told = [{**one, "time": one["at"]} for one in events]
    return {"since": T0, "until": T0 + 3600, "step": 60, "links": [series], "peers": [], "events": told}


def said(found: dict[str, Any]) -> list[str]:
    return [line.partition("  ")[2] for line in report.lines(found, timezone.utc)[5:]]


def test_table_shows_each_link_with_its_mean_and_its_worst() -> None:
    found = history(up=[1.0, 0.5], rtt_ms=[1.5, 30.25], loss=[0.0, 0.02], tx_rate_bps=[2e6, 8e6])
    assert report.lines(found, timezone.utc) == [
        "from 2027-01-15 08:00:00 to 2027-01-15 09:00:00",
        "",
        "link  peer      up  RTT ms  worst  loss  worst  out bit/s   most  in bit/s  most",
        "wan   office  75 %   15.88  30.25   1 %    2 %      5.0 M  8.0 M         -     -",
        "",
        "nothing happened",
    ]


def test_link_that_was_down_for_a_moment_was_not_up_all_the_time() -> None:
    assert "99.99 %" in report.lines(history(up=[1.0] * 999_999 + [0.0]))[3]


def test_no_link() -> None:
    assert report.lines({**history(), "links": []})[2] == "no link was seen"


def test_fault_is_one_line_from_its_beginning_to_its_end() -> None:
    found = history(
        changed(T0 + 60, "suspect", reason="an answer is overdue"),
        changed(T0 + 61, "silent", reason="the peer does not answer"),
        changed(T0 + 180, "wary"),
        changed(T0 + 185, "up"),
    )
    assert said(found) == ["link wan to office is suspect: an answer is overdue; then wary (2 min 5 s)"]


def test_fault_that_lasts_and_one_of_another_link_in_between() -> None:
    found = history(
        changed(T0 + 60, "down", reason="no carrier"),
        changed(T0 + 70, "down", "lan"),
        changed(T0 + 70.5, "up", "lan"),
    )
    assert said(found) == [
        "link wan to office is down: no carrier; that has not ended",
        "link lan to office is down (under a second)",
    ]


def test_other_things_are_told_in_order_with_their_time() -> None:
    found = history(event(T0 + 5, "reloaded: 1 peer"), changed(T0 + 1, "down"), changed(T0 + 9, "up"))
    lines = report.lines({**found, "events": sorted(found["events"], key=lambda one: one["time"])}, timezone.utc)
    assert lines[5:] == [
        "2027-01-15 08:00:01  link wan to office is down (8 s)",
        "2027-01-15 08:00:05  reloaded: 1 peer",
    ]


def test_of_very_many_things_the_newest_are_told() -> None:
    found = history(*(event(T0 + number, f"number {number}") for number in range(report.MAX_LINES + 3)))
    lines = report.lines(found)[5:]
    assert lines[0] == "(3 more before; --json tells them)"
    assert len(lines) == report.MAX_LINES + 1


def test_link_that_is_up_from_the_beginning_is_no_fault() -> None:
    assert report.lines(history(changed(T0 + 1, "up")))[5:] == ["nothing happened"]
