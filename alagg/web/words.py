"""The words of a status: the same verdict that `alagg status` prints, for views that are no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alagg import verdict

if TYPE_CHECKING:
    from rich.text import Text

_LEVELS: Final = {"green": "ok", "yellow": "note"}
"""How bad a line is, by the style in which a terminal shows it; the rest is `bad`."""


def verdict_of(status: dict[str, Any]) -> dict[str, Any]:
    """Give the verdict of a node's status.

    `level` is `ok`, `note` or `bad`, as is that of each of the `lines`; `text` says it in one line; `links` has what
    is wrong with each link, by peer and name.
    """
    head, *lines = verdict.lines(status)
    return {
        "level": _level(head),
        "text": head.plain,
        "lines": [{"level": _level(line), "text": line.plain.strip()} for line in lines],
        "links": [
            {"peer": link.get("peer", ""), "name": link.get("name", ""), "faults": verdict.faults(link)}
            for link in status.get("links", ())
        ],
    }


def _level(line: Text) -> str:
    return _LEVELS.get(str(line.style), "bad")
