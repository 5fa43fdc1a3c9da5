"""Sends and receives one VLAN-tagged Ethernet frame; run inside a lab's host by the emulator's test."""

from __future__ import annotations

import socket
import sys

from alagg.lab.emulator import _AUXDATA, _open

TAGGED = bytes.fromhex("ffffffffffff 020000000099 8100 2005 88b6") + bytes(50)
ANCILLARY = socket.CMSG_SPACE(_AUXDATA.size)


def send(interface: str) -> None:
    opened = _open(interface)
    assert opened
    opened.send(TAGGED)


def receive(interface: str) -> None:
    opened = _open(interface)
    assert opened
    opened.settimeout(10)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        frame, ancillary, _, _ = opened.recvmsg(2000, ANCILLARY)
        if frame[12:14] == b"\x88\xb6":
            values = _AUXDATA.unpack(ancillary[0][2])
            sys.stdout.write(f"{values[6]:04x} {values[5]:04x}\n")
            return


if __name__ == "__main__":
    {"send": send, "receive": receive}[sys.argv[1]](sys.argv[2])
