"""Draws a record: what each link carried, its round trip, its states, and when something was done to it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from alagg.lab.record import Record

COLOURS: Final = {
    "new": "#9a9a9a", "up": "#2e8b57", "wary": "#b5c334", "suspect": "#e0a100", "silent": "#d2452d",
    "down": "#7d1128", "blocked": "#5b5ea6", "standby": "#7fb2d6", "capped": "#8f5aa8",
}  # fmt: skip
"""Of each state; where there is room, the state stands there in words, too."""
_WIDE: Final = 0.06
"""Share of the picture that a word takes."""
_INCHES: Final = (9.0, 7.0)
_HOSTS: Final = "AB"


def draw(record: Record, title: str, path: Path) -> None:
    """Write a picture (SVG) with the time in seconds from left to right.

    Raises:
        OSError: the file cannot be written.
    """
    # Text stays text, and the same record gives the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        carried, trip, states = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 1.5))
        figure.suptitle(title)
        _carried(carried, record)
        _trip(trip, record)
        _states(states, record)
        for axes in (carried, trip, states):
            for at, _ in record.marks:
                axes.axvline(at, color="#444444", linewidth=0.8, linestyle=":")
        for at, words in record.marks:
            carried.annotate(words, (at, 1), xycoords=("data", "axes fraction"), rotation=30, fontsize=7, va="bottom")
        figure.savefig(path, format="svg", metadata={"Date": None})


def _links(record: Record) -> list[tuple[int, str]]:
    found = {(host, link["name"]): None for look in record.looks for host in (0, 1)
             for link in look.statuses[host]["links"]}  # fmt: skip
    return list(found)


def _series(record: Record, host: int, name: str) -> list[tuple[float, dict[str, Any]]]:
    """Give what a host said of a link, by time; nothing where it had no such link."""
    return [
        (look.at, link) for look in record.looks for link in look.statuses[host]["links"] if link["name"] == name
    ]


def _carried(axes: Axes, record: Record) -> None:
    for host, name in _links(record):
        said = _series(record, host, name)
        times, rates = [], []
        for (before, one), (at, other) in pairwise(said):
            times.append(at)
            rates.append(max(0, other["rx_bytes"] - one["rx_bytes"]) * 8e-6 / (at - before))
        axes.plot(times, rates, label=f"{name} to {_HOSTS[host]}", linewidth=1.2)
    axes.set_ylabel("received, Mbit/s")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7, loc="upper right")


def _trip(axes: Axes, record: Record) -> None:
    for host, name in _links(record):
        said = [(at, link["rtt_ms"]) for at, link in _series(record, host, name) if link["rtt_ms"] is not None]
        times, trips = [at for at, _ in said], [trip for _, trip in said]
        axes.plot(times, trips, label=f"{name} from {_HOSTS[host]}", linewidth=1.2)
    axes.set_ylabel("round trip, ms")
    axes.set_ylim(bottom=0)


def _states(axes: Axes, record: Record) -> None:
    links = _links(record)
    seen: dict[str, None] = {}
    for row, (host, name) in enumerate(links):
        for begin, end, state in runs([(at, link["state"]) for at, link in _series(record, host, name)]):
            label = "_" if state in seen else state
            axes.barh(row, end - begin, left=begin, color=COLOURS[state], height=0.8, label=label)
            seen[state] = None
            if end - begin > _WIDE * record.looks[-1].at:
                axes.text(begin, row, f" {state}", fontsize=7, va="center", color="white", clip_on=True)
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=len(COLOURS), frameon=False)
    axes.set_yticks(range(len(links)), [f"{name} at {_HOSTS[host]}" for host, name in links], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("seconds")


def runs(said: list[tuple[float, str]]) -> list[tuple[float, float, str]]:
    """Join what stays the same: from when until when it was what."""
    found: list[tuple[float, float, str]] = []
    for at, state in said:
        if found and found[-1][2] == state:
            found[-1] = found[-1][0], at, state
        else:
            if found:
                found[-1] = found[-1][0], at, found[-1][2]
            found.append((at, at, state))
    return found
