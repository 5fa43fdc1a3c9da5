"""docs/metrics.md names all metrics and all alerts, as they are."""

from __future__ import annotations

import re
from pathlib import Path

from alagg.metrics.reference import markdown

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_page_shows_the_table() -> None:
    assert markdown() in PAGE, "python -m alagg.metrics.reference writes it anew"


def test_the_page_explains_every_alert() -> None:
    rules = (ROOT / "alagg" / "contrib" / "alerts.yml").read_text(encoding="utf-8")
    named = re.findall(r"alert: (\w+)", rules)
    assert named
    assert re.findall(r"^\| `(Alagg\w+)`", PAGE, re.MULTILINE) == named
