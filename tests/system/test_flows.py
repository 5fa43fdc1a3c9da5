"""Flows and their workers: each flow has one, whatever its packets look like, and all workers have their share."""

from __future__ import annotations

import os
import socket
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.ports.nfqueue import NfqueueCapture
from alagg.system import rules
from alagg.system.flows import bytecode
from tests.engine.packets import TCP, UDP, Packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.config import Config
    from alagg.system.rules import Family

    from .conftest import Hosts

    MakeConfig = Callable[..., Config]

FAMILIES: Final[tuple[Family, ...]] = (4, 6)
LENGTH: Final = {4: 4, 6: 16}
FRAGMENTS: Final = (0x2000, 0x2001, 0x0100)
"""The first fragment, one in the middle, and the last one."""


ARITHMETIC: Final[dict[int, Callable[[int, int, int], int]]] = {
    0x24: lambda a, _, k: a * k,
    0x94: lambda a, _, k: a % k,
    0x74: lambda a, _, k: a >> k,
    0xAC: lambda a, x, _: a ^ x,
}
JUMPS: Final[dict[int, Callable[[int, int], int]]] = {
    0x05: lambda _, k: k,
    0x15: lambda a, k: a == k,
    0x45: lambda a, k: a & k,
}


def run(program: str, packet: bytes) -> int:
    """Run a program by the letter of classic BPF (kernel's Documentation/networking/filter.rst)."""
    steps = [tuple(map(int, step.split())) for step in program.split(",")[1:]]
    a = x = place = 0
    while True:
        code, if_true, if_false, k = steps[place]
        place += 1
        if code == 0x06:
            return k
        if code in JUMPS:
            place += k if code == 0x05 else if_true if JUMPS[code](a, k) else if_false
        elif code in ARITHMETIC:
            a = ARITHMETIC[code](a, x, k) & 0xFFFFFFFF
        elif code in (0x07, 0xB1):
            x = a if code == 0x07 else 4 * (packet[k] & 15)
        else:
            a = load(packet, code, x, k)


def load(packet: bytes, code: int, x: int, k: int) -> int:
    if code == 0x00:
        return k
    start, size = k + (x if code == 0x40 else 0), {0x20: 4, 0x40: 4, 0x28: 2, 0x30: 1}[code]
    assert start + size <= len(packet), "the kernel would give up, and the rule not match"
    return int.from_bytes(packet[start : start + size], "big")


def worker_of(packet: bytes, workers: int) -> int:
    """Give the only worker whose program keeps a packet."""
    family: Family = 4 if packet[0] >> 4 == 4 else 6
    takers = [number for number in range(workers) if run(bytecode(family, number, workers), packet)]
    assert len(takers) == 1
    return takers[0]


@st.composite
def flows(draw: st.DrawFn) -> Packet:
    version = draw(st.sampled_from(FAMILIES))
    address = st.binary(min_size=LENGTH[version], max_size=LENGTH[version])
    ports = st.integers(0, 65535)
    protocol = draw(st.sampled_from((TCP, UDP)))
    return Packet(
        version, draw(address), draw(address), protocol=protocol, sport=draw(ports), dport=draw(ports), flow_label=3
    )


@given(flow=flows(), workers=st.integers(2, 16), data=st.data())
def test_a_flow_never_changes_its_worker(flow: Packet, workers: int, data: st.DataObject) -> None:
    """Nothing that differs among the packets of a flow moves it; the worker is the lane."""
    other = replace(
        flow, tos=data.draw(st.integers(0, 255)), ttl=data.draw(st.integers(1, 255)), identification=9,
        fragment=data.draw(st.sampled_from((0, 0x4000))), sequence=data.draw(st.integers(0, 2**32 - 1)), flags=0x11,
        payload=bytes(data.draw(st.integers(0, 99))), ip_options=bytes(4) if flow.version == 4 else b"",
        flow_label=data.draw(st.integers(0, 0xFFFFF)),
    )
    assert worker_of(flow.pack(), workers) == worker_of(other.pack(), workers)


@given(flow=flows(), workers=st.integers(2, 16))
def test_what_shows_no_ports_goes_by_its_addresses(flow: Packet, workers: int) -> None:
    if flow.version == 4:
        hidden = [replace(flow, fragment=fragment, sport=port) for fragment in FRAGMENTS for port in (1, 2)]
    else:
        hidden = [replace(flow, extensions=((0, b"\x01\x04" + bytes(4)),), sport=port) for port in (1, 2)]
    header = flow.pack()[: 20 if flow.version == 4 else 40]
    bare = header[:9] + b"\x01" + header[10:] if flow.version == 4 else header[:6] + b"\x3a" + header[7:]
    assert {worker_of(packet, workers) for packet in (*(one.pack() for one in hidden), bare)} == {
        worker_of(bare, workers)
    }


@pytest.mark.parametrize("step", [1, 2, 16], ids=lambda step: f"every {step}")
@pytest.mark.parametrize("workers", [2, 3, 4, 16])
@pytest.mark.parametrize("version", FAMILIES)
def test_all_workers_have_their_share(version: Family, workers: int, step: int) -> None:
    """Linux gives the connections of a program ports of the same parity, in a row."""
    length = LENGTH[version]
    base = Packet(version, b"\x0a" * length, b"\x0b" * length, dport=443)
    ports = range(40_000, 40_000 + 64 * workers * step, step)
    counts = Counter(worker_of(replace(base, sport=port).pack(), workers) for port in ports)
    assert len(counts) == workers
    assert max(counts.values()) < 1.5 * 64


@pytest.mark.netns
def test_the_kernel_does_what_the_programs_say(hosts: Hosts, make_config: MakeConfig) -> None:
    workers = 3
    config = make_config(queue=5, workers=workers, gso="no", manage_host="no")
    rules.install(config, None)
    with ExitStack() as stack:
        captures = []
        for worker in range(workers):
            captures.append(NfqueueCapture(config.queue_of(worker)))
            stack.callback(captures[-1].close)
        for family, address in ((socket.AF_INET, "10.99.0.2"), (socket.AF_INET6, "fd99::2")):
            for _ in range(40):
                with socket.socket(family, socket.SOCK_DGRAM) as sender:
                    sender.sendto(os.urandom(9), (address, 7))
        packets = [capture.receive() for capture in captures]
    assert sum(map(len, packets)) == 80
    for worker, taken in enumerate(packets):
        assert len(taken) > 9
        assert {worker_of(packet, workers) for packet in taken} == {worker}
