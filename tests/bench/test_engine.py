"""The engine's benchmark, with few packets: every case runs, and does what it says."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from alagg.engine.header import SIZE
from bench import engine

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _few_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PACKETS", 128)


def test_every_case_runs() -> None:
    """The halves and the whole check by themselves that no packet was lost on the way."""
    costs = engine.measure(engine.cases(), 2)
    assert all(len(cost.samples) == 2 and min(cost.samples) > 0 for cost in costs)


def test_cases_differ() -> None:
    keys = [(case.stage, case.size, case.links, case.batch) for case in engine.cases()]
    assert len(set(keys)) == len(keys)
    for direction in ("whole, out", "whole, in"):
        assert {key[1:] for key in keys if key[0] == direction} == {
            (size, links, batch) for size in engine.SIZES for links in (1, 2) for batch in (1, 64)
        }


def test_cases_take_turns() -> None:
    order: list[str] = []

    def prepare(name: str) -> Callable[[], object]:
        return lambda: order.append(name)

    cases = [engine.Case(name, partial(prepare, name)) for name in "ab"]
    engine.measure(cases, 3)
    assert order == ["a", "b"] * 3


def test_packets_that_do_not_arrive_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    work = engine.in_work(64, 2, 64)
    monkeypatch.setattr(engine, "PACKETS", 129)
    with pytest.raises(AssertionError):
        work()


def test_packets_have_their_size() -> None:
    for size in engine.SIZES:
        assert len(engine.packet(size)) == int.from_bytes(engine.packet(size)[2:4], "big") == size


def test_both_links_carry_every_packet() -> None:
    frames = engine.frame_batches(64, 2, 64)
    assert [number for number, _ in frames] == [0, 1, 0, 1]
    assert all(len(batch.payloads) == len(batch.headers) // SIZE == 64 for _, batch in frames)
