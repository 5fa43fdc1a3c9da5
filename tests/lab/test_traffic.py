"""What the traffic tools count: tables for the tallies, and the tools themselves on the loopback interface."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from alagg.lab.namespace import environment, python
from alagg.lab.traffic import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("arrivals", "received", "duplicated", "out_of_order"),
    [
        ([], 0, 0, 0),
        ([0, 1, 2], 3, 0, 0),
        ([0, 0, 1, 1, 1], 2, 3, 0),
        ([1, 0, 2], 3, 0, 1),
        ([3, 2, 1, 0], 4, 0, 3),
        ([5, 5, 4, 4], 2, 2, 1),
    ],
)
def test_tallies(arrivals: list[int], received: int, duplicated: int, out_of_order: int) -> None:
    tally = Tally()
    for number in arrivals:
        tally.add(number, 0.0)
    assert (tally.received, tally.duplicated, tally.out_of_order) == (received, duplicated, out_of_order)


def test_the_longest_gap_is_between_neighbours_in_time() -> None:
    tally = Tally()
    for number, now in enumerate((1.0, 1.1, 1.5, 1.6)):
        tally.add(number, now)
    assert tally.longest_gap == pytest.approx(0.4)
    tally.silence(2.6)
    assert tally.longest_gap == pytest.approx(1.0)


def start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        python("alagg.lab.traffic", *command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    )


def result(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


@pytest.fixture(params=["127.0.0.1", "::1"])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(address: str, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    process = start(request.param, address)
    assert process.stdout
    yield process, f"--port={json.loads(process.stdout.readline())['port']}"
    process.kill()
    process.communicate()


Server = tuple[subprocess.Popen[bytes], str]


@pytest.mark.parametrize("server", ["echo-server"], indirect=True)
def test_messages_are_echoed(address: str, server: Server) -> None:
    seen = result(start("echo", address, server[1], "--count=50", "--interval=0.001"))
    assert (seen["sent"], seen["received"], seen["duplicated"], seen["refused"]) == (50, 50, 0, 0)
    assert 0 < seen["rtt_p50"] <= seen["rtt_p99"]
    assert result(server[0]) == {"echoed": 50}


@pytest.mark.parametrize("server", ["echo-server"], indirect=True)
def test_sizes_are_compared(address: str, server: Server) -> None:
    largest = 65507 if ":" not in address else 65527
    wanted = [0, 1, 100, largest, largest + 1]
    seen = result(start("sizes", address, server[1], f"--sizes={','.join(map(str, wanted))}", "--grace=0.2"))
    assert seen == {"sent": 5, "lost": [largest + 1], "damaged": []}


@pytest.mark.parametrize("server", ["stream-server"], indirect=True)
def test_streams_are_counted_where_they_arrive(address: str, server: Server) -> None:
    sent = result(start("stream", address, server[1], "--count=100", "--interval=0.001"))
    assert (sent["sent"], sent["refused"]) == (100, 0)
    seen = result(server[0])
    assert (seen["received"], seen["duplicated"], seen["out_of_order"]) == (100, 0, 0)


@pytest.mark.parametrize("server", ["transfer-server"], indirect=True)
def test_transfers_are_hashed_on_both_sides(address: str, server: Server) -> None:
    sent = result(start("transfer", address, server[1], "--bytes=1234567"))
    seen = result(server[0])
    assert sent["bytes"] == seen["bytes"] == 1234567
    assert sent["sha256"] == seen["sha256"]
    assert sent["problem"] == seen["problem"] == ""


def test_nobody_answers() -> None:
    seen = result(start("echo", "127.0.0.1", "--port=9", "--count=5", "--interval=0.001", "--grace=0.05"))
    assert (seen["sent"], seen["received"], seen["rtt_p50"]) == (5, 0, None)


def test_a_transfer_to_nobody_says_what_was_wrong() -> None:
    assert "sender: " in result(start("transfer", "127.0.0.1", "--port=9", "--bytes=5"))["problem"]
