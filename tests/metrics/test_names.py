"""Names of metrics: Prometheus' conventions hold for every line of the table of counters."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from alagg.control.counters import COUNTER, TABLES, TEXT
from alagg.metrics.names import INFO, PLACES, metric, metrics


def test_each_number_has_one_name() -> None:
    names = Counter(one.shown for one in metrics())
    assert {name for name, times in names.items() if times > 1} == set()
    counted = sum(counter.kind != TEXT for table in PLACES for counter in TABLES[table])
    assert len(names) == counted


def test_names_follow_the_conventions() -> None:
    for one in metrics():
        assert re.fullmatch(r"alagg_(node|peer|link)_[a-z0-9_]+", one.shown)
        assert one.shown.endswith("_total") == (one.kind == COUNTER)
        assert not re.search(r"_(ms|bps|bits?)(_|$)", one.shown), "no base unit"


@pytest.mark.parametrize(
    ("table", "name", "shown", "factor"),
    [
        ("link", "rtt_ms", "alagg_link_rtt_seconds", 1e-3),
        ("link", "rate_bps", "alagg_link_rate_bytes_per_second", 1 / 8),
        ("link", "loss", "alagg_link_loss_ratio", 1.0),
        ("link", "mtu", "alagg_link_mtu_bytes", 1.0),
        ("link", "tx_frames", "alagg_link_tx_frames_total", 1.0),
        ("link", "malformed", "alagg_link_malformed_frames_total", 1.0),
        ("link", "malformed_bad_checksum", "alagg_link_malformed_by_reason_frames_total", 1.0),
        ("tx", "waiting", "alagg_peer_tx_waiting_packets", 1.0),
        ("rx", "resets", "alagg_peer_rx_resets_total", 1.0),
        ("node", "uptime_s", "alagg_node_uptime_seconds", 1.0),
        ("injector", "dropped_full", "alagg_node_injector_dropped_packets_total", 1.0),
    ],
)
def test_what_a_counter_is_called(table: str, name: str, shown: str, factor: float) -> None:
    found = metric(table, name)
    assert found is not None
    assert (found.shown, found.factor) == (shown, factor)


@pytest.mark.parametrize(
    ("table", "name"), [("link", "state"), ("link", "nonsense"), ("recent", "rx_frames"), ("", "x")]
)
def test_what_is_no_metric(table: str, name: str) -> None:
    assert metric(table, name) is None


def test_words_that_are_labels_are_in_the_table() -> None:
    for table, words in INFO.items():
        known = {counter.name for counter in TABLES[table] if counter.kind == TEXT}
        assert set(words) <= known
