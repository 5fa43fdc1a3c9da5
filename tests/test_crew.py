"""The worker that watches the links tells the others, and waits for none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from alagg.crew import Crew
from alagg.engine.events import LinkFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.worker import Worker


class Follower:
    """What a worker is to its crew."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.take: Callable[[float], None] = lambda _now: None
        self.endpoint = self

    def watch(self, descriptor: int, handler: Callable[[float], None]) -> None:
        assert descriptor >= 0
        self.take = handler

    def follow(self, *found: object) -> None:
        self.heard.append(found)


def crew_of(count: int) -> tuple[Crew, list[Follower]]:
    crew, workers = Crew(count), [Follower() for _ in range(count)]
    for number, worker in enumerate(workers):
        crew.join(cast("Worker", worker), number)
    return crew, workers


def test_all_others_hear_what_was_found() -> None:
    crew, workers = crew_of(3)
    crew.tell(LinkFound("office", "fibre", "silent", 1400))
    for worker in workers:
        worker.take(0.0)
    assert [worker.heard for worker in workers] == [[], *[[("office", "fibre", "silent", 1400)]] * 2]
    crew.close()


def test_one_that_does_not_listen_holds_nobody_up_and_hears_the_last_word() -> None:
    crew, (_, deaf, other) = crew_of(3)
    for number in range(2000):
        for link in ("fibre", "radio"):
            crew.tell(LinkFound("office", link, "up", number))
        other.take(0.0)
    assert len(other.heard) == 4000
    for _ in range(10):
        deaf.take(0.0)
        crew.flush()
    deaf.take(0.0)
    assert deaf.heard[-2:] == [("office", link, "up", 1999) for link in ("fibre", "radio")]
    crew.close()


def test_a_single_worker_tells_nobody() -> None:
    crew, _ = crew_of(1)
    crew.tell(LinkFound("office", "fibre", "up", 0))
    crew.flush()
