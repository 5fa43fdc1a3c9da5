"""Tells whether something that is done over and over again keeps memory."""

from __future__ import annotations

import gc
import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS: Final = 20_000
"""A leak of 100 bytes a round would be 2 MB."""
ALLOWED: Final = 1 << 20
"""Bytes by which the process may grow: allocators keep some room."""


def growth(action: Callable[[], object], rounds: int = ROUNDS) -> int:
    """Give by how many bytes the process grows in many rounds of an action, after as many to warm up."""
    for _ in range(rounds):
        action()
    gc.collect()
    before = _resident()
    for _ in range(rounds):
        action()
    gc.collect()
    return _resident() - before


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE
