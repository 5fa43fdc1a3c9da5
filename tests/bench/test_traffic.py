"""The load generators, against each other over loopback and for fractions of a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from alagg.lab.namespace import environment


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.traffic", *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(),
    )


def result(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    values: dict[str, Any] = json.loads(output)
    return values


def exchange(server: str, client: str, *options: object, address: str = "127.0.0.1") -> tuple[Any, Any]:
    with start(server, address, *options) as serving:
        assert serving.stdout
        port = json.loads(serving.stdout.readline())["port"]
        with start(client, address, f"--port={port}", *options) as asking:
            sent = result(asking)
        return sent, result(serving)


def test_bulk_counts_bytes_within_its_window() -> None:
    sent, arrived = exchange(
        "bulk-server", "bulk", "--protocol=tcp", "--seconds=0.5", "--warm-up=0.05", f"--owner={os.getpid()}"
    )
    assert 0 < arrived["bytes"] < sent["bytes"]
    assert arrived["seconds"] >= 0.5
    assert arrived["others"] >= 0


def test_all_flows_are_counted() -> None:
    sent, arrived = exchange(
        "bulk-server", "bulk", "--protocol=tcp", "--flows=5", "--seconds=0.5", "--warm-up=0.05",
        f"--owner={os.getpid()}",
    )
    assert 0 < arrived["bytes"] < sent["bytes"]


def test_flood_keeps_to_its_rate_and_loses_nothing_when_slow() -> None:
    sent, arrived = exchange("flood-server", "flood", "--rate=1000", "--seconds=0.3", "--count=1000")
    assert arrived["received"] == sent["sent"]
    # A busy machine may make it slower, never faster.
    assert sent["sent"] <= 1000 * sent["seconds"] + 1


def test_flood_without_a_rate_sends_up_to_its_count() -> None:
    sent, _ = exchange("flood-server", "flood", "--seconds=5", "--count=500", "--size=8")
    assert sent["sent"] == 500


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_round_trips(address: str) -> None:
    answer, _ = exchange("pong", "ping", "--count=20", "--pause=0.001", address=address)
    times = answer["times"]
    assert len(times) == 20
    assert times == sorted(times)
    assert times[0] > 0
    assert answer["lost"] == 0


def test_a_message_that_was_not_sent_is_not_lost() -> None:
    answer, _ = exchange("pong", "ping", "--count=100000", "--seconds=0.1")
    assert answer["lost"] == 0
    assert 0 < len(answer["times"]) < 100_000


def test_a_lost_sender_is_an_error() -> None:
    with start("bulk-server", "127.0.0.1", "--protocol=tcp") as serving:
        assert serving.stdout
        port = json.loads(serving.stdout.readline())["port"]
        with start("bulk", "127.0.0.1", f"--port={port}", "--protocol=tcp", "--seconds=0.1", "--warm-up=0"):
            pass
        assert serving.wait(20) != 0
