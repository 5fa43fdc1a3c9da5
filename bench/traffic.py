"""Load generators: small programs that run inside a host of the lab and print what they saw as one JSON line.

They differ from `alagg.lab.traffic` in what they are for: that one watches every message, these cost as little as
they can. Those that wait for the other side print `{"port": N}` first.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import struct
import sys
import time
from typing import Any, Final

from bench.machine import spent

MPTCP: Final = 262
"""IPPROTO_MPTCP; `socket` has the name only where the C library knew it when Python was built."""
STREAMS: Final = {"tcp": socket.IPPROTO_TCP, "mptcp": MPTCP}
BLOCK: Final = 1 << 17
"""Bytes of one read or write on a stream, as iperf3 has it."""
BUFFER: Final = 4 << 20
BURST: Final = 64
"""Datagrams between two looks at the clock at most."""
QUIET: Final = 0.2
"""Seconds of silence after which a datagram no longer comes."""

AFTER: Final = 0.2
"""Seconds that a sender of bytes goes on after the receiver has stopped counting."""

_NUMBER: Final = struct.Struct(">Q")
_LARGEST: Final = 65_536


# --- streams: as many bytes as possible, one way -------------------------------------------------------------------


def bulk_server(arguments: argparse.Namespace) -> dict[str, Any]:
    """Take bytes; after a warm-up count them, and what the processors spent, for so many seconds."""
    # The listener stays open: MPTCP's later subflows must find it.
    with _listen(arguments) as server:
        _announce(server)
        connection, _ = server.accept()
        with connection:
            buffer = bytearray(BLOCK)
            _take(connection, buffer, arguments.warm_up)
            before, start = spent(arguments.owner), time.monotonic()
            taken = _take(connection, buffer, arguments.seconds)
            seconds, cost = time.monotonic() - start, spent(arguments.owner) - before
            # To the end: closing on unread bytes is a reset, after which MPTCP's sender was seen to hang.
            while connection.recv_into(buffer):
                pass
    return {"bytes": taken, "seconds": seconds, "ours": cost.ours, "others": cost.others}


def _take(connection: socket.socket, buffer: bytearray, seconds: float) -> int:
    taken, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        size = connection.recv_into(buffer)
        if not size:
            raise ConnectionError("the other side ended too early")
        taken += size
    return taken


def bulk(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send bytes as fast as they are taken, a little longer than the server counts."""
    block, sent = bytes(BLOCK), 0
    with _connect(arguments) as connection:
        end = time.monotonic() + arguments.warm_up + arguments.seconds + AFTER
        while time.monotonic() < end:
            connection.sendall(block)
            sent += BLOCK
    return {"bytes": sent}


# --- datagrams: at a rate, one way ---------------------------------------------------------------------------------


def flood_server(arguments: argparse.Namespace) -> dict[str, Any]:
    """Count datagrams until standard input ends and nothing came for a while; each number counts once."""
    server = _datagrams(arguments.address)
    server.bind((arguments.address, 0))
    server.setblocking(False)
    _announce(server)
    seen = bytearray(arguments.count)
    first = last = 0.0
    inputs: list[Any] = [server, sys.stdin]
    while True:
        ready = select.select(inputs, (), (), None if sys.stdin in inputs else QUIET)[0]
        if server in ready:
            first = first or time.monotonic()
            _mark(server, seen)
            last = time.monotonic()
        elif not ready:
            return {"received": sum(seen), "seconds": last - first}
        if sys.stdin in ready:
            inputs = [server]


def _mark(server: socket.socket, seen: bytearray) -> None:
    """Read what waits."""
    receive, number_at = server.recv, _NUMBER.unpack_from
    try:
        while True:
            seen[number_at(receive(_LARGEST))[0]] = 1
    except BlockingIOError:
        return


def flood(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send numbered datagrams for so many seconds, `rate` of them a second; a rate of 0 is as fast as it goes.

    It sleeps in between, so at high rates several go out together. What it cannot send in time it leaves.
    """
    channel = _datagrams(arguments.address)
    channel.connect((arguments.address, arguments.port))
    send, pack, clock = channel.send, _NUMBER.pack, time.monotonic
    filler, rate = bytes(arguments.size - _NUMBER.size), arguments.rate
    number, start = 0, clock()
    while (gone := clock() - start) < arguments.seconds and number < arguments.count:
        due = int(gone * rate) + 1 if rate else number + BURST
        if due <= number:
            time.sleep(number / rate - gone)
        for one in range(number, min(due, number + BURST, arguments.count)):
            send(pack(one) + filler)
            number = one + 1
    return {"sent": number, "seconds": clock() - start}


# --- round trips ---------------------------------------------------------------------------------------------------


def pong(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send each message back until standard input ends (datagrams) or the other side closes (a stream)."""
    if arguments.protocol == "udp":
        server = _datagrams(arguments.address)
        server.bind((arguments.address, 0))
        _announce(server)
        # The first message says who asks; a connected socket has the least to do.
        message, origin = server.recvfrom(_LARGEST)
        server.connect(origin)
        server.send(message)
    else:
        with _listen(arguments) as listener:
            _announce(listener)
            server, _ = listener.accept()
    with server:
        while message := server.recv(_LARGEST):
            server.send(message)
    return {}


def ping(arguments: argparse.Namespace) -> dict[str, Any]:
    """Exchange one message after the other with pauses between; give the round trips in seconds, sorted."""
    if arguments.protocol == "udp":
        channel = _datagrams(arguments.address)
        channel.connect((arguments.address, arguments.port))
        channel.settimeout(1.0)
    else:
        channel = _connect(arguments)
    message, times = bytes(arguments.size), []
    with channel:
        for _ in range(arguments.count):
            time.sleep(arguments.pause)
            start = time.perf_counter()
            channel.send(message)
            channel.recv(_LARGEST)
            times.append(time.perf_counter() - start)
        if arguments.protocol == "udp":
            channel.send(b"")  # the end: a datagram of no bytes
    return {"times": sorted(times)}


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
    server.listen(1)
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
    parser.add_argument("--protocol", default="udp", choices=("udp", *STREAMS))
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds before counting begins")
    parser.add_argument("--size", type=int, default=64, help="bytes of a message, at least 8")
    parser.add_argument("--count", type=int, default=1000, help="messages at most")
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second")
    parser.add_argument("--pause", type=float, default=0.002, help="seconds between round trips")
    parser.add_argument("--owner", type=int, default=1, help="process whose descendants' time is counted as ours")
    arguments = parser.parse_args()
    _say(TOOLS[arguments.tool](arguments))


if __name__ == "__main__":
    main()
