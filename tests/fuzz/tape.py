"""A tape: bytes of a fuzzer, read as small choices, so that every change of a byte is a small change of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Tape:
    """Reads bytes from the front; behind the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        """Take the bytes."""
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        """Give the next bytes, fewer at the end."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        """Give all that is left."""
        return self.take(len(self._data))

    def number(self, size: int = 1) -> int:
        """Give a number of `size` bytes."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"), "big")

    def choice(self, options: Sequence[T]) -> T:
        """Give one of the options, by one byte."""
        return options[self.number() % len(options)]
