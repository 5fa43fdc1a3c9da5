"""Saving: writes a link into a configuration file as it is in the running node, and leaves all else as it stands."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from configupdater import ConfigUpdater, Option

from alagg import changes, sections
from alagg.config import made_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from configupdater import Section

_BOM: Final = "\ufeff"
_COMMENT: Final = re.compile(r"(?:^|[^\S\n]+)[;#].*", re.MULTILINE)
"""What stands behind a value on its line, or alone on one of its lines."""


def save(path: Path, link: str, keys: Mapping[str, str] | None) -> None:
    """Write a link's keys into a file, or take the link out of it: all or nothing, even if the host fails.

    Args:
        path: of the file; where it is a symbolic link, it stays one.
        link: its name.
        keys: its texts by their keys; None for no such link.

    Raises:
        ConfigError: the file is wrong, or would be then.
        OSError: it cannot be written.
    """
    before = sections.read(path)
    sections.parse(before, path)
    with path.open(encoding="utf-8", newline="") as file:
        raw = file.read()
    text = edited(before, link, keys)
    made_of(sections.parse(text, path), path)
    if "\r\n" in raw:
        text = text.replace("\n", "\r\n")
    _replace(Path(os.path.realpath(path)), (_BOM if raw.startswith(_BOM) else "") + text)


def edited(text: str, link: str, keys: Mapping[str, str] | None) -> str:
    """Give a file's text with a link's keys set, its other keys gone, or, for None, without the link."""
    updater = ConfigUpdater(delimiters=("=",))  # told of comments behind values, it loses some of them
    updater.optionxform = str  # type: ignore[assignment,method-assign]
    updater.read_string(text)
    name = changes.section_of(link)
    if keys is None:
        return _without(text, updater[name]) if updater.has_section(name) else text
    if not updater.has_section(name):
        return _appended(text, name, keys)
    section = updater[name]
    for key in [key for key in section if key not in keys]:
        del section[key]
    for key, value in keys.items():
        _set(section, key, value)
    return str(updater)


def _without(text: str, section: Section) -> str:
    """Take a section out, but not the comments behind its last key: they are the next one's."""
    blocks = list(section.iter_blocks())
    options = [place for place, block in enumerate(blocks) if isinstance(block, Option)]
    tail = "".join(map(str, blocks[options[-1] + 1 if options else 0 :]))
    before, _, after = text.partition(str(section))
    return before + tail.lstrip("\n") + after


def _appended(text: str, name: str, keys: Mapping[str, str]) -> str:
    lines = "".join(f"{key} = {value}".rstrip() + "\n" for key, value in keys.items())
    return f"{text.rstrip()}\n\n[{name}]\n{lines}"


def _set(section: Section, key: str, value: str) -> None:
    """Set a key where it stands, the comment behind it kept; a new one behind the last."""
    if key not in section:
        last = next(reversed(section.options()), None)
        if last is None:
            section[key] = value
        else:
            section[last].add_after.option(key, value)
        return
    option = section[key]
    there = option.value or ""
    if sections.one_line(_COMMENT.sub("", there)) == value:
        return
    first, *others = there.split("\n")
    behind = _COMMENT.search(first)
    option.value = value + (behind[0] if behind and behind.start() else f" {behind[0]}" if behind else "")
    for line in reversed([line for line in others if _COMMENT.match(line)]):
        option.add_after.comment(line)


def _replace(path: Path, text: str) -> None:
    """Exchange a file for another of the same owner and mode, so that whoever reads it meets one or the other."""
    there = path.stat()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if (there.st_uid, there.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), there.st_uid, there.st_gid)
            os.fchmod(file.fileno(), there.st_mode & 0o7777)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
