"""Injector through the node's TUN device: consecutive segments of a flow enter the host's IP stack as one.

The supervisor makes the device (`alagg.system.device`); each worker attaches a queue of its own by the device's
name (IFF_MULTI_QUEUE, kernel's Documentation/networking/tuntap.rst). Packets come in by the device as from a network
card: they pass PREROUTING, then INPUT, or FORWARD with one hop less to live.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg import form
from alagg.engine.merge import Merger
from alagg.ports.base import BATCH

if TYPE_CHECKING or form.edges() == "plain":
    from alagg.ports.vnet import Writer
else:
    from alagg.native.tun import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.merge import Item
    from alagg.ports.base import Injector

VNET_HEADER: Final = 10
"""Bytes of the `virtio_net_hdr` before each packet, in both directions."""
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

    def __init__(self, device: str, otherwise: Injector) -> None:
        """Attach a queue to a device.

        Args:
            device: the device's name.
            otherwise: takes over, counters included, when the device has gone; it is closed with this one.

        Raises:
            OSError: there is no such device, it was made with other flags, or rights are missing.
        """
        socket.if_nametoindex(device)  # a name without a device would make one
        self._descriptor, udp = open_queue(device)
        self._merger = Merger(udp=udp)
        self._writer = Writer(self._descriptor)
        self._otherwise = otherwise
        self._gone = False
        self.not_captured = 0
        """Packets that were routed to the device although no rule had caught them; they are lost."""

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when `discard` has something to do."""
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

    def discard(self) -> None:
        """Read, count and forget the packets that wait in the queue, at most a batch.

        Raises:
            OSError: the device is gone.
        """
        try:
            for _ in range(BATCH):
                os.read(self._descriptor, VNET_HEADER)  # the kernel throws the rest of a packet away
                self.not_captured += 1
        except BlockingIOError:
            pass

    def counters(self) -> dict[str, int]:
        """Give every counter, those of the other injector included."""
        other = self._otherwise.counters()
        refused = {f"dropped_{name}": count for name, count in self._writer.refused.items()}
        mine = {"injected": self._writer.written, **refused}
        return {
            **{name: mine.get(name, 0) + other.get(name, 0) for name in {**mine, **other}},
            "merged": self._merger.merged,
            "super_packets": self._merger.super_packets,
            "not_captured": self.not_captured,
        }

    def close(self) -> None:
        """Give the descriptors back. More calls do nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._gone = True
            self._otherwise.close()


class Queue(NamedTuple):
    """An open queue of a device."""

    descriptor: int
    udp: bool
    """Whether the device takes super-packets of UDP besides those of TCP."""


def open_queue(device: str, flags: int = 0) -> Queue:
    """Open a queue of a device, non-blocking; make the device where there is none.

    Args:
        device: its name.
        flags: 0 or `EXCLUSIVE`.

    Raises:
        OSError: it is another kind of device, there is no TUN here, or rights are missing.
    """
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, _IFREQ.pack(device.encode(), _FLAGS | flags))
        return Queue(descriptor, _set_offloads(descriptor))
    except BaseException:
        os.close(descriptor)
        raise


def detach(descriptor: int) -> None:
    """Detach a queue: it holds its device alive, but no packet waits in it any more."""
    fcntl.ioctl(descriptor, _TUNSETQUEUE, _IFREQ.pack(b"", _IFF_DETACH_QUEUE))


def _set_offloads(descriptor: int) -> bool:
    """Let a queue's device carry super-packets; tell whether those of UDP are among them."""
    try:
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _TCP_OFFLOADS | _UDP_OFFLOADS)
    except OSError:
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _TCP_OFFLOADS)
        return False
    return True


def _packets(item: Item) -> list[bytes]:
    _, head, packets, _ = item
    return packets or [head]
