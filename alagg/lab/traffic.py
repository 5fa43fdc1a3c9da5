"""Real traffic for the lab: small tools that run inside a host and print what they saw as one JSON line.

A tool that waits for the other side first prints a line `{"port": N}`, and ends when its standard input does.
`alagg.lab.measure` starts them in pairs and joins what both sides saw.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from alagg.lab.channel import LARGEST, UdpChannel, open_channel, open_socket, without_header

if TYPE_CHECKING:
    from alagg.lab.channel import Channel

_TCP_BLOCK: Final = 1 << 18
_SO_MAX_PACING_RATE: Final = 47
_PROBE: Final = struct.Struct(">QQ")
"""Sequence and time of sending in nanoseconds: how each message begins."""


# --- tallies ------------------------------------------------------------------------------------------------------


class Tally:
    """Which sequences arrived, how often, in which order, and the longest silence in between."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._highest = -1
        self.duplicated = 0
        self.out_of_order = 0
        self.longest_gap = 0.0
        self.last: float | None = None

    @property
    def received(self) -> int:
        """How many different sequences arrived."""
        return len(self._seen)

    def add(self, sequence: int, now: float) -> bool:
        """Count an arrival; tell whether it was the sequence's first."""
        self.silence(now)
        self.last = now
        if sequence in self._seen:
            self.duplicated += 1
            return False
        self._seen.add(sequence)
        self.out_of_order += sequence < self._highest
        self._highest = max(self._highest, sequence)
        return True

    def silence(self, now: float) -> None:
        """Count the time since the last arrival as a gap."""
        if self.last is not None:
            self.longest_gap = max(self.longest_gap, now - self.last)

    def result(self) -> dict[str, Any]:
        """Give the counts by their names."""
        return {
            "received": self.received, "duplicated": self.duplicated, "out_of_order": self.out_of_order,
            "longest_gap": self.longest_gap,
        }


# --- the tools ----------------------------------------------------------------------------------------------------


def echo(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send numbered messages at a fixed pace, each to be echoed, and tell what became of them."""
    channel = open_channel(arguments.protocol, arguments.address, arguments.port)
    count = arguments.count
    filler = bytes(max(0, arguments.size - _PROBE.size))
    tally, refused = Tally(), 0
    times: list[float] = []
    start = tally.last = time.monotonic()
    for number in range(count):
        _listen(channel, start + number * arguments.interval, tally, times)
        try:
            channel.send(_PROBE.pack(number, time.monotonic_ns()) + filler)
        except OSError:
            refused += 1
    _listen(channel, start + count * arguments.interval, tally, times)
    tally.silence(time.monotonic())
    longest_gap = tally.longest_gap
    end = time.monotonic() + arguments.grace
    # The last echoes, and a moment more for duplicates of them.
    _listen(channel, end, tally, times, until=count)
    _listen(channel, min(end, time.monotonic() + 0.2), tally, times)
    times.sort()
    return {
        **tally.result(), "longest_gap": longest_gap, "sent": count, "refused": refused,
        "rtt_p50": times[len(times) // 2] if times else None,
        "rtt_p99": times[len(times) * 99 // 100] if times else None,
    }


def _listen(channel: Channel, deadline: float, tally: Tally, times: list[float], until: int = sys.maxsize) -> None:
    """Count the echoes that arrive before the deadline, or until so many different ones did."""
    while tally.received < until:
        left = deadline - time.monotonic()
        if not select.select([channel], (), (), max(0.0, left))[0]:
            return
        message = channel.receive()
        now = time.monotonic_ns()
        if message is not None and len(message) >= _PROBE.size:
            number, sent_at = _PROBE.unpack_from(message)
            if tally.add(number, now / 1e9):
                times.append((now - sent_at) / 1e9)
        if left <= 0:
            return


def echo_server(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send each datagram back to where it came from."""
    if arguments.protocol == "udp":
        server = open_socket(arguments.address, socket.SOCK_DGRAM)
    else:
        server = open_socket(arguments.address, socket.SOCK_RAW, int(arguments.protocol))
    server.bind((arguments.address, 0))
    _announce(server)
    echoed = 0
    while sys.stdin not in select.select([server, sys.stdin], (), ())[0]:
        packet, source = server.recvfrom(LARGEST)
        if arguments.protocol != "udp":
            packet = without_header(packet, arguments.address)
            if packet[:1] != b"?":
                continue
            packet = b"!" + packet[1:]
        try:
            server.sendto(packet, source)
            echoed += 1
        except OSError:
            continue
    return {"echoed": echoed}


def sizes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send one message of each size and compare its echo byte by byte."""
    channel = open_channel(arguments.protocol, arguments.address, arguments.port)
    lost: list[int] = []
    damaged: list[int] = []
    block = os.urandom(LARGEST)
    for size in arguments.sizes:
        message = block[size:] + block[:size]
        message = message[: size - channel.overhead] if size >= channel.overhead else b""
        echoes = _exchange(channel, message, arguments.grace)
        if message not in echoes:
            (damaged if echoes else lost).append(size)
    return {"sent": len(arguments.sizes), "lost": lost, "damaged": damaged}


def _exchange(channel: Channel, message: bytes, grace: float) -> list[bytes]:
    """Send a message, give its echo; or, when it does not come, what else of its size arrived."""
    others: list[bytes] = []
    try:
        channel.send(message)
    except OSError:
        return others
    deadline = time.monotonic() + grace
    while select.select([channel], (), (), max(0.0, deadline - time.monotonic()))[0]:
        got = channel.receive()
        if got == message:
            return [got]
        if got is not None and len(got) == len(message):
            others.append(got)
    return others


def stream(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send numbered datagrams one way at a fixed pace; `interval` 0 sends as fast as it goes. SIGTERM is the end."""
    enough: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: enough.append(number))
    channel = UdpChannel(arguments.address, arguments.port)
    filler = bytes(max(0, arguments.size - _PROBE.size))
    refused, number = 0, 0
    start = time.monotonic()
    for number in range(1, arguments.count + 1):
        try:
            channel.send(_PROBE.pack(number, time.monotonic_ns()) + filler)
        except OSError:
            refused += 1
        if arguments.interval:
            time.sleep(max(0.0, start + number * arguments.interval - time.monotonic()))
        elif arguments.seconds and time.monotonic() - start > arguments.seconds:
            break
        if enough:
            break
    return {"sent": number, "refused": refused, "seconds": time.monotonic() - start}


