"""Load generators: small programs that run inside a host of the lab and print what they saw as one JSON line.

They differ from `alagg.lab.traffic` in what they are for: that one watches every message, these cost as little as
they can. Those that wait for the other side print `{"port": N}` first.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import select
import socket
import struct
import sys
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn

from bench.machine import spent
from bench.native import Flood

if TYPE_CHECKING:
    from collections.abc import Iterable

MPTCP: Final = 262
"""IPPROTO_MPTCP; `socket` has the name only where the C library knew it when Python was built."""
STREAMS: Final = {"tcp": socket.IPPROTO_TCP, "mptcp": MPTCP}
BLOCK: Final = 1 << 17
"""Bytes of one read or write on a stream, as iperf3 has it."""
BUFFER: Final = 4 << 20
QUIET: Final = 0.2
"""Seconds of silence after which a datagram no longer comes."""

DRAIN: Final = 3.0
"""Seconds of silence after which a server gives up."""
LATE: Final = 0.5
"""Seconds after which the answer to a datagram counts as lost."""
AFTER: Final = 0.2
"""Seconds that a sender of bytes goes on after the receiver has stopped counting."""

_NUMBER: Final = struct.Struct(">Q")
_LARGEST: Final = 65_536


# --- streams: as many bytes as possible, one way -------------------------------------------------------------------


def bulk_server(arguments: argparse.Namespace) -> dict[str, Any]:
    """Take bytes on all flows; after a warm-up count them, and what the processors spent, for so many seconds."""
    # The listener stays open: MPTCP's later subflows must find it.
    with _listen(arguments) as server, ExitStack() as stack:
        _announce(server)
        flows = _Flows(stack.enter_context(server.accept()[0]) for _ in range(arguments.flows))
        flows.take(arguments.warm_up)
        before, start = spent(arguments.owner), time.monotonic()
        taken = flows.take(arguments.seconds)
        seconds, cost = time.monotonic() - start, spent(arguments.owner) - before
        # To the end: closing on unread bytes is a reset, after which MPTCP's sender was seen to hang.
        flows.drain()
    return {"bytes": taken, "seconds": seconds, "ours": cost.ours, "others": cost.others}


class _Flows:
    """The connections of one server, read as their bytes come."""

    def __init__(self, connections: Iterable[socket.socket]) -> None:
        self._open = {connection.fileno(): connection for connection in connections}
        self._buffer = bytearray(BLOCK)
        self._poll = select.epoll()
        for descriptor in self._open:
            self._poll.register(descriptor, select.EPOLLIN)

    def take(self, seconds: float) -> int:
        """Read for so many seconds; give the bytes."""
        taken, end = 0, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(left):
                size = self._open[descriptor].recv_into(self._buffer)
                if not size:
                    raise ConnectionError("the other side ended too early")
                taken += size
        return taken

    def drain(self) -> None:
        """Read until the other side has closed every connection."""
        while self._open:
            for descriptor, _ in self._poll.poll(DRAIN) or self._give_up():
                if not self._open[descriptor].recv_into(self._buffer):
                    self._poll.unregister(descriptor)
                    del self._open[descriptor]

    @staticmethod
    def _give_up() -> NoReturn:
        raise ConnectionError(f"the other side neither sends nor closes for {DRAIN:g} s")


def bulk(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send bytes on all flows as fast as they are taken, a little longer than the server counts."""
    block, sent = bytes(BLOCK), 0
    with ExitStack() as stack:
        flows = {flow.fileno(): flow for flow in
                 (stack.enter_context(_connect(arguments)) for _ in range(arguments.flows))}
        poll = select.epoll()
        for descriptor, flow in flows.items():
            flow.setblocking(False)
            poll.register(descriptor, select.EPOLLOUT)
        end = time.monotonic() + arguments.warm_up + arguments.seconds + AFTER
        while (left := end - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left):
                with suppress(BlockingIOError):
                    sent += flows[descriptor].send(block)
    return {"bytes": sent}


# --- datagrams: at a rate, one way ---------------------------------------------------------------------------------


def flood_server(arguments: argparse.Namespace) -> dict[str, Any]:
    """Count datagrams until standard input ends and nothing came for a while; each number counts once."""
    server = _datagrams(arguments.address)
    server.bind((arguments.address, 0))
    native, seen = Flood(), ctypes.create_string_buffer(arguments.count)
    _announce(server)
    first = last = 0.0
    inputs: list[Any] = [server, sys.stdin]
    while True:
        ready = select.select(inputs, (), (), None if sys.stdin in inputs else QUIET)[0]
        if server in ready:
            first = first or time.monotonic()
            native.mark(server.fileno(), seen)
            last = time.monotonic()
        elif not ready:
            return {"received": sum(seen.raw), "seconds": last - first}
        if sys.stdin in ready:
            inputs = [server]


