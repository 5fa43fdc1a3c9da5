"""Seals: the plain form's own matters; `tests/native/test_seals.py` holds both forms to the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg.engine import header
from alagg.keys import seals

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "found"),
    [("flags : fpu aes avx", True), ("Features : fp asimd aes", True), ("flags : fpu vaes", False), ("", False)],
)
def test_aes_of_the_processor(tmp_path: Path, text: str, found: bool) -> None:  # noqa: FBT001
    (tmp_path / "cpuinfo").write_text(text, encoding="ascii")
    assert seals.has_aes(tmp_path / "cpuinfo") is found
    assert seals.has_aes(tmp_path / "none") is False


def test_sizes_are_the_headers() -> None:
    assert seals.SIZE == header.SIZE
    assert seals.SIZE + seals.GROWTH == 44
