"""Columns: makes a table fit a narrow terminal without losing a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.measure import Measurement
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, RenderableType

    Column = Sequence[RenderableType]
    """A title, and what stands below it."""

_ENDLESS: Final = 100_000
"""Columns that no table needs."""


def fit(table: Table, console: Console) -> list[Table]:
    """Give a table in a form that fits the console: as it is, without its frame, or turned on its side, in pieces.

    A table that is turned has a column for each row, and its first column's cells as titles: it needs no more width
    than the widest of them beside the names of the figures.
    """
    if _width(table, console) > console.width:
        table.box, table.padding = None, (0, 1, 0, 0)
    return [table] if _width(table, console) <= console.width else list(_turned(table, console))


def _turned(table: Table, console: Console) -> Iterator[Table]:
    names = ["", *(str(column.header).replace("\n", " ") for column in table.columns[1:])]
    columns = [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)]
    piece: list[Column] = []
    for column in columns:
        if piece and _width(_table(table, names, [*piece, column]), console) > console.width:
            yield _table(table, names, piece)
            piece = []
        piece.append(column)
    if piece:
        yield _table(table, names, piece)


def _table(original: Table, names: Sequence[str], columns: Iterable[Column]) -> Table:
    turned = Table(box=None, padding=(0, 1, 0, 0), title=original.title, title_justify=original.title_justify)
    turned.add_column(names[0], no_wrap=True)
    for title, *_ in columns:
        turned.add_column(title, justify="right", no_wrap=True)
    for number, name in enumerate(names[1:], 1):
        turned.add_row(name, *(column[number] for column in columns))
    return turned


def _width(table: Table, console: Console) -> int:
    return Measurement.get(console, console.options.update_width(_ENDLESS), table).maximum
