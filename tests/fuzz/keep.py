"""Takes into the corpus those of the inputs found that reach what no other of its inputs reaches.

    python -m tests.fuzz.keep TARGET FOLDER        FOLDER: as fuzzing left it, build/fuzz/TARGET

(libFuzzer's own -merge=1 starts its program anew and anew, which a Python module does not survive.)
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import forms
from tests.fuzz.seeds import CORPUS
from tests.fuzz.targets import EDGES, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

Step = tuple[str, int, int]
"""A line of a file, and the one that was run before it."""


def reached(target: Callable[[bytes], None], data: bytes) -> set[Step]:
    """Give the steps that an input makes the plain form take."""
    files = {str(module.__file__) for module in (*vars(forms.plain()).values(), sys.modules[EDGES[0]])}
    steps: set[Step] = set()

    def enter(frame: FrameType, _event: str, _argument: object) -> Any:
        file, before = frame.f_code.co_filename, frame.f_code.co_firstlineno

        def step(frame: FrameType, _event: str, _argument: object) -> Any:
            nonlocal before
            steps.add((file, before, frame.f_lineno))
            before = frame.f_lineno
            return step

        return step if file in files else None

    usual = sys.gettrace()
    sys.settrace(enter)
    try:
        target(data)
    finally:
        sys.settrace(usual)
    return steps


def keep(target: Callable[[bytes], None], corpus: Path, found: Path) -> list[Path]:
    """Copy what reaches more, the smallest inputs first; give the copies."""
    known: set[Step] = set()
    for path in corpus.iterdir():
        known |= reached(target, path.read_bytes())
    kept = []
    for path in sorted(found.iterdir(), key=lambda path: (path.stat().st_size, path.name)):
        more = reached(target, path.read_bytes()) - known
        if more:
            known |= more
            kept.append(Path(shutil.copy(path, corpus / path.name)))
    return kept


def main() -> None:
    """Run the command line."""
    name, folder = sys.argv[1:]
    print(f"alagg: {len(keep(TARGETS[name], CORPUS / name, Path(folder)))} inputs kept")  # noqa: T201


if __name__ == "__main__":
    main()
