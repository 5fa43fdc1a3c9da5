"""The compiled poller beside its plain twin: who is ready, for how long it waits, and what it refuses."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import select
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from alagg.ports.poller import LARGEST, TIMER_SLACK
from tests.native.forms import FORMS, compiled
from tests.native.leak import ALLOWED, growth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

PR_GET_TIMERSLACK = 30


@pytest.fixture(params=FORMS)
def poller(request: pytest.FixtureRequest) -> Any:
    return FORMS[request.param]("poller").Poller()


@pytest.fixture
def pipes() -> Iterator[list[tuple[int, int]]]:
    made = [os.pipe() for _ in range(12)]
    yield made
    for end in {end for pipe in made for end in pipe}:
        try:
            os.close(end)
        except OSError:
            continue  # the test has closed it


def test_gives_the_ready_ones_in_the_order_of_their_registration(poller: Any, pipes: list[tuple[int, int]]) -> None:
    for reader, _ in reversed(pipes):
        poller.register(reader)
    assert poller.poll(0) == []
    for number in (3, 9, 5):
        os.write(pipes[number][1], b"x")
    assert poller.poll(0) == [pipes[number][0] for number in (9, 5, 3)]
    os.read(pipes[5][0], 1)
    assert poller.poll(1) == [pipes[number][0] for number in (9, 3)]


def test_unregistered_ones_are_not_told(poller: Any, pipes: list[tuple[int, int]]) -> None:
    for reader, writer in pipes:
        poller.register(reader)
        poller.register(reader)
        os.write(writer, b"x")
    for reader, _ in pipes[::2]:
        poller.unregister(reader)
    assert poller.poll(0) == [reader for reader, _ in pipes[1::2]]
    with pytest.raises(KeyError):
        poller.unregister(pipes[0][0])


def test_hung_up_and_closed_ones_are_ready(poller: Any, pipes: list[tuple[int, int]]) -> None:
    """Whoever waits for them learns of it by reading."""
    for reader, _ in pipes[:3]:
        poller.register(reader)
    os.close(pipes[0][1])
    assert poller.poll(0) == [pipes[0][0]]
    os.close(pipes[1][0])
    assert poller.poll(0) == [pipes[0][0], pipes[1][0]]
    poller.unregister(pipes[0][0])
    poller.unregister(pipes[1][0])
    assert poller.poll(0) == []


@pytest.mark.parametrize("seconds", [0.0002, 0.0013, 0.01])
def test_waits_as_long_as_it_was_told(poller: Any, pipes: list[tuple[int, int]], seconds: float) -> None:
    poller.register(pipes[0][0])
    before = time.monotonic()
    assert poller.poll(seconds) == []
    assert time.monotonic() - before >= seconds


@pytest.mark.parametrize("seconds", [0, 0.0, -1, -math.inf])
def test_no_time_is_no_wait(poller: Any, pipes: list[tuple[int, int]], seconds: float) -> None:
    poller.register(pipes[0][0])
    assert poller.poll(seconds) == []


@pytest.mark.parametrize("seconds", [math.inf, 1e300, 1e10])
def test_for_ever_ends_when_somebody_writes(poller: Any, pipes: list[tuple[int, int]], seconds: float) -> None:
    poller.register(pipes[0][0])
    with ThreadPoolExecutor() as pool:
        found = pool.submit(poller.poll, seconds)
        os.write(pipes[0][1], b"x")
        assert found.result(10) == [pipes[0][0]]


def test_what_is_no_time_is_refused(poller: Any) -> None:
    with pytest.raises(ValueError, match="not a time"):
        poller.poll(math.nan)


def test_negative_descriptor_is_refused(poller: Any) -> None:
    with pytest.raises(ValueError, match="negative"):
        poller.register(-1)


def test_descriptors_beyond_those_of_select(poller: Any, pipes: list[tuple[int, int]]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = LARGEST + 20
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the process may not have {wanted} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    high = os.dup2(pipes[1][0], LARGEST + 5)
    try:
        for descriptor in (pipes[0][0], high):
            poller.register(descriptor)
        assert poller.poll(0.0001) == []
        os.write(pipes[1][1], b"x")
        assert poller.poll(math.inf) == [high]
    finally:
        os.close(high)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("form", FORMS)
def test_timers_of_its_thread_are_exact(form: str) -> None:
    """The slack is a thread's own; this test's thread keeps the usual one."""

    def slack() -> int:
        FORMS[form]("poller").Poller()
        return int(ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0))

    with ThreadPoolExecutor() as pool:
        assert pool.submit(slack).result() == TIMER_SLACK


def test_signal_ends_the_wait(pipes: list[tuple[int, int]]) -> None:
    """A loop that wants to end looks at what its handler has left behind."""
    poller = compiled("poller").Poller()
    poller.register(pipes[0][0])
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    main = threading.main_thread().ident
    assert main
    timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1))
    try:
        timer.start()
        assert poller.poll(math.inf) == []
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def register_until_refused(poller: Any, descriptor: int, found: Future[list[int]]) -> None:
    while not found.done():
        poller.register(descriptor)


def test_nothing_changes_while_another_thread_polls(pipes: list[tuple[int, int]]) -> None:
    poller = compiled("poller").Poller()
    poller.register(pipes[0][0])
    with ThreadPoolExecutor() as pool:
        found = pool.submit(poller.poll, math.inf)
        try:
            with pytest.raises(RuntimeError, match="another thread"):
                register_until_refused(poller, pipes[0][0], found)
        finally:
            os.write(pipes[0][1], b"x")
        assert found.result(10) == [pipes[0][0]]


def test_nothing_is_kept(pipes: list[tuple[int, int]]) -> None:
    def use() -> None:
        poller = compiled("poller").Poller()
        for reader, _ in pipes:
            poller.register(reader)
        assert poller.poll(0) == [pipes[0][0]]
        poller.unregister(pipes[0][0])

    os.write(pipes[0][1], b"x")
    assert select.select([pipes[0][0]], (), (), 0)[0]
    assert growth(use) < ALLOWED
