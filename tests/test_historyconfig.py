"""The section [history]: its values, and one line for each that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from alagg import historyconfig
from alagg.values import RefusedError


@pytest.mark.parametrize(
    ("text", "size"), [("1MB", 10**6), ("100 mb", 10**8), ("2GB", 2 * 10**9), ("100GB", 100 * 10**9)]
)
def test_size(text: str, size: int) -> None:
    assert historyconfig.size(text) == size


@pytest.mark.parametrize("text", ["", "100", "0MB", "101GB", "-1MB", "1.5GB", "1TB", "\u0661MB"])
def test_size_that_is_wrong(text: str) -> None:
    with pytest.raises(RefusedError, match="1MB to 100GB, such as 100MB"):
        historyconfig.size(text)


def test_file() -> None:
    assert historyconfig.file("/var/lib/a/b.db") == Path("/var/lib/a/b.db")


@pytest.mark.parametrize("text", ["", "history.db", "/etc/passwd", "/var/lib/", "/a\0.db", "/var/.db"])
def test_file_that_might_be_somebody_else_s(text: str) -> None:
    with pytest.raises(RefusedError, match=r"an absolute path of a file that ends in \.db"):
        historyconfig.file(text)
