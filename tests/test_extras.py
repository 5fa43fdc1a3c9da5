"""Extras: what is missing is named, with the command that brings it; our own faults stay what they are."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

from alagg.extras import ExtraMissingError, needed


def test_the_package_and_its_extra_are_named() -> None:
    with pytest.raises(ExtraMissingError) as caught, needed("monitor"):
        importlib.import_module("no_such_package.part")
    assert str(caught.value) == (
        "the Python package no_such_package is not installed; where alagg was installed from, say "
        f"{sys.prefix}/bin/pip install '.[monitor]'"
    )


def test_a_module_of_our_own_that_is_missing_is_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError), needed("monitor"):
        importlib.import_module("alagg.no_such_module")


def test_what_is_there_is_imported() -> None:
    with needed("monitor"):
        importlib.import_module("json")


def test_extras_that_are_named_exist() -> None:
    project = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    section = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    assert {"browser", "metrics", "monitor", "web", "dev"} <= set(re.findall(r"^(\w+) = \[", section, re.MULTILINE))
