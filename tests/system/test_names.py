"""Names are looked up beside the loop: what was found outlives a failure, and nobody waits."""

from __future__ import annotations

import select
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from alagg.messages import Names
from alagg.system.names import THREADS, Resolver, addresses

if TYPE_CHECKING:
    from collections.abc import Iterator


def await_names(resolver: Resolver) -> Names:
    assert select.select([resolver], (), (), 5)[0]
    return resolver.take()


def test_names_are_found_and_forgotten() -> None:
    with closing(Resolver(lambda name: (f"{name}-address",))) as resolver:
        resolver.keep(["one"])
        assert await_names(resolver) == Names({"one": ("one-address",)}, {})
        resolver.keep(["two"])
        assert resolver.names == Names({}, {})
        assert await_names(resolver) == Names({"two": ("two-address",)}, {})


def test_what_was_found_outlives_a_failure() -> None:
    answers: Iterator[tuple[str, ...] | OSError] = iter(
        (OSError(1, "nobody answers"), ("192.0.2.1",), OSError(1, "nobody answers"))
    )

    def find(_: str) -> tuple[str, ...]:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with closing(Resolver(find)) as resolver:
        resolver.keep(["hub"])
        assert await_names(resolver) == Names({}, {"hub": "nobody answers"})
        resolver.ask("hub")
        assert await_names(resolver) == Names({"hub": ("192.0.2.1",)}, {})
        resolver.ask("hub")
        assert await_names(resolver) == Names({"hub": ("192.0.2.1",)}, {"hub": "nobody answers"})


def test_slow_name_server_delays_neither_others_nor_the_end() -> None:
    release = threading.Event()

    def find(name: str) -> tuple[str, ...]:
        if name == "slow":
            release.wait(5)
        return (name,)

    resolver = Resolver(find)
    resolver.ask("slow")
    resolver.ask("slow")
    resolver.ask("quick")
    assert await_names(resolver).found == {"quick": ("quick",)}
    threads = list(resolver._threads)
    assert len(threads) <= THREADS
    resolver.close()
    release.set()
    for thread in threads:
        thread.join(5)
    resolver.close()


def test_nothing_found_yet() -> None:
    with closing(Resolver()) as resolver:
        assert resolver.take() == Names({}, {})


def test_system_knows_this_host() -> None:
    assert {"127.0.0.1", "::1"} & set(addresses("localhost"))
