"""Rates: what a second carried, by the node's own clock; nothing where nothing is known."""

from __future__ import annotations

from alagg.monitor.rates import IN, KEPT, OUT, Rates
from tests.metrics.status import link, peer, status


def looked(*looks: tuple[float, int, int]) -> Rates:
    """Look at a link at several times, with its bytes out and in."""
    rates = Rates()
    for seconds, out, into in looks:
        rates.take(status(link("office", "fibre", tx_bytes=out, rx_bytes=into), uptime_s=seconds))
    return rates


def test_bits_a_second_both_ways() -> None:
    rates = looked((10.0, 0, 500), (12.0, 1000, 500), (13.0, 1000, 501))
    assert rates.of_link("office", "fibre", OUT) == [4000, 0]
    assert rates.of_link("office", "fibre", IN) == [0, 8]


def test_one_look_tells_nothing() -> None:
    assert looked((10.0, 1, 1)).of_link("office", "fibre", OUT) == []
    assert Rates().of_peer("office", "tx", "sent") is None


def test_the_same_answer_twice_counts_once() -> None:
    assert looked((10.0, 0, 0), (11.0, 1, 0), (11.0, 1, 0)).of_link("office", "fibre", OUT) == [8]


def test_a_node_that_starts_anew_counts_from_its_second_look() -> None:
    assert looked((10.0, 0, 0), (11.0, 9, 0), (0.5, 4, 0), (1.5, 6, 0)).of_link("office", "fibre", OUT) == [72, 16]


def test_only_the_newest_are_kept_and_what_is_gone_is_forgotten() -> None:
    rates = looked(*((float(second), second, 0) for second in range(KEPT + 50)))
    assert len(rates.of_link("office", "fibre", OUT)) == KEPT
    rates.take(status(link("office", "copper"), uptime_s=KEPT + 60.0))
    assert rates.of_link("office", "fibre", OUT) == []


def test_packets_of_a_peer() -> None:
    rates = Rates()
    for second in (1, 2):
        found = peer("office", tx={"sent": 10 * second}, rx={"delivered": 5 * second, "lost": 0})
        rates.take(status(peers=[found], uptime_s=float(second)))
    assert rates.of_peer("office", "tx", "sent") == 10
    assert rates.of_peer("office", "rx", "delivered") == 5
    assert rates.of_peer("office", "tx", "repaired") is None


def test_a_status_that_lacks_everything() -> None:
    rates = Rates()
    rates.take({})
    rates.take({"links": "?", "uptime_s": 1})
    assert rates.of_link("a", "b", OUT) == []