def stream_server(arguments: argparse.Namespace) -> dict[str, Any]:
    """Count the numbered datagrams that arrive."""
    server = open_socket(arguments.address, socket.SOCK_DGRAM)
    server.bind((arguments.address, 0))
    _announce(server)
    tally = Tally()
    stopping = False
    while True:
        inputs = [server] if stopping else [server, sys.stdin]
        ready = select.select(inputs, (), (), arguments.grace if stopping else None)[0]
        if server in ready:
            tally.add(_PROBE.unpack_from(server.recv(LARGEST))[0], time.monotonic())
        elif stopping:
            return tally.result()
        stopping = stopping or sys.stdin in ready


def transfer(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send bytes over TCP and hash them on the way."""
    connection = _socket_tcp(arguments)
    block = os.urandom(_TCP_BLOCK)
    digest, sent, start, problem = hashlib.sha256(), 0, time.monotonic(), ""
    try:
        connection.connect((arguments.address, arguments.port))
        while sent < arguments.bytes:
            # Each block says where it belongs, so that one in the wrong place changes the sum.
            piece = (sent.to_bytes(8, "big") + block[8:])[: arguments.bytes - sent]
            connection.sendall(piece)
            digest.update(piece)
            sent += len(piece)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    except OSError as error:
        problem = f"sender: {error}"
    return {"bytes": sent, "sha256": digest.hexdigest(), "seconds": time.monotonic() - start, "problem": problem}


def _socket_tcp(arguments: argparse.Namespace) -> socket.socket:
    connection = socket.socket(socket.AF_INET6 if ":" in arguments.address else socket.AF_INET)
    connection.settimeout(arguments.timeout)
    if arguments.rate:
        connection.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, arguments.rate // 8)
    return connection


def transfer_server(arguments: argparse.Namespace) -> dict[str, Any]:
    """Take the bytes of one TCP connection, hash them, and note the longest time without any."""
    server = socket.create_server(
        (arguments.address, 0), family=socket.AF_INET6 if ":" in arguments.address else socket.AF_INET
    )
    server.settimeout(arguments.timeout)
    _announce(server)
    digest, received, stall, problem = hashlib.sha256(), 0, 0.0, ""
    buffer = bytearray(_TCP_BLOCK)
    last = time.monotonic()
    try:
        connection, _ = server.accept()
        connection.settimeout(arguments.timeout)
        last = time.monotonic()
        while size := connection.recv_into(buffer):
            now = time.monotonic()
            stall, last = max(stall, now - last), now
            digest.update(memoryview(buffer)[:size])
            received += size
        connection.close()
    except OSError as error:
        problem = f"receiver: {error}"
        stall = max(stall, time.monotonic() - last)
    return {"bytes": received, "sha256": digest.hexdigest(), "longest_stall": stall, "problem": problem}


def _announce(server: socket.socket) -> None:
    _say({"port": server.getsockname()[1]})


def _say(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


_TOOLS: Final = {
    "echo": echo, "echo-server": echo_server, "sizes": sizes, "stream": stream, "stream-server": stream_server,
    "transfer": transfer, "transfer-server": transfer_server,
}


def main() -> int:
    """Run one tool and print its result."""
    parser = argparse.ArgumentParser(prog="python -m alagg.lab.traffic", description=__doc__)
    parser.add_argument("tool", choices=sorted(_TOOLS))
    parser.add_argument("address", help="where to send to, or for a server, the address to listen on")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--protocol", default="udp", help="udp, icmp, or the number of an IP protocol")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--interval", type=float, default=0.01, help="seconds from one message to the next")
    parser.add_argument("--size", type=int, default=64, help="bytes of a message, at least 16")
    parser.add_argument("--sizes", type=lambda text: [int(part) for part in text.split(",")], default=[])
    parser.add_argument("--grace", type=float, default=1.0, help="seconds to wait for what is late")
    parser.add_argument("--seconds", type=float, default=0.0, help="end a stream after this time")
    parser.add_argument("--bytes", type=int, default=1 << 20)
    parser.add_argument("--rate", type=int, default=0, help="pace a transfer to this many bits per second")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds without progress that end a transfer")
    arguments = parser.parse_args()
    _say(_TOOLS[arguments.tool](arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
