"""Parts: a snapshot on its way from a worker to whoever asked, as JSON texts that hardly anybody has to read again.

With a thousand peers, translating them once takes longer than all the rest. A worker does that, a part at a time; the
supervisor only puts the texts together, unless it has those of several workers to merge.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alagg.control.merged import merge
from alagg.control.text import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Sequence

    Json = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """Some of a worker's counters."""

    rest: Json
    """What is neither of a peer nor of a link; empty except in the first part."""
    peers: str
    """The peers, as JSON objects with a comma between two."""
    links: str
    """The links, in the same way."""


def encode(values: Json) -> Part:
    """Give a part of a snapshot (`alagg.control.snapshot`) in the form in which it travels."""
    rest = {key: value for key, value in values.items() if key not in ("peers", "links")}
    return Part(rest, dumps(values["peers"])[1:-1], dumps(values["links"])[1:-1])


def decode(parts: Sequence[Part]) -> Json:
    """Give a whole snapshot."""
    found: Json = loads(_text(parts, {}).encode())
    return found


def answer(workers: Sequence[Sequence[Part]], node: Json) -> str:
    """Give a node's status as text: what `node` says, and what its workers do, merged where they are several.

    Args:
        workers: for each worker the parts of its snapshot, in order; all of the same configuration.
        node: what the supervisor knows.
    """
    if len(workers) == 1:
        return _text(workers[0], node)
    return dumps({**node, **merge([decode(parts) for parts in workers])})


def _text(parts: Sequence[Part], node: Json) -> str:
    head = json.dumps({**node, **parts[0].rest, "peers": [], "links": []})
    before, empty, _ = head.rpartition('"peers": [], "links": []')
    assert empty
    peers = ", ".join(part.peers for part in parts if part.peers)
    links = ", ".join(part.links for part in parts if part.links)
    return f'{before}"peers": [{peers}], "links": [{links}]}}'
