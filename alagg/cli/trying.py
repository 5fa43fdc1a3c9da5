"""What the commands have in common that try something for a while: bounds of numbers, a bar, a table."""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def number(least: float, most: float, kind: type = float) -> Callable[[str], float]:
    """Give what reads a number within bounds."""

    def read(text: str) -> float:
        try:
            found: float = kind(text)
        except ValueError:
            found = least - 1
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"{text}: allowed: {least:g} to {most:g}")
        return found

    return read


@contextmanager
def bar(total: float, title: str) -> Iterator[Callable[[float, str], None]]:
    """Show how far something is, on a terminal; give what takes that, and what is done now."""
    from rich.console import Console  # noqa: PLC0415 - it takes its time
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done, what: progress.update(task, completed=done, description=f"{title}: {what}")


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print lines in columns: words to the left, figures to the right; no column is cut."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    last = len(titles) - 1
    for row in (titles, *rows):
        cells = [text.ljust(width) if at in (0, last) else text.rjust(width) for at, (text, width) in
                 enumerate(zip(row, widths, strict=True))]  # fmt: skip
        print("  ".join(cells).rstrip())


def rounded(value: float | None, digits: int) -> str:
    """Give a figure, or a dash for one that is not known."""
    return "-" if value is None else f"{value:,.{digits}f}"
