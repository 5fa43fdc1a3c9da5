"""Which form runs: the engine compiled or plain, the edges compiled or plain.

`ALAGG_PURE=1` in the environment asks for the plain engine although the compiled one is there, `ALAGG_PURE=all` for
plain edges as well. Both forms come from one source and give the same results; only their speed differs. The worker's
loop goes with the engine, and cutting and merging of super-packets with the edges: only these use them.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

VARIABLE: Final = "ALAGG_PURE"
"""The environment's variable that asks for plain forms: `1` or `all`."""

ENGINE: Final = ("alagg.engine", "alagg.worker", "alagg.control.snapshot")
"""What has the engine's form."""
WITH_EDGES: Final = tuple(f"alagg.engine.{name}" for name in ("segment", "merge", "vnet", "mss", "addresses"))
"""Modules of the engine that have the edges' form."""


class PlainSources:
    """Finds sources where compiled modules lie beside them: an entry of `sys.meta_path`."""

    def __init__(self, plain: Sequence[str] = ENGINE, compiled: Sequence[str] = ()) -> None:
        """Take the names of modules and packages whose sources are found, and of modules whose are not."""
        self._plain = plain
        self._compiled = compiled

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give the source of a module that shall be plain; None for all others."""
        if path is None or name in self._compiled or not any(f"{name}.".startswith(f"{one}.") for one in self._plain):
            return None
        specs = (FileFinder(place, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name, target) for place in path)
        return next((spec for spec in specs if spec is not None), None)


def obey_environment() -> None:
    """Make the imports that follow find the form that the environment asks for."""
    wanted = os.environ.get(VARIABLE)
    if wanted and not any(isinstance(finder, PlainSources) for finder in sys.meta_path):
        plain = PlainSources(["alagg"]) if wanted == "all" else PlainSources(compiled=WITH_EDGES)
        sys.meta_path.insert(0, plain)


def engine() -> str:
    """Give the engine's form: `compiled` or `plain`."""
    import alagg.engine.receiver as module  # noqa: PLC0415 - whoever asks has imported it

    return "plain" if str(module.__file__).endswith(".py") else "compiled"


def shortfall() -> str:
    """Say in one line what runs in its plain form, and why; give nothing when all is compiled."""
    plain = [name for name, form in (("engine", engine()), ("edges", edges())) if form == "plain"]
    if not plain:
        return ""
    why = f"{VARIABLE} asks for it" if os.environ.get(VARIABLE) else "no compiler was found at installation"
    return f"{' and '.join(plain)}: plain form, several times slower than the compiled one ({why})"


def edges() -> str:
    """Give the edges' form: `compiled` or `plain`."""
    if os.environ.get(VARIABLE) == "all" or find_spec("alagg.native.packet") is None:
        return "plain"
    return "compiled"
