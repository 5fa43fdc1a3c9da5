"""Reference: the table of all metrics that docs/metrics.md shows (`python -m alagg.metrics.reference` writes it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.metrics.names import INFO, INFO_HELP, PLACES, STATE, STATE_HELP, UP, UP_HELP, metrics

if TYPE_CHECKING:
    from collections.abc import Iterable


def markdown() -> str:
    """Give the table: each metric with its kind, its labels and its meaning."""
    link = PLACES["link"][1]
    rows = [
        (UP, "gauge", link, UP_HELP),
        (STATE, "gauge", (*link, "state"), STATE_HELP),
        *((f"alagg_{table}_info", "info", (*PLACES[table][1], *INFO[table]), INFO_HELP) for table in INFO),
        *((one.shown, one.kind, one.labels, one.help) for one in metrics()),
    ]
    lines = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {_listed(labels)} | {text} |" for name, kind, labels, text in rows]
    return "\n".join(lines)


def _listed(labels: Iterable[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


if __name__ == "__main__":
    print(markdown())  # noqa: T201
