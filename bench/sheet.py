"""A table as plain text cells, shown on a terminal or written as Markdown: one source for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLES: Final = {"met": "green", "missed": "red", "not measured": "dim", "-": "dim"}
"""Of cells that say this."""


@dataclass(frozen=True)
class Sheet:
    """A table. Its first column holds words, as do those in `words`; the others hold numbers."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: tuple[str, ...] = ()

    def rich(self) -> Table:
        """Give it for the terminal."""
        table = Table(title=escape(self.title), title_justify="left")
        for number, title in enumerate(self.head):
            words = self._words(number)
            table.add_column(title, justify="left" if words else "right", no_wrap=False, overflow="fold")
        for row in self.rows:
            table.add_row(*(f"[{STYLES[cell]}]{cell}[/]" if cell in STYLES else escape(cell) for cell in row))
        return table

    def markdown(self) -> str:
        """Give it for a page; the title goes above."""
        rules = ("---" if self._words(number) else "---:" for number in range(len(self.head)))
        lines = (f"| {' | '.join(cells)} |" for cells in (self.head, rules, *self.rows))
        return "\n".join([f"{self.title}:", "", *lines])

    def _words(self, number: int) -> bool:
        return number == 0 or self.head[number] in self.words
