"""A flood of small UDP datagrams, as many as go; prints how many it sent.

With `--listen` it is the other end: a socket that nobody reads, so that the kernel drops and counts what arrives.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
from typing import Final

PORT: Final = 9
SIZE: Final = 64
BURST: Final = 100
"""Datagrams between two looks at the clock."""
SO_SNDBUFFORCE: Final = 32
SEND_BUFFER: Final = 256 << 20
"""Bytes that may wait for the node: with a small buffer the socket would wait with them, and there would never be
too much. (Large sends that the kernel cuts into datagrams would cost less, but it counts only the first that it
drops of each.)"""


def flood(address: str, seconds: float) -> int:
    """Send for so many seconds; give how many datagrams the kernel took."""
    sent, data = 0, bytes(SIZE)
    with _socket(address) as flooded:
        flooded.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER)
        flooded.connect((address, PORT))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(BURST):
                flooded.send(data)
            sent += BURST
    return sent


def listen(address: str) -> None:
    """Hold the port until the input ends."""
    with _socket(address) as held:
        held.bind((address, PORT))
        _say({"port": PORT})
        sys.stdin.read()


def _socket(address: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def _say(values: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.netns.flooder", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--listen", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    if arguments.listen:
        listen(arguments.address)
    else:
        _say({"sent": flood(arguments.address, arguments.seconds)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
