"""Steering: what an operator changes of the running node's links, until it is taken back or the node ends."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from alagg import changes, consistency, linktypes, sections
from alagg.config import ConfigError, made_of
from alagg.engine.state import BLOCKED as STATE
from alagg.system import HostError
from alagg.values import similar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alagg.config import Config, LinkConfig
    from alagg.sections import Texts

    Answer = Callable[[dict[str, object]], None]
    """Takes what a client is told."""

BLOCKED: Final = "by the operator, until it is unblocked or the node restarts"
"""Why a link is blocked, in words."""
LEAVING: Final = "by the operator, who takes it away"
"""Why a link is blocked that goes away in a moment."""
VERBS: Final = ("show", "block", "unblock", "add", "set", "remove")
"""What can be asked of a link."""
ALLOWED: Final = 'allowed: link {"do": "block", "link": NAME, "peer": PEER or null, "values": {KEY: TEXT}}'
"""What a question looks like, for who asks another one."""
LEAVE_BEATS: Final = 4
"""Beats for which a link is blocked before it goes: then the other side sends nothing on it any more."""
LEAVE_AT_MOST: Final = 2.0
"""Seconds, at most."""
NAMED: Final = 20
"""Links that are named to who has named none of them."""

log = logging.getLogger(__name__)


class SteeringError(ValueError):
    """What was asked cannot be done; one line says why."""


class Steered(Protocol):
    """What a node offers to who steers it."""

    config: Config
    """What it goes by."""

    def hold(self, source: str, held: list[tuple[str, str, str, str]]) -> None:
        """Hold links back: peer, link, state and reason; those that the same source held before are free else."""

    def take(self, config: Config) -> None:
        """Go over to another configuration; raise `HostError` and stay as it was where that cannot be."""

    def call_in(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something later."""

    def publish(self, kind: str, text: str) -> None:
        """Tell those who asked for events."""


@dataclass(frozen=True)
class Wish:
    """What a client wants."""

    verb: str
    link: str
    peer: str | None = None
    keys: dict[str, str] = field(default_factory=dict)


class Steering:
    """What the operator has changed."""

    def __init__(self, node: Steered) -> None:
        """Begin with nothing."""
        self._node = node
        self._file = node.config.texts
        """What the file said when it was read last."""
        self._blocked: dict[tuple[str, str], str] = {}
        """Why, by peer and link."""
        self._leaving: dict[tuple[str, str], str] = {}
        """The same of those that go away in a moment."""

    def ask(self, text: str, answer: Answer) -> None:
        """Do what a client asks, and answer; where a link goes away, in a moment.

        Args:
            text: a JSON object with `do`, one of `VERBS`, `link`, `peer`, which may be null, and for `add` and `set`
                `values`, texts as in the file by their keys.
            answer: takes `ok`, `text`, `peer`, the `file` and the link's `section` now (null for none), and
                `warnings`; or `error`, with the `kind` `config`, where that is what no file may say.
        """
        try:
            wish = _read(text)
            if wish.verb == "show":
                answer(self._differences())
            elif wish.verb in ("block", "unblock"):
                answer(self._hold(wish))
            else:
                self._change(wish, answer)
        except (SteeringError, ConfigError, HostError) as error:
            answer(_refusal(error, self._node.config))

    def keep(self, config: Config) -> None:
        """Have the workers go by it under a new configuration, too; links that are no more are forgotten."""
        if self._blocked or self._leaving:
            known = {(link.peer, link.name) for link in config.links}
            self._blocked = {key: reason for key, reason in self._blocked.items() if key in known}
            self._tell()

    def returned(self, before: Config, config: Config) -> list[str]:
        """Take that the file was read again, and say what of the operator's changes is gone with that."""
        changed = {one.link for one in changes.differences(before.texts, self._file)}
        gone = {one.link for one in changes.differences(before.texts, config.texts)}
        self._file = config.texts
        return [f"link {link} is again as in the file: it was changed while the node ran" for link in changed & gone]

    def _tell(self) -> None:
        held = {**self._blocked, **self._leaving}
        self._node.hold("operator", [(peer, link, STATE, reason) for (peer, link), reason in held.items()])

    def _hold(self, wish: Wish) -> dict[str, object]:
        link = _find(wish, self._node.config)
        key = link.peer, link.name
        if wish.verb == "block":
            self._blocked[key] = BLOCKED
        else:
            self._blocked.pop(key, None)
        self._tell()
        return self._done(link, f"link {link.name} to {link.peer} is {wish.verb}ed")

    def _change(self, wish: Wish, answer: Answer) -> None:
        """Change the configuration, once the other side sends nothing more on what goes away."""
        before = self._node.config
        leaving = _leaving(before, self._changed(wish))
        if not leaving:
            answer(self._take(wish))
            return
        self._leaving |= dict.fromkeys(leaving, LEAVING)
        self._tell()
        pause = min(LEAVE_BEATS * before.probe_interval, LEAVE_AT_MOST)
        self._node.call_in(pause, lambda: self._leave(wish, leaving, answer))

    def _leave(self, wish: Wish, leaving: list[tuple[str, str]], answer: Answer) -> None:
        try:
            said = self._take(wish, leaving)
        except (SteeringError, ConfigError, HostError) as error:
            said = _refusal(error, self._node.config)
        # A link that leads elsewhere now is the same one to the engine, and blocked until that hears of it.
        self._tell()
        answer(said)

    def _take(self, wish: Wish, leaving: Sequence[tuple[str, str]] = ()) -> dict[str, object]:
        for key in leaving:
            self._leaving.pop(key, None)
        before, config = self._node.config, self._changed(wish)
        self._node.take(config)
        link = next(one for one in (*config.links, *before.links) if one.name == wish.link)
        keys = ", ".join(f"{key} = {text}" for key, text in wish.keys.items())
        done = {"add": "is added", "remove": "is removed", "set": f"goes by {keys or 'what it went by before'}"}
        answer = self._done(link, f"link {link.name} to {link.peer} {done[wish.verb]}")
        known = consistency.warnings(before)
        answer["warnings"] = [line for line in consistency.warnings(config) if line not in known]
        return answer

    def _changed(self, wish: Wish) -> Config:
        """Give the configuration with a wish fulfilled.

        Raises:
            ConfigError: what is wrong with it, as for a file.
            SteeringError: there is no such link, or it is there already.
        """
        config = self._node.config
        return made_of(_texts(wish, config), config.path)

    def _done(self, link: LinkConfig, text: str) -> dict[str, object]:
        log.info("%s, by the control socket", text)
        self._node.publish("steered", text)
        config = self._node.config
        section = config.texts.get(changes.section_of(link.name))
        return {"ok": True, "text": text, "peer": link.peer, "file": str(config.path.absolute()), "section": section}

    def _differences(self) -> dict[str, object]:
        """Say how the links differ from the file as it is now; from what it said last where it cannot be read."""
        config, file = self._node.config, self._file
        try:
            file = sections.parse(sections.read(config.path), config.path)
        except ConfigError as error:
            log.info("%s", error)
        found = changes.differences(config.texts, file)
        listed = [{"link": one.link, "what": one.what, "keys": one.keys, "text": one.words} for one in found]
        return {"ok": True, "file": str(config.path.absolute()), "differences": listed}


