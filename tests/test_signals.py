"""Signals become readable, in their order, and are the process' own again afterwards."""

from __future__ import annotations

import os
import select
import signal
from contextlib import ExitStack

from alagg.signals import Signals


def test_signals_are_taken_in_order_and_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with ExitStack() as stack:
        signals = Signals(stack)
        assert signals.take() == []
        for number in (signal.SIGHUP, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert select.select([signals], (), (), 5.0)[0]
        assert signals.take() == [signal.SIGHUP, signal.SIGTERM]
        assert signals.take() == []
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before
