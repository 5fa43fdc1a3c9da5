"""Both forms of the engine side by side in one process: the compiled one and the plain one of the same source."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

import alagg.engine
from alagg import form

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES: Final = (
    "addresses", "crc", "endpoint", "fragment", "header", "latent", "link", "merge", "monitor", "mss", "peer",
    "receiver", "recovery", "reorder", "scheduler", "segment", "sender", "sequence", "vnet",
)  # fmt: skip
"""The modules of the engine that a form has as its attributes."""


@cache
def plain() -> SimpleNamespace:
    """Give the plain engine's modules, whichever form the rest of the process uses."""
    return plain_anew()


def plain_anew() -> SimpleNamespace:
    """Give the plain engine's modules once more, not shared with anybody."""
    with _finders([form.PlainSources(), *sys.meta_path]):
        return _modules()


@cache
def compiled() -> SimpleNamespace | None:
    """Give the compiled engine's modules; None where they were not built."""
    if form.engine() == "compiled":
        # They cannot be loaded twice.
        return _modules()
    with _finders([finder for finder in sys.meta_path if not isinstance(finder, form.PlainSources)]):
        spec = find_spec("alagg.engine.receiver")
        if spec is None or str(spec.origin).endswith(".py"):
            return None
        return _modules()


def both() -> list[SimpleNamespace]:
    """Give the forms that are there, the plain one first."""
    found = [plain(), compiled()]
    return [engine for engine in found if engine is not None]


def _modules() -> SimpleNamespace:
    return SimpleNamespace(**{name: import_module(f"alagg.engine.{name}") for name in MODULES})


def _is_engine(name: str) -> bool:
    return name == "alagg.engine" or name.startswith("alagg.engine.")


@contextmanager
def _finders(finders: list[Any]) -> Iterator[None]:
    """Import the engine anew with other finders; afterwards the process has its own form back."""
    package, usual_finders = alagg.engine, sys.meta_path
    usual = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_engine(name)}
    sys.meta_path = finders
    try:
        yield
    finally:
        sys.meta_path = usual_finders
        for name in list(sys.modules):
            if _is_engine(name):
                del sys.modules[name]
        sys.modules.update(usual)
        alagg.engine = package


needs_compiled = pytest.mark.skipif(compiled() is None, reason="the engine was not compiled")
