"""The timer is readable at each of its times, and not before."""

from __future__ import annotations

import errno
import os
import resource
import select
import time

import pytest

from alagg.ports.timer import Ticker


def readable(ticker: Ticker, seconds: float = 0) -> bool:
    return bool(select.select([ticker], (), (), seconds)[0])


def test_is_readable_once_for_each_interval() -> None:
    before = time.monotonic()
    ticker = Ticker(0.02)
    for number in (1, 2, 3):
        assert readable(ticker, 5)
        assert time.monotonic() - before >= 0.02 * number
        ticker.take()
    ticker.close()


def test_is_silent_until_then() -> None:
    ticker = Ticker(3600.5)
    assert not readable(ticker)
    ticker.take()
    assert not readable(ticker)
    ticker.close()
    ticker.close()
    assert ticker.fileno() == -1


def test_process_without_descriptors_is_told() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        with pytest.raises(OSError, match="Too many open files") as caught:
            Ticker(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert caught.value.errno == errno.EMFILE
