"""An option of the configuration: what the tables of all sections are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Option:
    """One key of a section."""

    key: str
    default: str | None
    """The text that stands for a missing key; None where the key must be there."""
    parse: Callable[[str], Any]
    comment: str
    """What it does and which values it takes, for `default_config.cfg`."""
    example: str = ""
    """A value to show where there is no default."""
