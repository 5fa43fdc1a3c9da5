"""Sections: a configuration as the texts that stand in its file, before anybody asks what they mean."""

from __future__ import annotations

import ast
import configparser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Texts = dict[str, dict[str, str]]
"""The text of each key, by section."""


class ConfigError(ValueError):
    """What is wrong in a configuration, in one line: file, section, key, value, and what is allowed."""


def read(path: Path) -> str:
    """Give what a configuration file says.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None


def parse(text: str, path: Path) -> Texts:
    """Sort what a file says by sections and keys; `path` is where it stands, or will.

    Raises:
        ConfigError: it is not in the form of such a file.
    """
    parser = configparser.ConfigParser(
        interpolation=None, inline_comment_prefixes=(";", "#"), default_section="\0", delimiters=("=",)
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.DuplicateSectionError as error:
        raise ConfigError(f"{path}: line {error.lineno}: [{error.section}] stands twice; allowed: once") from None
    except configparser.DuplicateOptionError as error:
        raise ConfigError(
            f"{path}: line {error.lineno}: [{error.section}] {error.option} stands twice; allowed: once"
        ) from None
    except configparser.MissingSectionHeaderError as error:
        raise ConfigError(
            f"{path}: line {error.lineno}: stands before any section; allowed: [alagg], [peer NAME], [link NAME]"
        ) from None
    except configparser.ParsingError as error:
        line, quoted = error.errors[0]
        shown = one_line(ast.literal_eval(quoted))
        raise ConfigError(f"{path}: line {line}: {shown!r} is not understood; allowed: key = value") from None
    return {section: dict(parser[section]) for section in parser.sections()}


def one_line(text: str) -> str:
    """Join a value that goes on over several lines, so that a complaint about it stays one line."""
    return " ".join(text.split())
