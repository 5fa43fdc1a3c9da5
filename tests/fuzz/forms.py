"""Gives the plain form of an engine's module beside the compiled one, so that a test can compare them."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import alagg.engine

if TYPE_CHECKING:
    from types import ModuleType


def plain(name: str) -> ModuleType:
    """Load a module of the engine from its source, under a name of its own."""
    source = Path(alagg.engine.__path__[0]) / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"plain_{name}", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def needs_compiled(name: str) -> pytest.MarkDecorator:
    """Skip a test where the module runs from its source: comparing it with itself would show nothing."""
    file = importlib.import_module(f"alagg.engine.{name}").__file__
    return pytest.mark.skipif(str(file).endswith(".py"), reason="there is only the plain form here")
