"""The link emulator's process: moves every Ethernet frame between two interfaces, as its settings want.

It reads commands as JSON objects, one a line, from its standard input and answers each with one line:
`{"towards": [0, 1], "settings": {...}}` changes directions (0 leads to the first interface), `{}` only asks.
The answer is `{"counters": [{...}, {...}]}`, or `{"error": "..."}`. It ends when its input does.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import struct
import sys
import time
from dataclasses import asdict
from random import Random
from typing import Any, Final

from alagg.lab.impairment import DelayLine, Impairment, settings_from

_BATCH: Final = 64
_LARGEST: Final = 65_536 + 18
_BUFFER: Final = 32 << 20

# linux/if_packet.h, linux/if_ether.h, asm-generic/socket.h, linux/rtnetlink.h
_ETH_P_ALL: Final = 3
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_AUXDATA: Final = 8
_PACKET_IGNORE_OUTGOING: Final = 23
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
_RTMGRP_LINK: Final = 1
_AUXDATA: Final = struct.Struct("=IIIHHHH")
_TP_STATUS_VLAN_VALID: Final = 0x10
_TP_STATUS_VLAN_TPID_VALID: Final = 0x40
_ANCILLARY: Final = socket.CMSG_SPACE(_AUXDATA.size)


class Side:
    """One of the two interfaces; survives that it goes down, or is deleted and made again under its name."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self._index = 0
        self._socket: socket.socket | None = None
        self.follow()

    def fileno(self) -> int:
        """Give the descriptor to poll, -1 while there is no interface."""
        return self._socket.fileno() if self._socket else -1

    def follow(self) -> None:
        """Open the interface again if another one has its name now."""
        try:
            index = socket.if_nametoindex(self.interface)
        except OSError:
            index = 0
        if index == self._index:
            return
        if self._socket:
            self._socket.close()
        self._socket = _open(self.interface) if index else None
        self._index = index if self._socket else 0

    def receive(self) -> list[bytes]:
        """Give the frames that wait, at most a batch."""
        frames: list[bytes] = []
        if not self._socket:
            return frames
        receive = self._socket.recvmsg
        try:
            while len(frames) < _BATCH:
                frame, ancillary, _, _ = receive(_LARGEST, _ANCILLARY)
                frames.append(_with_tag(frame, ancillary[0][2]))
        except BlockingIOError:
            pass
        except OSError:
            # Down or gone, said once; `follow` opens it when it is back.
            pass
        return frames

    def send(self, frames: list[bytes]) -> int:
        """Send frames; give how many the interface took."""
        if not self._socket:
            return 0
        sent = 0
        send = self._socket.send
        for frame in frames:
            try:
                send(frame)
                sent += 1
            except OSError:
                continue
        return sent

    def overruns(self) -> int:
        """Give how many frames the kernel dropped since the last call, for want of room."""
        if not self._socket:
            return 0
        _, dropped = struct.unpack("=II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        return int(dropped)


def _open(interface: str) -> socket.socket | None:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.setblocking(False)
    opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    opened.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
    opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    opened.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _BUFFER)
    try:
        opened.bind((interface, _ETH_P_ALL))
    except OSError:
        opened.close()
        return None
    return opened


def _with_tag(frame: bytes, auxdata: bytes) -> bytes:
    """Put a VLAN tag back in, which the kernel takes out of what a packet socket reads."""
    status, _, _, _, _, tci, protocol = _AUXDATA.unpack(auxdata)
    if not status & _TP_STATUS_VLAN_VALID:
        return frame
    if not status & _TP_STATUS_VLAN_TPID_VALID:
        protocol = 0x8100
    return frame[:12] + struct.pack(">HH", protocol, tci) + frame[12:]


class Emulator:
    """Two interfaces and the two directions between them."""

    def __init__(self, interfaces: tuple[str, str], seed: int) -> None:
        self._sides = tuple(Side(interface) for interface in interfaces)
        self._lines = tuple(DelayLine(Impairment(Random(f"{seed}/{towards}"))) for towards in (0, 1))
        self._links = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._links.setblocking(False)
        self._links.bind((0, _RTMGRP_LINK))

    def run(self, commands: int, answers: int) -> None:
        """Forward until the commands end."""
        os.set_blocking(commands, False)
        os.write(answers, _line({"counters": []}))
        rest = b""
        while True:
            ready = self._wait(commands)
            if self._links.fileno() in ready:
                self._follow()
            self._forward()
            if commands in ready:
                read = os.read(commands, 65536)
                if not read:
                    return
                *lines, rest = (rest + read).split(b"\n")
                for line in lines:
                    os.write(answers, _line(self._obey(line)))

    def _wait(self, commands: int) -> list[int]:
        """Wait for frames, commands, changes of interfaces, or the next arrival."""
        waiting = [line.next_at for line in self._lines if line.next_at is not None]
        timeout = max(0.0, min(waiting) - time.monotonic()) if waiting else None
        inputs = [commands, self._links.fileno(), *(side.fileno() for side in self._sides if side.fileno() >= 0)]
        # select, since its timeout is finer than poll's milliseconds.
        return select.select(inputs, (), (), timeout)[0]

    def _forward(self) -> None:
        for towards, line in enumerate(self._lines):
            frames = self._sides[1 - towards].receive()
            now = time.monotonic()
            arrived = line.put(frames, now) if frames else line.due(now)
            if arrived:
                sent = self._sides[towards].send(arrived)
                line.impairment.counters.sent += sent
                line.impairment.counters.unsent += len(arrived) - sent

    def _follow(self) -> None:
        try:
            while self._links.recv(65536):
                pass
        except OSError:
            # Empty; or it overran, and then what was lost is just as well looked up below.
            pass
        for side in self._sides:
            side.follow()

    def _obey(self, command: bytes) -> dict[str, Any]:
        try:
            wanted = json.loads(command)
            for towards in wanted.get("towards", ()):
                self._lines[towards].impairment.settings = settings_from(wanted["settings"])
        except (ValueError, TypeError) as error:
            return {"error": str(error)}
        return {"counters": [self._counters(towards) for towards in (0, 1)]}

    def _counters(self, towards: int) -> dict[str, int]:
        line = self._lines[towards]
        line.impairment.counters.overrun += self._sides[1 - towards].overruns()
        return {**asdict(line.impairment.counters), "waiting": len(line)}


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def main() -> int:
    """Run the emulator between two interfaces of this network namespace."""
    parser = argparse.ArgumentParser(prog="python -m alagg.lab.emulator", description=main.__doc__)
    parser.add_argument("interfaces", nargs=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    Emulator(tuple(arguments.interfaces), arguments.seed).run(sys.stdin.fileno(), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
