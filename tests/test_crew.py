"""The worker that watches the links tells the others, and waits for none of them."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, cast

from alagg.crew import Crew
from alagg.engine.control import Report
from alagg.engine.events import LinkFound, PeerMoved, ReportHeard

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.worker import Worker


class Follower:
    """What a worker is to its crew."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.take: Callable[[float], None] = lambda _now: None
        self.endpoint = self.whereabouts = self

    def watch(self, descriptor: int, handler: Callable[[float], None]) -> None:
        assert descriptor >= 0
        self.take = handler

    def follow(self, *found: object) -> None:
        self.heard.append(found)

    def take_report(self, *heard: object) -> None:
        self.heard.append(heard)


def crew_of(count: int) -> tuple[Crew, list[Follower]]:
    """Give the first worker's view of a crew, as after the fork, and all workers."""
    crew, workers = Crew(count), [Follower() for _ in range(count)]
    views = [copy(crew) for _ in workers]
    for number, (view, worker) in enumerate(zip(views, workers, strict=True)):
        view.join(cast("Worker", worker), number)
    return views[0], workers


def test_all_others_hear_what_was_found() -> None:
    crew, workers = crew_of(3)
    crew.tell(LinkFound("office", "fibre", "silent", 1400))
    for worker in workers:
        worker.take(0.0)
    assert [worker.heard for worker in workers] == [[], *[[("office", "fibre", "silent", 1400)]] * 2]
    crew.close()


def test_all_others_hear_where_a_peer_was_found() -> None:
    crew, workers = crew_of(2)
    crew.tell(PeerMoved("office", "fibre", "02:00:00:00:00:07"))
    for worker in workers:
        worker.take(3.0)
    assert [worker.heard for worker in workers] == [[], [("office", "fibre", bytes((2, 0, 0, 0, 0, 7)), 3.0)]]
    crew.close()


def test_one_that_does_not_listen_holds_nobody_up_and_hears_the_last_word() -> None:
    crew, (_, deaf, other) = crew_of(3)
    for number in range(2000):
        for link in ("fibre", "radio"):
            crew.tell(LinkFound("office", link, "up", number))
        other.take(0.0)
    assert len(other.heard) == 4000
    while (heard := len(deaf.heard)) == 0 or deaf.heard[-1][-1] != 1999:
        deaf.take(0.0)
        crew.flush()
        assert len(deaf.heard) > heard
    assert deaf.heard[-2:] == [("office", link, "up", 1999) for link in ("fibre", "radio")]
    crew.close()


def test_a_single_worker_tells_nobody() -> None:
    crew, _ = crew_of(1)
    crew.tell(LinkFound("office", "fibre", "up", 0))
    crew.flush()


def test_a_report_finds_the_worker_that_it_is_about() -> None:
    crew, workers = crew_of(3)
    report = Report(1, 7, 0xABCD, 500, 400, 60_000, 20, 30, ((17, 3), (400, 1)))
    crew.tell(ReportHeard("office", report))
    crew.tell(ReportHeard("office", Report(3, 7, 0, 0, 0, 0, 0)))  # there is no such worker
    for worker in workers:
        worker.take(5.0)
    assert [worker.heard for worker in workers] == [[], [("office", report, 5.0)], []]
    crew.close()