def _read(text: str) -> Wish:
    """Read a question.

    Raises:
        SteeringError: it is none.
    """
    try:
        asked = json.loads(text)
        wish = Wish(asked["do"], asked.get("link", ""), asked.get("peer"), dict(asked.get("values") or {}))
        texts = (wish.link, wish.peer or "", *wish.keys, *wish.keys.values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SteeringError(ALLOWED) from None
    if wish.verb not in VERBS:
        raise SteeringError(f"a link cannot be {wish.verb!r}; allowed: {', '.join(VERBS)}")
    if not all(isinstance(one, str) for one in texts) or (wish.verb != "show" and not wish.link):
        raise SteeringError(ALLOWED)
    return wish


def _find(wish: Wish, config: Config) -> LinkConfig:
    """Give the link that a wish names.

    Raises:
        SteeringError: there is no such link.
    """
    found = next((link for link in config.links if link.name == wish.link), None)
    if found is not None and wish.peer in (None, found.peer):
        return found
    there = [f"{link.name} to {link.peer}" for link in config.links]
    more = f" and {len(there) - NAMED} more" if len(there) > NAMED else ""
    where = "" if wish.peer is None else f" to {wish.peer}"
    hint = similar(wish.link, [link.name for link in config.links]) if found is None else ""
    raise SteeringError(f"no link {wish.link}{where}; there are: {', '.join(there[:NAMED])}{more}{hint}")


def _texts(wish: Wish, config: Config) -> Texts:
    """Give the texts with a wish fulfilled.

    Raises:
        SteeringError: there is no such link, or it is there already.
    """
    if wish.verb == "add":
        there = next((link for link in config.links if link.name == wish.link), None)
        if there is not None:
            raise SteeringError(f"a link {there.name} is there, to {there.peer}; allowed: set, or another name")
        return changes.add(config.texts, wish.link, {**({"peer": wish.peer} if wish.peer else {}), **wish.keys})
    link = _find(wish, config)
    if wish.verb == "remove":
        return changes.remove(config.texts, link.name)
    return changes.change(config.texts, link.name, wish.keys)


def _leaving(before: Config, after: Config) -> list[tuple[str, str]]:
    """Give the links that are no more, or lead elsewhere."""
    ways = {(link.peer, link.name): linktypes.way(link) for link in after.links}
    return [
        (link.peer, link.name) for link in before.links if ways.get((link.peer, link.name)) != linktypes.way(link)
    ]  # fmt: skip


def _refusal(error: Exception, config: Config) -> dict[str, object]:
    """Say that something cannot be; what is wrong with a link is so in the node, not in the file."""
    kind: dict[str, Any] = {"kind": "config"} if isinstance(error, ConfigError) else {}
    return {"error": str(error).removeprefix(f"{config.path}: "), **kind}
