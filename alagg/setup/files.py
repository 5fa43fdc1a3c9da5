"""Files: what the configuration of a host says at first, each option with a comment. A wrong one is never written."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from alagg import sections
from alagg.config import LINK, NODE, PEER, made_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from alagg.option import Option

_HEAD: Final = """\
# Configuration of alagg on {here}, in which {there} is the peer. `alagg init` has written it; change it as you like,
# then: alagg check --config FILE; a running node takes it by: alagg reload --config FILE
# All options with their defaults: cat "$(alagg files config)"
"""


@dataclass(frozen=True)
class Side:
    """What the file of one host says."""

    here: str
    """The name of the host whose file it is."""
    there: str
    """The other one's, the name of the peer."""
    destinations: Sequence[str]
    """The other one's addresses and networks."""
    links: Mapping[str, Mapping[str, str]]
    """Keys of each `[link NAME]`."""
    node: Mapping[str, str] = field(default_factory=dict)
    """Keys of `[alagg]`."""
    peer: Mapping[str, str] = field(default_factory=dict)
    """More keys of `[peer NAME]`."""
    remarks: Mapping[str, str] = field(default_factory=dict)
    """What else is to be said of a link, one line."""


def text(side: Side) -> str:
    """Give the content of a host's file."""
    parts = [_HEAD.format(here=side.here, there=side.there)]
    if side.node:
        parts.append(_section("alagg", side.node, NODE))
    peer = {"destinations": ", ".join(side.destinations), **side.peer}
    parts.append(_section(f"peer {side.there}", peer, PEER))
    for name, keys in side.links.items():
        remark = f"# {side.remarks[name]}\n" if name in side.remarks else ""
        parts.append(remark + _section(f"link {name}", keys, LINK))
    return "\n".join(parts)


def write(path: Path, content: str, *, replace: bool = False) -> None:
    """Write a configuration file.

    Args:
        path: where; its directory is made if it is missing.
        content: what it says.
        replace: whether one that is there may go.

    Raises:
        ConfigError: it would be wrong; nothing is written.
        OSError: it cannot be written, such as `FileExistsError`.
    """
    made_of(sections.parse(content, path), path)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        if replace:
            beside.replace(path)
        else:
            os.link(beside, path)  # refuses where there is one, even if it has just appeared
    finally:
        beside.unlink(missing_ok=True)


def _section(name: str, keys: Mapping[str, str], options: Sequence[Option]) -> str:
    comments = {option.key: option.comment for option in options}
    lines = [f"[{name}]"]
    for key, value in keys.items():
        lines += [*([f"# {comments[key]}"] if key in comments else []), f"{key} = {value}"]
    return "\n".join((*lines, ""))