def flood(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send numbered datagrams for so many seconds, `rate` of them a second; a rate of 0 is as fast as it goes."""
    with _datagrams(arguments.address) as channel:
        channel.connect((arguments.address, arguments.port))
        sent, seconds = Flood().send(
            channel.fileno(), arguments.size, arguments.rate, arguments.seconds, arguments.count
        )
    return {"sent": sent, "seconds": seconds}


# --- round trips ---------------------------------------------------------------------------------------------------


def pong(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send each datagram back until an empty one comes."""
    server = _datagrams(arguments.address)
    server.bind((arguments.address, 0))
    _announce(server)
    # The first message says who asks; a connected socket has the least to do.
    message, origin = server.recvfrom(_LARGEST)
    server.connect(origin)
    server.settimeout(DRAIN)
    server.send(message)
    # The datagram of no bytes, the end, may get lost.
    with server, suppress(TimeoutError):
        while message := server.recv(_LARGEST):
            server.send(message)
    return {}


def ping(arguments: argparse.Namespace) -> dict[str, Any]:
    """Exchange one datagram after the other with pauses between; give the round trips in seconds, sorted."""
    filler, times, sent = bytes(arguments.size - _NUMBER.size), [], 0
    end = time.monotonic() + arguments.seconds
    with _datagrams(arguments.address) as channel:
        channel.connect((arguments.address, arguments.port))
        channel.settimeout(LATE)
        for number in range(arguments.count):
            if time.monotonic() > end:
                break
            time.sleep(arguments.pause)
            start = time.perf_counter()
            channel.send(_NUMBER.pack(number) + filler)
            sent += 1
            if _answered(channel, number):
                times.append(time.perf_counter() - start)
        channel.send(b"")
    return {"times": sorted(times), "lost": sent - len(times)}


def _answered(channel: socket.socket, number: int) -> bool:
    """Wait for the answer to a message; answers to earlier ones, given up as lost, are passed over."""
    try:
        while _NUMBER.unpack_from(channel.recv(_LARGEST))[0] != number:
            pass
    except TimeoutError:
        return False
    return True


# --- sockets -------------------------------------------------------------------------------------------------------


def _datagrams(address: str) -> socket.socket:
    opened = socket.socket(_family(address), socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return opened


def _listen(arguments: argparse.Namespace) -> socket.socket:
    server = socket.socket(_family(arguments.address), socket.SOCK_STREAM, STREAMS[arguments.protocol])
    server.settimeout(20)
    # On every address: MPTCP's second subflow comes to another one than the first.
    server.bind(("", 0))
    server.listen(arguments.flows)
    return server


def _connect(arguments: argparse.Namespace) -> socket.socket:
    connection = socket.socket(_family(arguments.address), socket.SOCK_STREAM, STREAMS[arguments.protocol])
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.connect((arguments.address, arguments.port))
    return connection


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _announce(server: socket.socket) -> None:
    _say({"port": server.getsockname()[1]})


def _say(values: dict[str, Any]) -> None:
    print(json.dumps(values), flush=True)


TOOLS: Final = {
    "bulk": bulk, "bulk-server": bulk_server, "flood": flood, "flood-server": flood_server, "ping": ping,
    "pong": pong,
}


def main() -> None:
    """Run one tool and print its result."""
    parser = argparse.ArgumentParser(prog="python -m bench.traffic", description=__doc__)
    parser.add_argument("tool", choices=sorted(TOOLS))
    parser.add_argument("address", help="where to send to, or for a server, the address to listen on")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--protocol", default="tcp", choices=sorted(STREAMS), help="of the streams")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--flows", type=int, default=1, help="connections at once")
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds before counting begins")
    parser.add_argument("--size", type=int, default=64, help="bytes of a message, at least 8")
    parser.add_argument("--count", type=int, default=1000, help="messages at most")
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second")
    parser.add_argument("--pause", type=float, default=0.001, help="seconds between round trips")
    parser.add_argument("--owner", type=int, default=1, help="process whose descendants' time is counted as ours")
    arguments = parser.parse_args()
    _say(TOOLS[arguments.tool](arguments))


if __name__ == "__main__":
    main()
