"""The node's TUN device: packets that are routed to it are captured, and what peers sent is injected by it.

The supervisor makes the device (`alagg.system.device`); each worker attaches a queue of its own by the device's
name (IFF_MULTI_QUEUE, kernel's Documentation/networking/tuntap.rst). Packets come in by the device as from a network
card: they pass PREROUTING, then INPUT, or FORWARD with one hop less to live; consecutive segments of a flow enter as
one. Packets that are routed to the device have passed POSTROUTING: addresses are translated, sizes of segments told.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alagg import form
from alagg.engine.merge import Merger
from alagg.engine.vnet import finish

if TYPE_CHECKING or form.edges() == "plain":
    from alagg.ports.vnet import Reader, Writer
else:
    from alagg.native.tun import Reader, Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.merge import Item
    from alagg.ports.base import Injector

PROC_FILE: Final = Path("/proc/net/dev")
EXCLUSIVE: Final = 0x8000
"""IFF_TUN_EXCL: refuse a device that is there already."""

_TUNSETIFF: Final = 0x400454CA
_TUNSETOFFLOAD: Final = 0x400454D0
_TUNSETQUEUE: Final = 0x400454D9
_IFREQ: Final = struct.Struct("16sH22x")
_FLAGS: Final = 0x0001 | 0x1000 | 0x0100 | 0x4000  # IFF_TUN, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_VNET_HDR
_IFF_DETACH_QUEUE: Final = 0x0400
_TCP_OFFLOADS: Final = 0x01 | 0x02 | 0x04 | 0x08  # TUN_F_CSUM, TSO4, TSO6, TSO_ECN
_UDP_OFFLOADS: Final = 0x20 | 0x40  # TUN_F_USO4, USO6: Linux 6.2


class TunInjector:
    """Injects packets through a device; once that is gone, through another injector."""

    def __init__(self, device: str, otherwise: Injector, *, first: bool = True) -> None:
        """Attach a queue to a device.

        Args:
            device: the device's name.
            otherwise: takes over, counters included, when the device has gone; it is closed with this one.
            first: whether it counts what concerns all queues of the device.

        Raises:
            OSError: there is no such device, it was made with other flags, or rights are missing.
        """
        socket.if_nametoindex(device)  # a name without a device would make one
        self._descriptor = open_queue(device)
        self._merger = Merger()
        self._writer = Writer(self._descriptor)
        self._otherwise = otherwise
        self._gone = False
        self._counted = device if first else ""

    def fileno(self) -> int:
        """Give the queue's descriptor, for `TunCapture`."""
        return self._descriptor

    def send(self, packets: Sequence[bytes]) -> int:
        """Inject valid IP packets without waiting; give how many the host took."""
        if self._gone:
            return self._otherwise.send(packets)
        before = self._writer.written
        items = self._merger.merge(packets)
        done = self._writer.write(items)
        taken = self._writer.written - before
        if done < len(items):
            self._gone = True
            taken += self._otherwise.send([packet for item in items[done:] for packet in _packets(item)])
        return taken

    def counters(self) -> dict[str, int]:
        """Give every counter, those of the other injector included."""
        other = self._otherwise.counters()
        refused = {f"dropped_{name}": count for name, count in self._writer.refused.items()}
        mine = {"injected": self._writer.written, **refused}
        return {
            **{name: mine.get(name, 0) + other.get(name, 0) for name in {**mine, **other}},
            "merged": self._merger.merged,
            "super_packets": self._merger.super_packets,
            "not_captured": _lost(self._counted),
        }

    def close(self) -> None:
        """Give the descriptors back. More calls do nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._gone = True
            self._otherwise.close()


class TunCapture:
    """The packets that are routed to the device and wait in one queue of it."""

    def __init__(self, descriptor: int) -> None:
        """Take an injector's descriptor; it stays the injector's."""
        self.segment_size = 1280
        """Bytes of the largest segment that a TCP super-packet is cut into, IP header included."""
        self.super_packets = 0
        """Packets that were cut."""
        self.captured = 0
        """Packets, each of those that super-packets became."""
        self._descriptor = descriptor
        self._reader = Reader(descriptor)

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when packets wait."""
        return self._descriptor

    def receive(self) -> list[bytes]:
        """Take the packets that wait, at most a batch, super-packets cut and checksums complete.

        Raises:
            OSError: the device is gone.
        """
        packets, headers = self._reader.read()
        if any(headers):
            packets = self._finished(packets, headers)
        self.captured += len(packets)
        return packets

    def _finished(self, packets: list[bytes], headers: list[bytes | None]) -> list[bytes]:
        done: list[bytes] = []
        for packet, header in zip(packets, headers, strict=True):
            if header is None:
                done.append(packet)
                continue
            pieces = finish(packet, header, self.segment_size)
            self.super_packets += len(pieces) > 1
            done += pieces
        return done

    def settle(self) -> None:
        """Do nothing: what was read is ours."""

    def counters(self) -> dict[str, int]:
        """Give every counter; `from_device` is the part of `captured` that no rule had caught before."""
        return {
            "captured": self.captured,
            "from_device": self.captured,
            "super_packets": self.super_packets,
            "dropped_malformed": self._reader.malformed,
        }

    def close(self) -> None:
        """Do nothing: the injector closes the descriptor."""


def open_queue(device: str, flags: int = 0) -> int:
    """Open a queue of a device, non-blocking; make the device where there is none. Give its descriptor.

    Args:
        device: its name.
        flags: 0 or `EXCLUSIVE`.

    Raises:
        OSError: it is another kind of device, there is no TUN here, or rights are missing.
    """
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, _IFREQ.pack(device.encode(), _FLAGS | flags))
        _set_offloads(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def detach(descriptor: int) -> None:
    """Detach a queue: it holds its device alive, but no packet waits in it any more."""
    fcntl.ioctl(descriptor, _TUNSETQUEUE, _IFREQ.pack(b"", _IFF_DETACH_QUEUE))


def _set_offloads(descriptor: int) -> None:
    """Let a queue's device carry super-packets; those of UDP only where the kernel has them."""
    try:
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _TCP_OFFLOADS | _UDP_OFFLOADS)
    except OSError:
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _TCP_OFFLOADS)


def _lost(device: str) -> int:
    """Read how many packets were routed to a device and lost: its queue was full, or nobody read from it."""
    try:
        lines = PROC_FILE.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[12]) for line in lines if line.split(":")[0].strip() == device), 0)


def _packets(item: Item) -> list[bytes]:
    _, head, packets, _ = item
    return packets or [head]
