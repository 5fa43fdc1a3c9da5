"""A run's results: plain values as they stand in its JSON file; whatever judges or shows a run reads these.

A figure has one sample of each turn in which it was measured, by the turn's number: `{"0": 1.5, "1": 1.4}`.
"""

from __future__ import annotations

import json
import re
import statistics
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FORMAT: Final = 4
"""Version of the JSON file's layout."""
BARE: Final = "veth"
"""The contestant from whose round trip the others' is counted."""
_INNERMOST: Final = re.compile(r"[\[{][^\[\]{}]*[\]}]")

Results = dict[str, Any]
Samples = dict[str, float]


def write(path: Path, results: Results) -> None:
    """Write a file, a figure on each line; who reads it meanwhile finds it whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    text = json.dumps(results, indent=1, ensure_ascii=False)
    fresh.write_text(_INNERMOST.sub(lambda found: " ".join(found[0].split()), text) + "\n", encoding="utf-8")
    fresh.replace(path)


def read(path: Path) -> Results:
    """Read a file.

    Raises:
        ValueError: it was written by another version of the harness.
    """
    results: Results = json.loads(path.read_text(encoding="utf-8"))
    if results.get("format") != FORMAT:
        raise ValueError(f"its format is {results.get('format')}, not {FORMAT}; measure anew")
    return results


def samples(results: Mapping[str, Any], contestant: str, figure: str) -> Samples:
    """Give a contestant's figure by turn; nothing if it was not measured."""
    found: Samples = results.get("end_to_end", {}).get(contestant, {}).get("figures", {}).get(figure, {})
    return found


def ratios(one: Samples, other: Samples) -> list[float]:
    """Give the ratios turn by turn, where both were measured: what slows a whole turn down does not show in them."""
    return [value / other[turn] for turn, value in one.items() if other.get(turn)]


def beyond_bare(results: Mapping[str, Any], contestant: str, figure: str) -> Samples:
    """Give by how much a figure is above the bare link's, turn by turn."""
    bare = samples(results, BARE, figure)
    return {turn: value - bare[turn] for turn, value in samples(results, contestant, figure).items() if turn in bare}


def summary(runs: Sequence[Sequence[float]]) -> list[float]:
    """Give what a median and a range are taken of: the medians of several runs, or the samples of the only one.

    Args:
        runs: the samples of each run; one that has none does not count.
    """
    measured = [list(run) for run in runs if run]
    return measured[0] if len(measured) == 1 else [statistics.median(run) for run in measured]
