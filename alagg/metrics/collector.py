"""Collector: puts a status into the families of prometheus_client, which writes them as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from alagg.control.counters import COUNTER
from alagg.metrics.names import INFO, INFO_HELP, PLACES, STATE, STATE_HELP, UP, UP_HELP, metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prometheus_client import Metric as Family

    from alagg.metrics.names import Metric

    Status = Mapping[str, Any]


def exposition(status: Status, accept: str) -> tuple[bytes, str]:
    """Give the body and the content type (see `alagg.metrics.exposition`)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusCollector(status))
    encoder, content_type = choose_encoder(accept)
    return encoder(registry), content_type


class StatusCollector(Collector):
    """One status, in families; a metric that the status does not know (null) is left out."""

    def __init__(self, status: Status) -> None:
        """Tell of this status."""
        self._status = status
        self._families: dict[str, Family] = {}

    def collect(self) -> Iterable[Family]:
        """Give all families."""
        self._families = {}
        status = self._status
        self._take("node", (), status)
        self._info("node", (), status)
        for place in ("capture", "injector", "drops"):
            self._take(place, (), status.get(place, {}))
        for peer in status.get("peers", ()):
            self._peer(peer)
        for link in status.get("links", ()):
            self._link(link)
        return self._families.values()

    def _peer(self, peer: Status) -> None:
        labels = (str(peer.get("name", "")),)
        self._take("peer", labels, peer)
        self._info("peer", labels, peer)
        for side in ("tx", "rx"):
            self._take(side, labels, peer.get(side, {}))

    def _link(self, link: Status) -> None:
        labels = (str(link.get("peer", "")), str(link.get("name", "")))
        state = str(link.get("state", ""))
        self._gauge(UP, UP_HELP, ("peer", "link")).add_metric(labels, float(state == "up"))
        self._gauge(STATE, STATE_HELP, ("peer", "link", "state")).add_metric((*labels, state), 1.0)
        self._take("link", labels, link)
        self._info("link", labels, link)

    def _take(self, table: str, labels: Sequence[str], values: Status) -> None:
        """Take all of a table that is a number."""
        for name, value in values.items():
            known = metric(table, name)
            if known is not None and isinstance(value, int | float):
                where = (*labels, name[known.reason :]) if known.reason else labels
                self._family(known).add_metric(where, value * known.factor)

    def _info(self, table: str, labels: Sequence[str], values: Status) -> None:
        place, names = PLACES[table]
        name = f"alagg_{place}"
        family = self._families.get(f"{name}_info")
        if family is None:
            family = self._families[f"{name}_info"] = InfoMetricFamily(name, INFO_HELP, labels=names)
        assert isinstance(family, InfoMetricFamily)
        words = {key: str(values[key]) for key in INFO[table] if values.get(key)}
        family.add_metric(labels, words)

    def _gauge(self, name: str, text: str, labels: Sequence[str]) -> GaugeMetricFamily:
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = GaugeMetricFamily(name, text, labels=labels)
        assert isinstance(family, GaugeMetricFamily)
        return family

    def _family(self, known: Metric) -> CounterMetricFamily | GaugeMetricFamily:
        if known.kind != COUNTER:
            return self._gauge(known.name, known.help, known.labels)
        family = self._families.get(known.name)
        if family is None:
            family = self._families[known.name] = CounterMetricFamily(known.name, known.help, labels=known.labels)
        assert isinstance(family, CounterMetricFamily)
        return family
