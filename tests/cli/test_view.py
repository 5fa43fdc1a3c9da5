"""The status tables: the bad link and why, and every counter."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from alagg.cli import view

STATUS: dict[str, Any] = {
    "version": "1.2.3",
    "pid": 4711,
    "uptime_s": 93784,
    "engine": "plain",
    "peers": [
        {
            "name": "office",
            "scheduler": "redundant",
            "destinations": ["10.99.0.2/32", "fd99::2/128"],
            "tx": {"captured": 12345, "sent": 12340, "too_big": 5, "no_link": 0},
            "rx": {"frames": 20000, "passed": 10001, "discarded": 9990, "out_of_order": 7, "rogue": 6, "lost": 4,
                   "resets": 3, "malformed": {"bad_checksum": 2}},
        }
    ],
    "links": [
        {"name": "fibre", "peer": "office", "type": "ethernet", "interface": "eth0", "state": "no carrier",
         "reason": "no carrier: is the cable in?", "mtu": 1500, "rtt_ms": None, "loss": None, "tx_frames": 10,
         "tx_bytes": 1000, "tx_dropped_full": 0, "rx_frames": 9, "rx_bytes": 900, "malformed": 0},
        {"name": "copper", "peer": "office", "type": "ethernet", "interface": "eth1", "state": "up", "reason": "",
         "mtu": 9000, "rtt_ms": 0.412, "loss": 0.0, "tx_frames": 1234567, "tx_bytes": 1000, "tx_dropped_full": 0,
         "rx_frames": 9, "rx_bytes": 900, "malformed": 0, "stray_replies": 9},
    ],
    "capture": {"kernel_drops": 17, "truncated": 0},
    "injector": {"refused": 1},
    "drops": {"unknown_ethertype": 8},
}


def shown(status: dict[str, Any], rates: dict[str, tuple[float, float]] | None = None) -> str:
    text = io.StringIO()
    view.show(status, rates or {}, Console(file=text))
    return text.getvalue()


def row(text: str, start: str) -> list[str]:
    """Give the cells of the only row that begins so."""
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_bad_link_and_its_reason_stand_first() -> None:
    lines = shown(STATUS).splitlines()
    assert lines[0] == "alagg 1.2.3, plain engine, pid 4711, up 1 d 2 h"
    assert lines[1] == "1 of 2 links is bad"
    assert lines[2] == "  fibre: no carrier: is the cable in?"
    assert lines[3] == ""


def test_links() -> None:
    text = shown(STATUS, {"copper": (12.3e6, 2_500_000_000), "fibre": (999, 1000)})
    assert row(text, "link  ") == [
        "link", "interface", "state", "RTT ms", "loss %", "sent", "bit/s", "received", "bit/s",
    ]  # fmt: skip
    assert row(text, "fibre ") == ["fibre", "eth0", "no carrier", "-", "-", "10", "999", "9", "1.0 k"]
    assert row(text, "copper ") == ["copper", "eth1", "up", "0.41", "0", "1,234,567", "12.3 M", "9", "2.5 G"]


def test_way_of_sending_is_told_with_its_reason() -> None:
    link = STATUS["links"][1] | {"sends_by": "af_packet", "sends_by_reason": "its queueing discipline is fq"}
    assert "link copper: sends by AF_PACKET: its queueing discipline is fq" in shown(STATUS | {"links": [link]})
    assert "sends by" not in shown(STATUS)


def test_links_name_their_peer_where_there_are_several() -> None:
    text = shown(STATUS | {"peers": [*STATUS["peers"], STATUS["peers"][0] | {"name": "home"}]})
    assert row(text, "copper ")[:3] == ["copper", "office", "eth1"]


def test_what_was_measured_before_a_link_went_down_is_not_shown() -> None:
    link = STATUS["links"][1] | {"state": "down", "rtt_ms": 5.0, "loss": 0.5}
    assert row(shown(STATUS | {"links": [link]}), "copper ")[2:5] == ["down", "-", "-"]


def test_peers() -> None:
    text = shown(STATUS)
    assert row(text, "office ") == ["office", "12,345", "12,340", "10,001", "9,990", "7", "6", "4", "3"]
    assert "peer office: 10.99.0.2/32, fd99::2/128" in text.splitlines()


def test_workers_are_shown_with_their_shares() -> None:
    assert "worker" not in shown(STATUS)
    other = STATUS["peers"][0] | {"tx": {"captured": 5, "sent": 4}, "rx": {}}
    text = shown(STATUS | {"workers": [{"peers": STATUS["peers"]}, {"peers": [*STATUS["peers"], other]}]})
    assert row(text, "worker ") == ["worker", "captured", "sent", "passed", "discarded", "out of order", "rogue"]
    assert row(text, "0  ") == ["0", "12,345", "12,340", "10,001", "9,990", "7", "6"]
    assert row(text, "1  ") == ["1", "12,350", "12,344", "10,001", "9,990", "7", "6"]


def test_all_other_counters_are_named_unless_they_are_zero() -> None:
    lines = shown(STATUS).splitlines()
    assert lines[-6:] == [
        "peer office, out: too big 5",
        "peer office, in: frames 20,000, malformed bad checksum 2",
        "link copper: stray replies 9",
        "capture: kernel drops 17",
        "injector: refused 1",
        "drops: unknown ethertype 8",
    ]


def test_piped_output_is_plain_and_not_folded() -> None:
    text = shown(STATUS)
    assert "\x1b" not in text
    assert len(row(text, "office ")) == 9


@pytest.mark.parametrize("width", [30, 40, 60, 80])
@pytest.mark.parametrize("terminal", [True, False])
def test_narrow_output_loses_no_figure(monkeypatch: pytest.MonkeyPatch, width: int, *, terminal: bool) -> None:
    """Where a row has no room, the table is turned: a figure may stand elsewhere, but it stands there whole."""
    monkeypatch.setenv("COLUMNS", str(width))
    text = io.StringIO()
    view.show(STATUS, {}, Console(file=text, force_terminal=terminal, width=width, color_system=None))
    lines = text.getvalue().splitlines()
    tables = lines[4 : next(place for place, line in enumerate(lines) if line.startswith("peer office:"))]
    assert max(map(len, tables)) <= width
    assert {"1,234,567", "12,345", "9,990", "0.41", "fibre", "copper", "carrier"} <= set(text.getvalue().split())
    assert all("\u2026" not in line for line in tables)


def test_terminal_gets_colours() -> None:
    text = io.StringIO()
    view.show(STATUS, {}, Console(file=text, force_terminal=True, width=160, color_system="standard"))
    assert "\x1b[1;31m" in text.getvalue()


def test_names_are_no_markup() -> None:
    link = STATUS["links"][1] | {"name": "[red]x[/red]"}
    assert "[red]x[/red]" in shown(STATUS | {"links": [link]})


def test_answer_that_lacks_everything() -> None:
    assert shown({}).startswith("alagg ?")
    assert "x" in shown({"links": [{"name": "x"}], "peers": [{"name": "y"}]})


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (90061, "1 d 1 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert view.duration(seconds) == text
