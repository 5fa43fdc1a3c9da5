"""What the processors spent, and on whose account."""

from __future__ import annotations

import json
import os
import time

from bench.machine import Process, Spent, facts, others_of, processes, spent


def test_descendants_and_the_kernel_are_ours() -> None:
    every = {
        1: Process(parent=0, kernel=False, ticks=1),
        2: Process(parent=0, kernel=True, ticks=2),
        3: Process(parent=2, kernel=True, ticks=4),
        10: Process(parent=1, kernel=False, ticks=8),
        11: Process(parent=10, kernel=False, ticks=16),
        12: Process(parent=11, kernel=False, ticks=32),
        20: Process(parent=1, kernel=False, ticks=64),
    }
    assert others_of(every, 10) == 1 + 64
    assert others_of(every, 12) == 1 + 8 + 16 + 64


def test_what_we_burn_is_ours_and_not_the_others() -> None:
    before = spent(os.getpid())
    end = time.process_time() + 0.5
    while time.process_time() < end:
        pass
    cost = spent(os.getpid()) - before
    # Ticks of 10 ms; the machine's other work may add to the total.
    assert cost.ours >= 0.2
    assert cost.total >= cost.ours


def test_this_process_is_listed() -> None:
    assert processes()[os.getpid()].parent == os.getppid()


def test_difference() -> None:
    assert Spent(10, 4) - Spent(7, 3) == Spent(3, 1)
    assert Spent(10, 4).ours == 6


def test_facts_can_be_written_as_json() -> None:
    known = json.loads(json.dumps(facts()))
    assert known["processors"] == os.cpu_count()
    assert known["memory_bytes"] > 1 << 20
    assert known["others_load"] >= 0
