"""Traffic between two hosts of the lab, and what became of it, as values.

Each function starts its traffic and gives a `Running` at once; `Running.result` waits for the end.
"""

from __future__ import annotations

import json
import select
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from alagg.lab.namespace import LabError, finish, python

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alagg.lab.host import Host

Family = Literal[4, 6]
Result = TypeVar("Result")

_ANNOUNCE_TIMEOUT: Final = 20.0
_MODULE: Final = "alagg.lab.traffic"


@dataclass(frozen=True)
class Stream:
    """What became of numbered messages."""

    sent: int
    received: int
    """Different ones that arrived, or whose echo did."""
    duplicated: int
    """Arrivals beyond the first of each."""
    out_of_order: int
    refused: int
    """Of those sent: how many the sending host's kernel refused, for lack of a route for example."""
    longest_gap: float
    """Seconds of the longest silence between arrivals; with echoes, from the first message to the last."""
    rtt_p50: float | None = None
    """Median round trip in seconds; None without echoes."""
    rtt_p99: float | None = None

    @property
    def lost(self) -> int:
        """Messages that never arrived."""
        return self.sent - self.received


@dataclass(frozen=True)
class Transfer:
    """What became of a TCP transfer."""

    sent: int
    received: int
    """Bytes."""
    intact: bool
    """Whether both sides computed the same SHA-256."""
    seconds: float
    longest_stall: float
    """Seconds of the longest time in which the receiver got nothing."""
    problem: str = ""
    """Why it ended early; empty if it did not."""

    @property
    def goodput(self) -> float:
        """Bits per second."""
        return self.received * 8 / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Sizes:
    """What became of messages of several sizes."""

    sent: int
    lost: list[int]
    """Sizes whose echo did not arrive."""
    damaged: list[int]
    """Sizes whose echo had another content."""


class Running(Generic[Result]):
    """Traffic that flows, and the way to its result."""

    def __init__(
        self, client: subprocess.Popen[bytes], server: subprocess.Popen[bytes] | None,
        join: Callable[[dict[str, Any], dict[str, Any]], Result],
    ) -> None:
        self._client = client
        self._server = server
        self._join = join

    @property
    def flowing(self) -> bool:
        """Whether the sender is still at it."""
        return self._client.poll() is None

    def result(self, timeout: float = 120) -> Result:
        """Wait for the end and give the result.

        Raises:
            LabError: it did not end within `timeout` seconds, or a tool failed.
        """
        try:
            sent = _result(self._client, timeout)
            arrived = _result(self._server, timeout) if self._server else {}
        finally:
            self.stop()
        return self._join(sent, arrived)

    def enough(self) -> None:
        """Have a stream end early, with a result."""
        self._client.terminate()

    def stop(self) -> None:
        """End the traffic at once, without a result; once ended, nothing happens."""
        for process in filter(None, (self._client, self._server)):
            finish(process)


def ping(
    source: Host, target: Host, *, count: int, interval: float, size: int = 56, family: Family = 4, grace: float = 1.0
) -> Running[Stream]:
    """Send ICMP echo requests."""
    options = _options(protocol="icmp", count=count, interval=interval, size=size, grace=grace)
    return Running(_start(source, "echo", target.address(family), *options), None, _stream)


def messages(
    source: Host, target: Host, *, count: int, interval: float, size: int = 64, family: Family = 4,
    protocol: str = "udp", grace: float = 1.0,
) -> Running[Stream]:
    """Send messages over UDP, or over the IP protocol of a number such as "253", to a program that echoes them."""
    server, port = _serve(target, "echo-server", target.address(family), *_options(protocol=protocol))
    options = _options(protocol=protocol, port=port, count=count, interval=interval, size=size, grace=grace)
    return Running(_start(source, "echo", target.address(family), *options), server, _stream)


def stream(
    source: Host, target: Host, *, count: int, interval: float, size: int = 1000, family: Family = 4,
    seconds: float = 0.0, grace: float = 0.5,
) -> Running[Stream]:
    """Send UDP datagrams one way; with an `interval` of 0 as fast as it goes, for so many `seconds` at most."""
    server, port = _serve(target, "stream-server", target.address(family), *_options(grace=grace))
    options = _options(port=port, count=count, interval=interval, size=size, seconds=seconds)
    return Running(_start(source, "stream", target.address(family), *options), server, _stream)


def transfer(
    source: Host, target: Host, *, size: int, family: Family = 4, rate: float = 0, timeout: float = 60.0
) -> Running[Transfer]:
    """Send `size` bytes over TCP, paced to `rate` bits per second if that is not 0."""
    server, port = _serve(target, "transfer-server", target.address(family), *_options(timeout=timeout))
    options = _options(port=port, bytes=size, rate=int(rate), timeout=timeout)
    return Running(_start(source, "transfer", target.address(family), *options), server, _transfer)


def sizes(
    source: Host, target: Host, wanted: Sequence[int], *, family: Family = 4, protocol: str = "udp",
    grace: float = 1.0,
) -> Running[Sizes]:
    """Send one message of each size (bytes behind the IP or UDP header) to a program that echoes it, compare.

    Args:
        protocol: "udp", "icmp", or the number of an IP protocol such as "253".
    """
    server, port = None, 0
    if protocol != "icmp":
        server, port = _serve(target, "echo-server", target.address(family), *_options(protocol=protocol))
    options = _options(protocol=protocol, port=port, grace=grace, sizes=",".join(map(str, wanted)))
    return Running(
        _start(source, "sizes", target.address(family), *options), server, lambda sent, _: Sizes(**sent)
    )


# --- joining what both sides saw ----------------------------------------------------------------------------------


def _stream(sent: dict[str, Any], arrived: dict[str, Any]) -> Stream:
    values = {**arrived, **sent}
    return Stream(**{key: value for key, value in values.items() if key in Stream.__dataclass_fields__})


def _transfer(sent: dict[str, Any], arrived: dict[str, Any]) -> Transfer:
    return Transfer(
        sent=sent["bytes"], received=arrived["bytes"], seconds=sent["seconds"],
        intact=sent["sha256"] == arrived["sha256"] and not sent["problem"] + arrived["problem"],
        longest_stall=arrived["longest_stall"], problem=sent["problem"] or arrived["problem"],
    )


# --- processes ----------------------------------------------------------------------------------------------------


def _options(**values: object) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


def _start(host: Host, tool: str, address: str, *options: str) -> subprocess.Popen[bytes]:
    return host.popen(python(_MODULE, tool, address, *options))


def _serve(host: Host, tool: str, address: str, *options: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a tool and wait for the port on which it listens."""
    server = _start(host, tool, address, *options)
    assert server.stdout
    if select.select([server.stdout], (), (), _ANNOUNCE_TIMEOUT)[0] and (line := server.stdout.readline()):
        return server, json.loads(line)["port"]
    server.kill()
    raise LabError(f"{host.name}: {tool} did not start: {server.communicate()[1].decode()}")


def _result(process: subprocess.Popen[bytes], timeout: float) -> dict[str, Any]:
    with suppress(subprocess.TimeoutExpired):
        output, errors = process.communicate(timeout=timeout)
        if process.returncode:
            raise LabError(f"a traffic tool failed: {errors.decode()}")
        result: dict[str, Any] = json.loads(output.splitlines()[-1])
        return result
    raise LabError(f"traffic still flowed after {timeout:g} s: {process.args!r}")
