"""The section `[history]`: whether the node keeps a history, where, and how large it may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alagg import values
from alagg.option import Option
from alagg.values import RefusedError

DEFAULT_FILE: Final = "/var/lib/alagg/history.db"
"""Where a history is that no file tells of."""
_SIZE: Final = re.compile(r"(\d{1,6})\s*(MB|GB)", re.ASCII | re.IGNORECASE)
_BYTES: Final = {"MB": 10**6, "GB": 10**9}


@dataclass(frozen=True)
class HistoryConfig:
    """What `[history]` says."""

    keep: bool
    file: Path
    size: int
    """Bytes that the file may have."""


def file(text: str) -> Path:
    """Read the path of a file."""
    # Only a name like this is renamed where its content is broken: a mistake must not cost a file of somebody else's.
    if not text.startswith("/") or not text.endswith(".db") or not text.isprintable() or text.endswith("/.db"):
        raise RefusedError(f"an absolute path of a file that ends in .db, such as {DEFAULT_FILE}")
    return Path(text)


def size(text: str) -> int:
    """Read a number of bytes."""
    match = _SIZE.fullmatch(text)
    value = int(match[1]) * _BYTES[match[2].upper()] if match else 0
    if not 10**6 <= value <= 100 * 10**9:
        raise RefusedError("a size with its unit from 1MB to 100GB, such as 100MB")
    return value


HISTORY: Final = (
    Option("keep", "no", values.yes_no, "write down what links and peers do, for alagg history: yes | no"),
    Option("file", DEFAULT_FILE, file, "where; two nodes on one host need two"),
    Option("size", "100MB", size, "how large it may become, 1MB to 100GB; the oldest goes then"),
)
