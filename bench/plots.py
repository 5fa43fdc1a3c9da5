"""Draws a run's figures with matplotlib, as SVG beside its JSON file; each says which command made it."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.figures import figure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

BARS: Final = {
    "goodput": ("tcp_1_bit_per_s", "tcp_8_bit_per_s"),
    "cpu": ("tcp_1_cpu_s_per_gb",),
    "packets": ("udp_64_per_s", "udp_512_per_s", "udp_1400_per_s"),
    "round-trips": ("rtt_udp_p50_s", "rtt_udp_p99_s", "rtt_udp_p99.9_s", "rtt_loaded_p50_s", "rtt_loaded_p99_s"),
}
"""The pictures of the contestants, each with its figures side by side."""


def draw(values: Mapping[str, Any], directory: Path, command: str) -> list[Path]:
    """Draw everything that the values of a JSON file hold; give the files.

    Args:
        values: as written by `python -m bench`.
        directory: where the files go; it is made.
        command: what made the values.

    Raises:
        ImportError: matplotlib is not installed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    drawn = []
    if "end_to_end" in values:
        drawn += [path for name, figures in BARS.items()
                  if (path := _bars(values["end_to_end"], figures, directory / f"{name}.svg", command))]
    for key, (name, draw_one) in OTHERS.items():
        if values.get(key):
            picture = _picture(6)
            draw_one(picture.subplots(), values[key])
            drawn.append(_save(picture, directory / f"{name}.svg", command))
    return drawn


def _bars(contestants: Mapping[str, Any], names: Sequence[str], path: Path, command: str) -> Path | None:
    names = [name for name in names if any(name in one["figures"] for one in contestants.values())]
    if not names:
        return None
    shown = {name: one for name, one in contestants.items() if any(figure in one["figures"] for figure in names)}
    picture = _picture(1.2 + len(shown) * (0.2 + 0.16 * len(names)))
    axes = picture.subplots()
    height = 0.8 / len(names)
    for index, name in enumerate(names):
        how = figure_of(name)
        rows = [(row + index * height, one["figures"][name]) for row, one in enumerate(shown.values())
                if name in one["figures"]]
        medians = [figure["median"] * how.scale for _, figure in rows]
        spans = [[(figure["median"] - figure["low"]) * how.scale for _, figure in rows],
                 [(figure["high"] - figure["median"]) * how.scale for _, figure in rows]]
        axes.barh([row for row, _ in rows], medians, height, xerr=spans, label=how.title, capsize=2)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(shown))], [one["title"] for one in shown.values()])
    axes.invert_yaxis()
    axes.set_xlabel(f"{figure_of(names[0]).unit}; median, lines from the lowest to the highest round")
    axes.legend(fontsize="small")
    return _save(picture, path, command)


def _growth(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    labels = [f"{row['axis']}: {row['value']}" for row in rows]
    axes.barh(labels, [row["relative"] for row in rows])
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.axvline(1.25, color="red", linewidth=0.8, linestyle="--", label="goal")
    axes.invert_yaxis()
    axes.set_xlabel("engine's cost per packet, out and in, relative to the base")
    axes.legend(fontsize="small")


def _growth_net(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    for axis in dict.fromkeys(row["axis"] for row in rows):
        own = [row for row in rows if row["axis"] == axis]
        axes.plot([row["value"] for row in own], [median(row["cpu_s_per_gb"]) for row in own], marker="o", label=axis)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("how many of what grows")
    axes.set_ylabel("CPU seconds per GB, both ends")
    axes.legend(fontsize="small")


def _loss(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    for title in dict.fromkeys(row["title"] for row in rows):
        own = [row for row in rows if row["title"] == title]
        rates = [median(row["bit_per_s"]) / 1e6 for row in own]
        axes.plot([row["link_loss"] * 100 for row in own], rates, marker="o", label=title)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("% of its frames that each link loses")
    axes.set_ylabel("TCP goodput, Mbit/s")
    axes.legend(fontsize="small")


def _soak(axes: Any, soak: Mapping[str, Any]) -> None:
    held = soak["memory_bytes"]
    step = soak["minutes"] / len(held)
    axes.plot([step * number for number in range(1, len(held) + 1)], [one / 1e6 for one in held])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("minutes at full speed")
    axes.set_ylabel("memory of a node, MB")


OTHERS: Final[dict[str, tuple[str, Callable[[Any, Any], None]]]] = {
    "growth": ("growth", _growth), "growth_end_to_end": ("growth-end-to-end", _growth_net),
    "loss_end_to_end": ("losses", _loss), "soak": ("soak", _soak),
}
"""The other pictures by their key in the JSON file: the file's name, and what draws into it."""


def _picture(height: float) -> Any:
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional

    return Figure(figsize=(9, height), layout="constrained")


def _save(picture: Any, path: Path, command: str) -> Path:
    picture.supxlabel(f"made by: {command}", fontsize="x-small", color="gray")
    picture.savefig(path, metadata={"Description": f"made by: {command}"})
    return path
