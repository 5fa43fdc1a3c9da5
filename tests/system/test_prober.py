from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from google_crc32c import value as crc32c

from alagg.engine import header
from alagg.ports.ethernet import ETHERNET_HEADER, EthernetPort
from alagg.system import prober

from .conftest import Hosts, inside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from alagg.config import Config

    MakeConfig = Callable[..., Config]

pytestmark = pytest.mark.netns


def frame(frame_type: int, payload: bytes) -> bytes:
    return header.encode(frame_type, 7, 0, 0, 0, 0, 0, 0, len(payload), crc32c(payload)) + payload


@contextmanager
def peer(hosts: Hosts, answers: Callable[[bytes], Sequence[bytes]], links: Sequence[int]) -> Iterator[None]:
    """Play the peer on host b: answer the probe on some links."""
    with inside(hosts.b):
        remotes = {link: bytes.fromhex(f"020000000a0{link}") for link in links}
        ports = [EthernetPort(f"eth{link}", (remote,), 0x88B5) for link, remote in remotes.items()]
    threads = [
        threading.Thread(target=answer_once, args=(port, remote, answers))
        for port, remote in zip(ports, remotes.values(), strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()
        for port in ports:
            port.close()


def answer_once(port: EthernetPort, remote: bytes, answers: Callable[[bytes], Sequence[bytes]]) -> None:
    with closing(socket.socket(fileno=socket.dup(port.fileno()))) as waiting:
        waiting.settimeout(5)
        values = header.decode(waiting.recv(2048), ETHERNET_HEADER)
    assert values[0] == header.PROBE
    port.send(remote, bytearray(header.SIZE), [b""])
    for answer in answers(values[-1]):
        port.send(remote, bytearray(answer[: header.SIZE]), [answer[header.SIZE :]])


def reply(cookie: bytes) -> list[bytes]:
    return [frame(header.PROBE_REPLY, cookie)]


def test_every_link_answers(hosts: Hosts, make_config: MakeConfig) -> None:
    with peer(hosts, reply, [0, 1]):
        answers = prober.probe(make_config(), timeout=5)
    assert all(answer.rtt is not None and 0 < answer.rtt < 5 for answer in answers)


def test_only_the_right_answer_counts(hosts: Hosts, make_config: MakeConfig) -> None:
    def others(cookie: bytes) -> list[bytes]:
        damaged = bytearray(frame(header.PROBE_REPLY, cookie))
        damaged[-1] ^= 1
        wrong_types = [frame(header.PROBE, cookie), frame(header.DATA, cookie)]
        return [frame(header.PROBE_REPLY, bytes(8)), *wrong_types, bytes(damaged)]

    with peer(hosts, others, [0]):
        assert prober.probe(make_config(), timeout=0.5) == [prober.Answer(), prober.Answer()]


def test_says_who_sends_instead(hosts: Hosts, make_config: MakeConfig) -> None:
    """The address in the file is not the peer's: what comes from it is told beside the missing answer."""
    hosts.b.ip("link set eth1 address 02:00:00:00:77:01")
    with peer(hosts, reply, [0]), inside(hosts.b):
        port = EthernetPort("eth1", (), 0x88B5)
        port.set_remotes([bytes.fromhex("020000000a01")])
        sender = threading.Timer(0.2, port.send, (bytes.fromhex("020000000a01"), bytearray(header.SIZE), [b""]))
        sender.start()
        with inside(hosts.a):
            right, wrong = prober.probe(make_config(), timeout=0.6)
        sender.join()
        port.close()
    assert (right.heard, wrong.rtt) == ((), None)
    assert wrong.heard == ("0x88b5 comes here from 02:00:00:00:77:01",)


def test_finds_the_answer_among_a_nodes_traffic(hosts: Hosts, make_config: MakeConfig) -> None:
    traffic = [frame(header.DATA, bytes(100))] * 200
    with peer(hosts, lambda cookie: [*traffic, *reply(cookie)], [0, 1]):
        answers = prober.probe(make_config(), timeout=5)
    assert all(answer.rtt is not None for answer in answers)


def test_says_why_no_probe_could_be_sent(hosts: Hosts, make_config: MakeConfig) -> None:
    hosts.a.ip("link set eth0 down", "link del eth1")
    down, gone = prober.probe(make_config(), timeout=0.1)
    assert (down.error, gone.error) == ("Network is down", "No such device")


def test_gives_all_descriptors_back(hosts: Hosts, make_config: MakeConfig) -> None:
    free = socket.socket()
    number = free.fileno()
    free.close()
    prober.probe(make_config(), timeout=0.01)
    with closing(socket.socket()) as again:
        assert again.fileno() == number
