"""What may go wrong with a part of a run without taking the other parts with it."""

from __future__ import annotations

import subprocess
from typing import Final

from alagg.lab.namespace import LabError
from bench.native import NativeError

FAILURES: Final = (LabError, NativeError, OSError, ValueError, LookupError, subprocess.SubprocessError)
"""A program is missing, fails, ends or hangs, or says something else than it should."""
LONGEST: Final = 300
"""Characters of a line."""


def line(error: BaseException) -> str:
    """Say an error in one line."""
    text = " ".join(str(error).split()) or "no reason given"
    said = text if isinstance(error, LabError | NativeError) else f"{type(error).__name__}: {text}"
    return said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."
