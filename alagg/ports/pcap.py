"""A port around a port that writes each frame to a capture file, which tcpdump and Wireshark read."""

from __future__ import annotations

import logging
import os
import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from alagg.ports.base import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from alagg.ports.base import Arrival, Port

_LOG = logging.getLogger(__name__)

_MAGIC_NANOSECONDS: Final = 0xA1B23C4D
_LINKTYPE_ETHERNET: Final = 1
_SNAPLEN: Final = 1 << 18
"""Larger than any frame: a header of 24 bytes, 65,535 bytes of payload, and an Ethernet header."""
_FILE_HEADER: Final = struct.pack(">IHHiIII", _MAGIC_NANOSECONDS, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_ETHERNET)
_RECORD: Final = struct.Struct(">IIII")


class PcapFile:
    """A capture file in the classic format, with nanoseconds; several ports of one process may share it.

    It never grows beyond `max_bytes`, and no error of the disk reaches the ports: what is not written is counted, and
    said once in the log.
    """

    def __init__(self, path: Path, clock: Callable[[], int], max_bytes: int = 1 << 30) -> None:
        """Open the file; an older one of that name is replaced.

        Args:
            path: the file; only its owner may read it, since it holds the traffic.
            clock: gives the time in nanoseconds since 1970, such as `time.time_ns`.
            max_bytes: where the file ends, in bytes.

        Raises:
            OSError: the file cannot be made.
        """
        self.path = path
        self.written = 0
        """Frames in the file."""
        self.skipped = 0
        """Frames that are not in the file, for its size or for an error."""
        self._clock = clock
        self._room = max_bytes - len(_FILE_HEADER)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._file: BinaryIO | None = os.fdopen(descriptor, "wb", buffering=1 << 16)
        self._file.write(_FILE_HEADER)

    def write(self, frame: bytes) -> None:
        """Write one frame, Ethernet header included."""
        size = _RECORD.size + len(frame)
        if self._file is None or size > self._room:
            self._skip("it has reached its largest size")
            return
        seconds, nanoseconds = divmod(self._clock(), 10**9)
        try:
            self._file.write(_RECORD.pack(seconds, nanoseconds, len(frame), len(frame)) + frame)
        except OSError as error:
            self._skip(os.strerror(error.errno or 0))
            return
        self._room -= size
        self.written += 1

    def _skip(self, reason: str) -> None:
        self.skipped += 1
        if self._file is not None:
            _LOG.warning("the capture file %s ends here: %s", self.path, reason)
            self.close()

    def close(self) -> None:
        """Write what is buffered and close the file. More calls do nothing."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                _LOG.warning("the end of the capture file %s is missing: %s", self.path, error.strerror)


class Pcap:
    """Passes frames on and writes them, sent and received ones, to a capture file."""

    def __init__(self, port: Port, file: PcapFile, suffix: bytes) -> None:
        """Wrap a port.

        Args:
            port: whose frames are written.
            file: where they go; whoever opened it closes it.
            suffix: what follows the remote address in the Ethernet header of sent frames: the port's own address and
                the EtherType, 8 bytes.
        """
        self.port = port
        self._file = file
        self._suffix = suffix

    def fileno(self) -> int:
        """Give the wrapped port's descriptor."""
        return self.port.fileno()

    def send(self, remote: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        """Send, and write what was taken.

        Raises:
            OSError: as the wrapped port.
        """
        taken = self.port.send(remote, headers, payloads)
        for frame in whole(headers, payloads, taken):
            self._file.write(_station(remote) + self._suffix + frame)
        return taken

    def receive(self) -> list[Arrival]:
        """Receive, and write what came; frames too short for a header are left out.

        Raises:
            OSError: as the wrapped port.
        """
        arrivals = self.port.receive()
        for remote, headers, payloads in arrivals:
            for frame in whole(headers, payloads):
                self._file.write(self._suffix[:6] + _station(remote) + self._suffix[6:] + frame)
        return arrivals

    def set_remotes(self, remotes: Iterable[bytes]) -> None:
        """Have the wrapped port take frames from these addresses."""
        self.port.set_remotes(remotes)

    def set_own_mac(self, mac: bytes) -> None:
        """Have the wrapped port send from this address."""
        if mac:
            self._suffix = mac + self._suffix[6:]
        self.port.set_own_mac(mac)

    def bypass_queues(self, *, allowed: bool, reason: str, mtu: int) -> None:
        """Let the wrapped port pass by queues, or not."""
        self.port.bypass_queues(allowed=allowed, reason=reason, mtu=mtu)

    @property
    def sends_by(self) -> tuple[str, str]:
        """By what the wrapped port sends, and why."""
        return self.port.sends_by

    def counters(self) -> dict[str, int]:
        """Give the wrapped port's counters, and what was written."""
        return {**self.port.counters(), "pcap_written": self._file.written, "pcap_skipped": self._file.skipped}

    def close(self) -> None:
        """Close the wrapped port; the file stays open for the other ports."""
        self.port.close()


def _station(remote: bytes) -> bytes:
    """Give an address as an Ethernet header has it: of a socket address its port and the end of the IP address."""
    if len(remote) == 6:
        return remote
    return remote[2:4] + (remote[4:8] if len(remote) == 16 else remote[20:24])
