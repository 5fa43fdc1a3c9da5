"""Pictures of results that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench import plots

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("matplotlib")


def figure(median: float) -> dict[str, Any]:
    return {"median": median, "low": median / 2, "high": median * 2}


VALUES: dict[str, Any] = {
    "end_to_end": {
        "veth": {"title": "bare veth", "figures": {"tcp_1_bit_per_s": figure(8e9), "tcp_8_bit_per_s": figure(9e9)}},
        "mptcp": {"title": "kernel MPTCP", "figures": {"tcp_1_bit_per_s": figure(4e9)}},
    },
    "growth": [
        {"axis": "base", "value": "1 peer", "relative": 1.0},
        {"axis": "links", "value": "8", "relative": 1.1},
    ],
    "growth_end_to_end": [{"axis": "links", "value": value, "cpu_s_per_gb": [1.0, 2.0]} for value in (1, 8)],
    "loss_end_to_end": [{"title": "veth", "link_loss": loss, "bit_per_s": [1e6]} for loss in (0, 0.05)],
    "soak": {"minutes": 10, "memory_bytes": [1, 2, 3]},
}


def test_only_what_was_measured_is_drawn(tmp_path: Path) -> None:
    drawn = plots.draw(VALUES, tmp_path / "new", "python -m bench --quick")
    assert [path.name for path in drawn] == [
        "goodput.svg", "growth.svg", "growth-end-to-end.svg", "losses.svg", "soak.svg"
    ]
    for path in drawn:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("<?xml")
        assert "made by: python -m bench --quick" in text


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    assert plots.draw({}, tmp_path, "") == []
