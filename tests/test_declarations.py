"""Rules about compiled code: types as wide on every machine, and no constant that is looked up as an object."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
DECLARATIONS: Final = sorted((ROOT / "alagg").rglob("*.pxd"))
COMPILED: Final = sorted([*DECLARATIONS, *(ROOT / "alagg").rglob("*.pyx")])
MODULES: Final = [path for path in DECLARATIONS if path.with_suffix(".py").exists()]

LONG: Final = re.compile(r"(?<!long )\blong\b(?! long)")
"""A C type of 32 bits on some machines and 64 on others: `int32_t`, `int64_t`, `Py_ssize_t` are what they say."""
FUNCTION: Final = re.compile(r"^\s*c(?:p)?def\s[^=\n]*?(\w+)\(", re.MULTILINE)
CONSTANT: Final = re.compile(r"_?[A-Z][A-Z0-9_]+")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_of(path: Path) -> str:
    """Give a file without its comments and docstrings."""
    return re.sub(r'#.*|""".*?"""', "", path.read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def bare_longs(text: str) -> list[str]:
    """Give the lines with a type whose width differs between machines."""
    return [line.strip() for line in text.splitlines() if LONG.search(line)]


def looked_up(source: str, declarations: str) -> set[str]:
    """Give the names of constants that declared functions use and no declaration types."""
    declared = set(FUNCTION.findall(declarations))
    used = {
        node.id
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef) and function.name in declared
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and CONSTANT.fullmatch(node.id)
    }
    return {name for name in used if not re.search(rf"^(?:cdef|from)\s.*\b{name}\b", declarations, re.MULTILINE)}


@pytest.mark.parametrize("path", COMPILED, ids=relative)
def test_types_are_as_wide_on_every_machine(path: Path) -> None:
    assert not bare_longs(code_of(path))


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_numbers_in_compiled_code_are_typed(path: Path) -> None:
    """One that is not is looked up in the module's dictionary each time, and becomes a C number anew."""
    module = import_module(module_of(path))
    names = looked_up(path.with_suffix(".py").read_text(encoding="utf-8"), code_of(path))
    assert not {name for name in names if isinstance(getattr(module, name, None), int | float)}


@pytest.mark.parametrize(("line", "bare"), [
    ("cdef long count", True), ("cdef unsigned long count", True), ("cpdef f(self, long one, int other)", True),
    ("cdef long long count", False), ("cdef unsigned long long count", False), ("cdef int64_t longest", False),
    ("(long, int)", True), ("@cython.locals(size=long)", True), ("cdef double along", False),
])
def test_bare_long_is_found(line: str, bare: bool) -> None:  # noqa: FBT001
    assert bool(bare_longs(line)) == bare


def test_constants_are_found_where_compiled_functions_use_them() -> None:
    source = """
def hot(): return ONE + _TWO + THREE + FOUR + lower
def cold(): return FIVE
class C:
    def method(self): return SIX
"""
    declarations = """
from somewhere cimport THREE
cdef int FOUR
cpdef int hot()
cdef class C:
    cdef list method(self)
"""
    assert looked_up(source, declarations) == {"ONE", "_TWO", "SIX"}
