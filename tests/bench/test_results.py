"""Results as plain values: read, written, and set against each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench import results

if TYPE_CHECKING:
    from pathlib import Path

RUN: dict[str, Any] = {
    "format": results.FORMAT, "failures": ["the lab  [sic] needs root"],
    "end_to_end": {
        "veth": {"figures": {"rtt": {"0": 1.0, "1": 2.0}}},
        "alagg": {"figures": {"rtt": {"0": 4.0, "2": 9.0}}},
    },
}


def test_what_is_written_is_read_and_short(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "run.json"
    results.write(file, {**RUN, "failures": []})
    assert results.read(file) == {**RUN, "failures": []}
    assert '    "rtt": { "0": 1.0, "1": 2.0 }\n' in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == ["run.json"]


def test_text_with_brackets_is_kept(tmp_path: Path) -> None:
    results.write(tmp_path / "run.json", RUN)
    assert json.loads((tmp_path / "run.json").read_text()) == RUN


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"format": 3}')
    with pytest.raises(ValueError, match=f"its format is 3, not {results.FORMAT}"):
        results.read(tmp_path / "old.json")


def test_ratios_are_taken_turn_by_turn() -> None:
    assert results.ratios({"0": 1.0, "1": 4.0, "2": 9.0}, {"1": 2.0, "0": 2.0}) == [0.5, 2.0]
    assert results.ratios({"0": 1.0}, {"0": 0.0}) == []


def test_what_is_beyond_the_bare_link() -> None:
    assert results.beyond_bare(RUN, "alagg", "rtt") == {"0": 3.0}
    assert results.samples(RUN, "alagg", "memory") == results.samples({}, "alagg", "rtt") == {}


def test_one_run_is_shown_by_its_turns_and_several_by_their_medians() -> None:
    assert results.summary([[1, 2, 9]]) == results.summary([[], [1, 2, 9]]) == [1, 2, 9]
    assert results.summary([[1, 2, 9], [], [3, 5]]) == [2, 4]
    assert results.summary([[], []]) == []
