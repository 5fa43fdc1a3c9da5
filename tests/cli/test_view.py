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
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_bad_link_and_its_reason_stand_first() -> None:
    lines = shown(STATUS).splitlines()
    assert lines[0] == "alagg 1.2.3, plain engine, pid 4711, up 1 d 2 h"
    assert lines[1] == "1 of 2 links is bad: fibre (no carrier: is the cable in?)"


def test_links() -> None:
    text = shown(STATUS, {"copper": (12.3e6, 2_500_000_000), "fibre": (999, 1000)})
    assert row(text, "fibre ") == [
        "fibre", "office", "eth0", "no carrier", "-", "-", "1500", "10", "999 bit/s", "9", "1.0 kbit/s",
        "no carrier: is the cable in?",
    ]  # fmt: skip
    assert row(text, "copper ") == [
        "copper", "office", "eth1", "up", "0.41 ms", "0 %", "9000", "1,234,567", "12.3 Mbit/s", "9", "2.5 Gbit/s",
    ]  # fmt: skip


def test_peers() -> None:
    assert row(shown(STATUS), "office ") == [
        "office", "redundant", "12,345", "12,340", "10,001", "9,990", "7", "6", "4", "3", "10.99.0.2/32, fd99::2/128",
    ]  # fmt: skip


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


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, []),
        ({"state": "down"}, ["is down"]),
        ({"state": "down", "reason": "3 probes unanswered"}, ["3 probes unanswered"]),
        ({"reason": "proving itself"}, ["proving itself"]),
        ({"loss": 0.009}, []),
        ({"loss": 0.0523}, ["loses 5.23 %"]),
        ({"tx_dropped_full": 1200}, ["1,200 frames did not fit in"]),
        ({"malformed": 2}, ["2 frames arrived damaged"]),
        ({"state": "down", "loss": 1.0}, ["is down", "loses 100 %"]),
    ],
)
def test_faults(change: dict[str, Any], fault: list[str]) -> None:
    assert view.faults(STATUS["links"][1] | change) == fault


def test_piped_output_is_plain_and_not_folded() -> None:
    text = shown(STATUS)
    assert "\x1b" not in text
    assert len(row(text, "office ")) == 11


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
    assert view._duration(seconds) == text
