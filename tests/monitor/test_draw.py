"""What the terminal view shows: states and reasons in words, rates with their history, whole at 80 columns."""

from __future__ import annotations

from typing import Any

import pytest

from alagg.monitor.draw import ASCII_BARS, BARS, body, headline, history
from alagg.monitor.rates import Rates
from tests.metrics.status import link, status

WELL: dict[str, Any] = {"recent": {}, "loss": 0.0, "tx_loss": 0.0, "rtt_ms": 1.5, "rate_bps": None}


def shown(*links: dict[str, Any], width: int = 80, **options: Any) -> list[str]:
    rates = Rates()
    for second in (1, 2, 3):
        moved = [one | {"tx_bytes": 1_000_000 * second**2, "rx_bytes": 125 * second} for one in links]
        found = status(*moved, uptime_s=float(second), put_back=[])
        rates.take(found)
    return body(found, rates, width, **options).plain.splitlines()


def row(lines: list[str], start: str) -> list[str]:
    (line,) = [line for line in lines if line.startswith(start)]
    return line.split()


def test_which_node_it_is() -> None:
    assert headline(status(uptime_s=93784)) == "alagg 1.2.3, compiled engine, up 1 d 2 h"
    assert headline({}).startswith("alagg ?")


def test_a_link_with_what_it_carries() -> None:
    lines = shown(link("office", "fibre", **WELL))
    assert lines[0] == "no link is bad (of 1)"
    assert row(lines, "link") == ["link", "state", "RTT", "ms", "loss", "%", "out", "bit/s", "in", "bit/s"]
    assert row(lines, "fibre") == ["fibre", "up", "1.50", "0", "40.0", "M", "▅█", "1.0", "k", "██"]


def test_the_reason_stands_below_a_link_once() -> None:
    lines = shown(link("office", "fibre", **WELL | {"state": "silent", "reason": "3 probes without an answer"}))
    assert lines[0] == "1 of 1 links is bad"
    assert [line for line in lines if "3 probes" in line] == ["  3 probes without an answer"]
    assert lines[lines.index("  3 probes without an answer") - 1].startswith("fibre")


def test_links_name_their_peer_where_there_are_several() -> None:
    lines = shown(link("office", "fibre", **WELL), link("boat", "radio", **WELL))
    assert row(lines, "radio")[:3] == ["radio", "boat", "up"]
    assert {line.split()[0] for line in lines[-2:]} == {"office", "boat"}


def test_shares_and_repairs_where_there_are_some() -> None:
    lines = shown(link("office", "fibre", **WELL, share=0.75))
    assert "share %" in " ".join(lines)
    assert row(lines, "fibre")[4] == "75"
    assert "share %" not in " ".join(shown(link("office", "fibre", **WELL)))


@pytest.mark.parametrize("width", [50, 60, 80, 200])
@pytest.mark.parametrize("name", ["fibre", "a-name-of-32-letters-or-so-no-more", "光ファイバー"])
def test_nothing_is_wider_than_the_terminal(width: int, name: str) -> None:
    links = [link("office", name, **WELL, state="suspect"), link("boat", "radio", **WELL | {"loss": 0.123456})]
    lines = shown(*links, width=width)
    table = lines[lines.index("") :]
    assert max(map(len, table)) <= width
    assert "40.0 M" in "\n".join(table)
    assert "12.3" in "\n".join(table)


def test_worst_first() -> None:
    gone = link("office", "gone", **WELL | {"state": "down", "reason": "no carrier"})
    lines = shown(link("office", "well", **WELL), gone, worst_first=True)
    names = [line.split()[0] for line in lines if line.startswith(("well", "gone"))]
    assert names == ["gone", "well"]


def test_what_was_measured_before_a_link_went_down_is_not_shown() -> None:
    lines = shown(link("office", "fibre", **WELL | {"state": "down", "reason": "no carrier"}))
    assert row(lines, "fibre")[1:4] == ["down", "-", "-"]


def test_many_notes_are_cut_short() -> None:
    put_back = [{"what": ["a rule"], "times": 1, "seconds_ago": 90.0}] * 20
    lines = body(status(link("office", "fibre", **WELL), put_back=put_back), Rates(), 80).plain.splitlines()
    assert "  ... and 16 more: see alagg status" in lines


def test_an_answer_that_lacks_everything() -> None:
    assert body({}, Rates(), 80).plain.startswith("no link is bad")
    assert "x" in body({"links": [{"name": "x"}], "peers": [{"name": "y"}]}, Rates(), 80).plain


def test_names_are_no_markup() -> None:
    assert "[red]x[/red]" in "\n".join(shown(link("office", "[red]x[/red]", **WELL)))


@pytest.mark.parametrize("bars", [BARS, ASCII_BARS])
def test_a_history_keeps_the_newest_at_the_right(bars: str) -> None:
    assert history([9, 1, 0, 4, 8], 4, bars) == f"{bars[1]} {bars[4]}{bars[7]}"
    assert history([5], 3, bars) == f"  {bars[7]}"
    assert history([], 3, bars) == "   "
    assert history([1, 2], 0, bars) == ""
