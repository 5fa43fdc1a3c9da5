"""Changes: what an operator wants of the links of a configuration, and what that makes different from its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alagg.config import LINK
from alagg.sections import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alagg.sections import Texts

_DEFAULTS: Final = {option.key: option.default or "" for option in LINK}


@dataclass(frozen=True)
class Difference:
    """How a link of the running node differs from the one in the file."""

    link: str
    what: str
    """`added`, `changed` or `removed`, while the node runs."""
    keys: dict[str, tuple[str, str]]
    """Of a changed one: what differs, as it is in the node and in the file."""

    @property
    def words(self) -> str:
        """Say it to people."""
        if self.what != "changed":
            return f"{self.what} while the node runs"
        return ", ".join(f"{key} = {ours} (file: {file or 'nothing'})" for key, (ours, file) in self.keys.items())


def section_of(link: str) -> str:
    """Give the name of a link's section."""
    return f"link {link}"


def add(texts: Texts, link: str, keys: Mapping[str, str]) -> Texts:
    """Add a link."""
    return {**texts, section_of(link): {key: one_line(text) for key, text in keys.items()}}


def change(texts: Texts, link: str, keys: Mapping[str, str]) -> Texts:
    """Set some keys of a link."""
    return add(texts, link, {**texts[section_of(link)], **keys})


def remove(texts: Texts, link: str) -> Texts:
    """Take a link out."""
    return {section: keys for section, keys in texts.items() if section != section_of(link)}


def differences(running: Texts, file: Texts) -> list[Difference]:
    """Compare the links of the running node with those in the file."""
    ours, theirs = _links(running), _links(file)
    found = []
    for link in {**ours, **theirs}:
        if link not in theirs:
            found.append(Difference(link, "added", {}))
        elif link not in ours:
            found.append(Difference(link, "removed", {}))
        elif keys := _differing(ours[link], theirs[link]):
            found.append(Difference(link, "changed", keys))
    return found


def _links(texts: Texts) -> dict[str, dict[str, str]]:
    kind = section_of("")
    return {section.removeprefix(kind): keys for section, keys in texts.items() if section.startswith(kind)}


def _differing(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Compare key by key; one that is missing stands for its default."""
    both = {key: (_text(ours, key), _text(theirs, key)) for key in {**theirs, **ours}}
    return {key: texts for key, texts in both.items() if texts[0] != texts[1]}


def _text(keys: Mapping[str, str], key: str) -> str:
    return one_line(keys.get(key, _DEFAULTS.get(key, "")))
