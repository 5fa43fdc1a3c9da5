"""The heartbeat sees a processor that is taken away, and forgives no process that is just busy."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.netns.conftest import say
from tests.netns.heartbeat import Heartbeat

pytestmark = pytest.mark.netns

SPIN = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
if sys.argv[2] == "FIFO":
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
end = time.monotonic() + 0.3
while time.monotonic() < end: pass
"""


def pause(policy: str) -> float:
    """Give the longest pause while a process of a scheduling policy wants a processor for 0.3 s."""
    with Heartbeat() as heartbeat:
        time.sleep(0.05)
        cpu = max(os.sched_getaffinity(0))
        subprocess.run([sys.executable, "-c", SPIN, str(cpu), policy], check=True, timeout=10)
    return heartbeat.longest_pause


def test_a_processor_that_is_taken_away_is_seen_and_one_that_is_busy_is_not() -> None:
    taken, busy = pause("FIFO"), pause("OTHER")
    say(f"taken away: {taken * 1e3:.1f} ms, busy: {busy * 1e3:.1f} ms")
    assert taken > 0.2
    assert busy < taken / 2
