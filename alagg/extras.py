"""Extras: parts of alagg that need packages which a plain node does without; one clear line where they lack."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alagg.system import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator


class ExtraMissingError(HostError):
    """A package of an extra is not installed; the text is one line for the user."""


@contextmanager
def needed(extra: str) -> Iterator[None]:
    """Import, inside, what only an extra brings.

    Raises:
        ExtraMissingError: a package is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "alagg":
            raise
        raise ExtraMissingError(
            f"the Python package {package} is not installed; where alagg was installed from, say "
            f"{sys.prefix}/bin/pip install '.[{extra}]'"
        ) from None
