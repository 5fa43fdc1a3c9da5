"""The engine's benchmark, with few packets: every way is gone, and loses nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import engine
from bench.engine import BASE, BATCH, GROWN, PLAIN, VISIT, Way


@pytest.fixture(autouse=True)
def _few_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PACKETS", 256)
    monkeypatch.setattr(engine, "WARM", 16)
    monkeypatch.setattr(engine, "GROWN", replace(GROWN, peers=4, flows=10))


def test_every_way_is_measured_in_turns() -> None:
    """The ways themselves check that every packet arrived."""
    found = engine.run(2)
    assert list(found["seconds"]) == ["out", "in", "C out", "C in", "base out", "base in", "grown out", "grown in"]
    assert all(list(samples) == ["0", "1"] and min(samples.values()) > 0 for samples in found["seconds"].values())


def test_packets_that_do_not_arrive_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    work = engine.way_in(PLAIN)
    monkeypatch.setattr(engine, "PACKETS", 257)
    with pytest.raises(AssertionError):
        work()


def test_packets_have_their_size() -> None:
    assert {len(packet) for batch in engine.captured(PLAIN) for packet in batch} == {engine.SIZE}
    for batch in engine.captured(BASE):
        assert len(batch) == BATCH
        assert all(int.from_bytes(packet[2:4], "big") == len(packet) for packet in batch)


def test_every_link_carries_every_packet_or_its_turns() -> None:
    def frames(way: Way) -> list[int]:
        found = [0] * way.links
        for reads in engine.arrivals(way):
            for read in reads:
                found[read.link] += len(read.payloads)
        return found

    assert frames(PLAIN) == [256 + PLAIN.warm] * 2
    assert frames(BASE) == [(256 + BASE.warm) / 2] * 2


def test_a_read_is_of_one_interface_and_of_all_peers_that_have_sent() -> None:
    reads = next(engine.arrivals(Way("round-robin", peers=4)))
    assert {read.link for read in reads} == {0}
    assert [(read.peer, len(read.payloads)) for read in reads] == [(peer, 2 * VISIT) for peer in range(4)]
