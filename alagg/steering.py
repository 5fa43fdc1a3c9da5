"""Steering: what an operator changes of the running node's links, until it is taken back or the node ends."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

from alagg.messages import Blocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.config import Config, LinkConfig

REASON: Final = "by the operator, until it is unblocked or the node restarts"
"""Why such a link is blocked, in words."""
VERBS: Final = ("block", "unblock")
"""What can be done to a link."""
ALLOWED: Final = 'allowed: link {"do": "block" or "unblock", "link": NAME, "peer": PEER or null}'
"""What a question looks like, for who asks another one."""

NAMED: Final = 20
"""Links that are named to who has named none of them."""

log = logging.getLogger(__name__)


class SteeringError(ValueError):
    """What was asked cannot be done; one line says why."""


class Steering:
    """The links that the operator holds back."""

    def __init__(self, tell: Callable[[Blocked], None]) -> None:
        """Begin with none; `tell` tells the workers."""
        self._tell = tell
        self._blocked: dict[tuple[str, str], str] = {}
        """Why, by peer and link."""

    def answer(self, text: str, config: Config) -> dict[str, object]:
        """Do what a client asks, and give its answer.

        Args:
            text: a JSON object with `do`, one of `VERBS`, `link`, and `peer`, which may be null where that is plain.
            config: the node's.
        """
        try:
            verb, link = _read(text, config)
        except SteeringError as error:
            return {"error": str(error)}
        key = link.peer, link.name
        if verb == "block":
            self._blocked[key] = REASON
        else:
            self._blocked.pop(key, None)
        self._tell_all()
        said = f"link {link.name} to {link.peer} is {verb}ed"
        log.info("%s by the control socket", said)
        return {"ok": True, "text": said, "peer": link.peer}

    def keep(self, config: Config) -> None:
        """Have the workers go by it under a new configuration, too; links that are no more are forgotten."""
        if self._blocked:
            known = {(link.peer, link.name) for link in config.links}
            self._blocked = {key: reason for key, reason in self._blocked.items() if key in known}
            self._tell_all()

    def _tell_all(self) -> None:
        self._tell(Blocked(tuple((peer, link, reason) for (peer, link), reason in self._blocked.items())))


def _read(text: str, config: Config) -> tuple[str, LinkConfig]:
    """Read a question.

    Raises:
        SteeringError: it is none, or there is no such link, or several.
    """
    try:
        asked = json.loads(text)
        verb, name, peer = asked["do"], asked["link"], asked.get("peer")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SteeringError(ALLOWED) from None
    if verb not in VERBS:
        raise SteeringError(f"a link cannot be {verb!r}; allowed: {', '.join(VERBS)}")
    found = [link for link in config.links if link.name == name and peer in (None, link.peer)]
    if len(found) == 1:
        return verb, found[0]
    if found:
        peers = ", ".join(link.peer for link in found)
        raise SteeringError(f"several peers have a link {name}: {peers}; say which (--peer)")
    there = [f"{link.name} to {link.peer}" for link in config.links]
    more = f" and {len(there) - NAMED} more" if len(there) > NAMED else ""
    where = "" if peer is None else f" to {peer}"
    raise SteeringError(f"no link {name}{where}; there are: {', '.join(there[:NAMED])}{more}")
