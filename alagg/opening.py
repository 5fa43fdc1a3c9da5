"""Opening: how a worker opens its edges, with what a user reads where that fails."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from alagg.ports.ethernet import EthernetPort
from alagg.ports.nfqueue import NfqueueCapture
from alagg.ports.pcap import Pcap, PcapFile
from alagg.ports.trace import Trace
from alagg.ports.udpport import UdpPort

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from alagg.config import Config
    from alagg.ports.base import Capture, Port
    from alagg.ports.udpport import Place


def captures_of(config: Config, number: int) -> list[Capture]:
    if not config.queues:
        return []  # the device is all, and comes later
    captures: list[Capture] = [NfqueueCapture(config.queue_of(number))]
    tcp_queue = config.tcp_queue_of(number)
    if tcp_queue is not None:
        captures.append(NfqueueCapture(tcp_queue, super_packets=True))
    return captures


def why(error: OSError, config: Config, number: int) -> str:
    text = error.strerror or str(error)
    queue, tcp_queue = config.queue_of(number), config.tcp_queue_of(number)
    queues = str(queue) if tcp_queue is None else f"{queue} and {tcp_queue}"
    return f"cannot capture from NFQUEUE {queues}: {text} (is another program using it? are you root?)"


def pcap_of(pcap: Path | None, config: Config, number: int) -> Path | None:
    """Give the worker's own capture file: FILE of the only worker, else FILE with the number before its ending.

    Two processes cannot write one file without waiting for each other; `mergecap` makes one of them afterwards.
    """
    if pcap is None or config.workers == 1:
        return pcap
    return pcap.with_name(f"{pcap.stem}-{number}{pcap.suffix}")


def port_opener(
    pcap: Path | None, number: int, stack: ExitStack
) -> Callable[[Config, str | Place, Sequence[bytes]], Port]:
    """Give what opens the port of an interface or a place; the frames of all go to one capture file, if any."""
    file = PcapFile(pcap, time.time_ns) if pcap else None
    if file is not None:
        stack.callback(file.close)

    def open_port(config: Config, where: str | Place, remotes: Sequence[bytes]) -> Port:
        port, suffix = _bare_port(config, where, remotes, number)
        wrapped: Port = Trace(port, str(where)) if config.log_level == "debug" else port
        return wrapped if file is None else Pcap(wrapped, file, suffix)

    return open_port


def _bare_port(
    config: Config, where: str | Place, remotes: Sequence[bytes], number: int
) -> tuple[Port, bytes]:
    """Open a port; give it, and what follows the destination in the Ethernet header of a capture file's frames."""
    if isinstance(where, str):
        port = EthernetPort(where, remotes, config.ethertype, number, config.workers)
        return port, port.suffix
    copy_dscp = any(link.copy_dscp for link in config.links if link.type == "udp")
    return UdpPort(where, config.mark, copy_dscp=copy_dscp), bytes(6) + config.ethertype.to_bytes(2, "big")
