"""Asks the peer on each link for an answer: one probe frame over a port of its own, beside a running node."""

from __future__ import annotations

import errno
import os
import secrets
import select
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from google_crc32c import value as crc32c

from alagg.engine import header
from alagg.ports.base import whole
from alagg.ports.ethernet import EthernetPort
from alagg.ports.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Collection

    from alagg.config import Config

TIMEOUT: Final = 0.5
"""Seconds to wait for all answers together."""
LISTENING: Final = 2.4
"""How many times as long to listen where one stays away: a node that nobody answers probes once a second."""


@dataclass
class Answer:
    """What one link's probe brought."""

    rtt: float | None = None
    """Seconds from probe to answer; None for no answer."""
    error: str = ""
    """Why no probe could be sent; empty when it was."""
    heard: tuple[str, ...] = ()
    """Without an answer: what came meanwhile that is not from the link's peer or not for us, in words."""


class _Probe:
    """One link's probe, from its sending to its answer."""

    def __init__(self, port: EthernetPort, remote: bytes, epoch: int) -> None:
        self.port = port
        self._remote = remote
        self._epoch = epoch
        self._cookie = secrets.token_bytes(header.COOKIE_SIZE)
        self._sent = 0.0

    def send(self) -> None:
        """Send the probe.

        Raises:
            OSError: the link does not take it.
        """
        head = header.encode(header.PROBE, self._epoch, 0, 0, 0, 0, 0, 0, len(self._cookie), crc32c(self._cookie))
        self._sent = time.monotonic()
        if not self.port.send(self._remote, bytearray(head), [self._cookie]):
            raise OSError(errno.ENOBUFS, "the link is full")

    def receive(self) -> float | None:
        """Look through one batch of frames, a running node's among them; give the round-trip time of the answer."""
        for _, headers, payloads in self.port.receive():
            for frame in whole(headers, payloads):
                try:
                    values = header.decode(frame)
                except header.MalformedFrameError:
                    continue
                if values[0] == header.PROBE_REPLY and values[-1] == self._cookie:
                    return time.monotonic() - self._sent
        return None


def probe(config: Config, timeout: float = TIMEOUT, leave: Collection[str] = ()) -> list[Answer]:
    """Probe all Ethernet links at the same time; give what came, in the configuration's order.

    Args:
        timeout: seconds to wait for all answers together.
        leave: names of links that are not probed; nor are those whose peer's address is to be found.
    """
    links = config.ethernet_links
    answers = [Answer() for _ in links]
    waiting: dict[int, tuple[Answer, _Probe]] = {}
    with ExitStack() as stack:
        listeners = _listen(config, stack)
        try:
            start = time.monotonic()
            _send(config, answers, waiting, leave)
            _receive(waiting, timeout)
        finally:
            for _, one in waiting.values():
                one.port.close()
        if any(answer.rtt is None and not answer.error for answer, _ in waiting.values()):
            time.sleep(max(start + LISTENING * timeout - time.monotonic(), 0))
        for link, answer in zip(links, answers, strict=True):
            if answer.rtt is None and link.interface in listeners:
                known = {other.mac for other in links if other.interface == link.interface}
                answer.heard = listeners[link.interface].heard(known)
    return answers


def _listen(config: Config, stack: ExitStack) -> dict[str, Listener]:
    """Listen on the interfaces of all links; one that is not there has its say when the probe is sent."""
    found: dict[str, Listener] = {}
    for name in {link.interface for link in config.ethernet_links}:
        with suppress(OSError):
            found[name] = Listener(name, config.ethertype)
            stack.callback(found[name].close)
    return found


def _send(
    config: Config, answers: list[Answer], waiting: dict[int, tuple[Answer, _Probe]], leave: Collection[str]
) -> None:
    # The receivers know no such epoch, and need not: a probe asks for an answer and moves no other state.
    epoch = secrets.randbits(32)
    for link, answer in zip(config.ethernet_links, answers, strict=True):
        if link.name in leave or link.finds:
            continue
        try:
            port = EthernetPort(link.interface, (link.mac,), config.ethertype)
            one = _Probe(port, link.mac, epoch)
            waiting[port.fileno()] = answer, one
            one.send()
        except OSError as error:
            answer.error = os.strerror(error.errno or 0)


def _receive(waiting: dict[int, tuple[Answer, _Probe]], timeout: float) -> None:
    poll = select.poll()
    sent = [descriptor for descriptor, (answer, _) in waiting.items() if not answer.error]
    for descriptor in sent:
        poll.register(descriptor, select.POLLIN)
    open_ones = len(sent)
    deadline = time.monotonic() + timeout
    while open_ones and (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            answer, one = waiting[descriptor]
            try:
                answer.rtt = one.receive()
            except OSError as error:
                answer.error = os.strerror(error.errno or 0)
            if answer.rtt is not None or answer.error:
                poll.unregister(descriptor)
                open_ones -= 1
