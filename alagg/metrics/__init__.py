"""Metrics: a node's status as Prometheus reads it, made from the one table of counters.

`exposition(status, accept)` gives what stands at `/metrics`; it needs the package's extra `metrics`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alagg.extras import needed

if TYPE_CHECKING:
    from collections.abc import Mapping


def exposition(status: Mapping[str, Any], accept: str = "") -> tuple[bytes, str]:
    """Give the body and the content type of an answer to a scraper.

    Args:
        status: what the node answers to `status`.
        accept: the request's `Accept`; OpenMetrics where it asks for that, else Prometheus' own text.

    Raises:
        CommandError: prometheus-client is not installed; the text is one line for the user.
    """
    with needed("metrics"):
        from alagg.metrics import collector  # noqa: PLC0415 - an extra, which the node itself does without
    return collector.exposition(status, accept)
