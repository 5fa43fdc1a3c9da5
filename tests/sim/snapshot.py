"""Stored results: a change of the engine's behaviour shows as a diff of numbers.

`ALAGG_UPDATE_SNAPSHOTS=1 pytest tests/sim` writes them anew; look at the diff before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER: Final = Path(__file__).with_name("snapshots")


def table(rows: Sequence[Sequence[object]]) -> str:
    """Lay rows out in columns; the first row is the heading."""
    texts = [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in texts]
    return "\n".join(lines) + "\n"


def check(name: str, text: str) -> None:
    """Compare a result with the stored one."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("ALAGG_UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; see {__name__} for how to update it"
