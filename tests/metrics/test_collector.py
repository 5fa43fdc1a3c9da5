"""The exposition: every number of a status is there once, in base units, with few series for each link."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from alagg.control.counters import STATES
from alagg.extras import ExtraMissingError
from alagg.metrics import exposition
from alagg.metrics.names import PLACES, metric, metrics
from tests.metrics.status import link, status

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
MAX_SERIES = 40
"""Of one link."""


def samples(found: dict[str, Any]) -> dict[tuple[str, ...], float]:
    """Give each sample's value by its name and the values of its labels, which go by their names."""
    body, _ = exposition(found)
    families = list(parse(body.decode()))
    read = [sample for family in families for sample in family.samples]
    by_name = {(sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value for sample in read}
    assert len(by_name) == len(read), "a series stands twice"
    return by_name


def test_a_link_in_base_units() -> None:
    fibre = link("office", "fibre", rtt_ms=12.5, rate_bps=8_000_000, tx_frames=7, malformed_truncated=3)
    shown = samples(status(fibre))
    assert shown["alagg_link_rtt_seconds", "fibre", "office"] == pytest.approx(0.0125)
    assert shown["alagg_link_rate_bytes_per_second", "fibre", "office"] == 1_000_000
    assert shown["alagg_link_tx_frames_total", "fibre", "office"] == 7
    assert shown["alagg_link_malformed_by_reason_frames_total", "fibre", "office", "truncated"] == 3
    assert shown["alagg_link_info", "eth0", "fibre", "52:54:00:12:34:56", "office", "af_xdp", "ethernet"] == 1


@pytest.mark.parametrize("state", STATES)
def test_the_state_is_a_label(state: str) -> None:
    shown = samples(status(link("office", "fibre", state=state)))
    assert shown["alagg_link_state", "fibre", "office", state] == 1
    assert shown["alagg_link_up", "fibre", "office"] == (state == "up")
    assert sum(name == "alagg_link_state" for name, *_ in shown) == 1


def test_what_is_not_known_is_left_out() -> None:
    shown = samples(status(link("office", "fibre", rtt_ms=None, loss=None)))
    assert not [name for name, *_ in shown if name in ("alagg_link_rtt_seconds", "alagg_link_loss_ratio")]


def test_every_number_of_the_table_is_told() -> None:
    found = status()
    told = {name for name, *_ in samples(found)}
    assert {one.shown for one in metrics()} <= told
    for table in PLACES:
        assert all(metric(table, name) is None for name in ("nonsense", "state"))


def test_few_series_for_each_link() -> None:
    mine = [where for where in samples(status()) if {"fibre", "office"} <= set(where)]
    assert len(mine) <= MAX_SERIES


def test_openmetrics_is_given_to_who_asks_for_it() -> None:
    body, content_type = exposition(status(), OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    families = {family.name for family in parse_openmetrics(body.decode())}  # type: ignore[no-untyped-call]
    assert "alagg_link_tx_frames" in families
    _, content_type = exposition(status(), "text/html, */*;q=0.8")
    assert content_type.startswith("text/plain")


def test_hostile_names_stay_labels() -> None:
    name = 'a"} 1\nalagg_link_up{peer="x'
    assert samples(status(link("office", name)))["alagg_link_up", name, "office"] == 1


def test_a_status_that_lacks_everything() -> None:
    body, _ = exposition({})
    assert b"alagg_link" not in body


def test_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.core", None)
    monkeypatch.delitem(sys.modules, "alagg.metrics.collector", raising=False)
    monkeypatch.delattr("alagg.metrics.collector", raising=False)
    with pytest.raises(ExtraMissingError, match=r"prometheus_client is not .*pip install '\.\[metrics\]'"):
        exposition(status())
