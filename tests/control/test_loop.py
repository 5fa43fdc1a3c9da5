"""The supervisor's loop: descriptors, times, and handlers that remove each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from alagg.control.loop import WRITE, Loop

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipes() -> Iterator[list[tuple[int, int]]]:
    pipes = [os.pipe() for _ in range(2)]
    yield pipes
    for pipe in pipes:
        for end in pipe:
            os.close(end)


def test_what_is_ready_is_served(pipes: list[tuple[int, int]]) -> None:
    loop, served = Loop(), []
    for number, (reader, writer) in enumerate(pipes):
        loop.watch(reader, lambda number=number: served.append(number))  # type: ignore[misc]
        os.write(writer, b"!")
    loop.step(0)
    assert sorted(served) == [0, 1]
    loop.unwatch(pipes[0][0])
    loop.unwatch(pipes[0][0])
    loop.step(0)
    assert served[2:] == [1]


def test_one_that_was_removed_a_moment_ago_is_not_served(pipes: list[tuple[int, int]]) -> None:
    loop, served = Loop(), []

    def serve(number: int) -> None:
        served.append(number)
        loop.unwatch(pipes[1 - number][0])

    for number, (reader, writer) in enumerate(pipes):
        loop.watch(reader, lambda number=number: serve(number))  # type: ignore[misc]
        os.write(writer, b"!")
    loop.step(0)
    assert len(served) == 1


def test_watching_again_changes_what_for(pipes: list[tuple[int, int]]) -> None:
    loop, served = Loop(), []
    writer = pipes[0][1]
    loop.watch(writer, lambda: served.append("hung up"), 0)
    loop.step(0)
    loop.watch(writer, lambda: served.append("room"), WRITE)
    loop.step(0)
    assert served == ["room"]


def test_times_come_in_their_order() -> None:
    loop, served = Loop(), []

    def end() -> None:
        served.append("late")
        loop.running = False

    loop.call_in(0.002, end)
    loop.call_in(0.0, lambda: served.append("early"))
    loop.run()
    assert served == ["early", "late"]
