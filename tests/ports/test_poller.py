"""The plain poller where it differs from the compiled one (tests/native/test_poller.py holds both to the rest)."""

from __future__ import annotations

import errno
import os
import select
from typing import TYPE_CHECKING

import pytest

from alagg.ports.poller import LARGEST, Poller

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


class Coarse:
    """Notes how many milliseconds `select.poll` was told to wait."""

    def __init__(self) -> None:
        self.waited: list[float | None] = []

    def register(self, *_: int) -> None:
        """Take anything."""

    def poll(self, limit: float | None) -> list[tuple[int, int]]:
        self.waited.append(limit)
        return []


def test_large_descriptors_wait_to_the_next_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = Coarse()
    monkeypatch.setattr(select, "poll", lambda: coarse)
    poller = Poller()
    poller.register(LARGEST + 1)
    for seconds in (0, 0.0001, 0.001, 0.0011, float("inf")):
        poller.poll(seconds)
    assert coarse.waited == [0, 1, 1, 2, None]


def test_other_errors_are_the_callers(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOMEM, "as told")

    poller = Poller()
    poller.register(pipe[0])
    monkeypatch.setattr(select, "select", refuse)
    with pytest.raises(OSError, match="as told"):
        poller.poll(0)
