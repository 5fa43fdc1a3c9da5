"""Runs one target under atheris, which looks for inputs that reach new branches of the plain form.

    python -m tests.fuzz.guided TARGET [what libFuzzer takes: files, folders, -runs=..., -max_len=..., ...]

A file as argument is run once: this is how a finding is looked at.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any

from tests import forms
from tests.fuzz.targets import EDGES, TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


def functions(module: ModuleType) -> Iterator[FunctionType]:
    """Give all functions and methods that a module defines."""
    for thing in vars(module).values():
        if getattr(thing, "__module__", None) == module.__name__:
            for value in vars(thing).values() if isinstance(thing, type) else (thing,):
                function = value.fget if isinstance(value, property) else value
                if isinstance(function, FunctionType):
                    yield function


def watched() -> Iterator[ModuleType]:
    """Give the modules whose branches count."""
    yield from vars(forms.plain()).values()
    yield sys.modules[EDGES[0]]


def main() -> None:
    """Fuzz; does not return."""
    import atheris  # noqa: PLC0415 - there is none for every interpreter; who asks for it says so

    target = TARGETS[sys.argv[1]]
    for module in watched():
        for function in functions(module):
            atheris.instrument_func(function)
    arguments: list[Any] = [sys.argv[0], *sys.argv[2:]]
    atheris.Setup(arguments, target, internal_libfuzzer=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
