"""The journal: each change to the host is written down before it is made, so that even a crash can be undone.

The file is a list of JSON lines beside the control socket. While a node lives it holds a POSIX record lock on
it. Such a lock belongs to the process, not to the descriptor: a forked worker that outlives a killed supervisor
for a moment does not hold it. (For the same reason a process must not open the journal twice.)
"""

from __future__ import annotations

import fcntl
import importlib
import itertools
import json
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alagg.system import HostError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Facts = dict[str, str | int]
"""What must be known to undo one change, whatever happened since."""

UNDOES: Final[Mapping[str, str]] = {
    "rule": "alagg.system.rules",
    "qdisc": "alagg.system.shaping",
}
"""Which module undoes which kind of change.

Its function `undo(facts: Sequence[Facts]) -> list[str]` takes changes back, the given ones in the given order,
and says what it did. It never minds a change that was not made or is gone already; when one cannot be undone it
goes on with the others and raises `HostError` at the end. The modules are imported when they are needed.
"""

_DIRECTORY: Final = "directory"
"""Kind of line: a directory that was made for the journal, and goes after it when it is empty."""
_LOCK = struct.Struct("hhqqi")
"""`struct flock`: type, whence, start, length, process id."""


class NodeRunningError(HostError):
    """The journal belongs to a living process."""

    def __init__(self, path: Path, pid: int) -> None:
        super().__init__(f"node is running, pid {pid} ({path})")
        self.pid = pid


@dataclass(frozen=True)
class Change:
    """One change to the host: its kind, a key of `UNDOES`, and the facts to undo it."""

    kind: str
    facts: Facts


def owner(path: Path) -> int | None:
    """Give the process id of the node that holds the journal; None when no other process does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return _holder(descriptor)
    finally:
        os.close(descriptor)


class Journal:
    """The changes of one node, from `acquire` to `undo`.

    Args:
        path: the file; its directory is made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failures: list[str] = []
        """What the last undo could not undo, one line each; the journal then stays for another try."""
        self._descriptor = -1
        self._process = 0
        self._written: list[Change] = []
        self._made: dict[str, None] = {}
        """Directories that were missing, the outermost first."""

    def acquire(self) -> list[str]:
        """Take the journal for this process and undo what a crashed one left; say what that was.

        Raises:
            NodeRunningError: another process lives that has it.
            HostError: the file cannot be used.
        """
        if self._mine():
            return []
        self._descriptor = self._lock()
        self._process = os.getpid()
        return self._undo_changes()

    def record(self, *changes: Change) -> None:
        """Write changes down; make them only after this has returned. A change that stands already is kept once."""
        self.acquire()
        new = [change for change in changes if change not in self._written]
        if not new:
            return
        lines = [json.dumps({"kind": one.kind, "facts": one.facts}, separators=(",", ":")) + "\n" for one in new]
        try:
            os.write(self._descriptor, "".join(lines).encode())
            os.fsync(self._descriptor)
        except OSError as error:
            raise HostError(f"{self.path}: cannot be written: {error.strerror}") from None
        self._written += new

    def revert(self) -> list[str]:
        """Undo every change, the last one first, and keep the journal; say what was undone.

        What cannot be undone stays for `undo`.
        """
        return self._undo_changes() if self._mine() else []

    def undo(self) -> list[str]:
        """Undo every change, the last one first, and give the journal up; say what was undone.

        More calls, or a call without anything to undo, do nothing. In a forked child it does nothing, too: the
        changes belong to the parent.

        Raises:
            NodeRunningError: another process lives that has the journal.
            HostError: the file cannot be used.
        """
        if self._descriptor >= 0 and not self._mine():
            return []
        if self._descriptor < 0 and not self.path.exists():
            return []
        lines = self.acquire() or self._undo_changes()
        if not self.failures:
            with suppress(FileNotFoundError):
                self.path.unlink()
            self._remove_directories()
        os.close(self._descriptor)
        self._descriptor = -1
        return lines

    def _mine(self) -> bool:
        return self._descriptor >= 0 and self._process == os.getpid()

    def _lock(self) -> int:
        """Open and lock the file at the path, not one that its last owner has just removed."""
        while True:
            descriptor = self._open()
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found = os.fstat(descriptor)
                if os.path.samestat(found, self.path.stat()):
                    return descriptor
            except (BlockingIOError, PermissionError):
                pid = _holder(descriptor)
                if pid is not None:
                    os.close(descriptor)
                    raise NodeRunningError(self.path, pid) from None
            except FileNotFoundError:
                pass
            os.close(descriptor)

    def _open(self) -> int:
        try:
            self._make_directories()
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise HostError(f"{self.path}: cannot be opened: {error.strerror}") from None
        if os.fstat(descriptor).st_uid != os.geteuid():
            os.close(descriptor)
            # What it says is done with root's rights: a file that someone else laid there must not be believed.
            raise HostError(f"{self.path}: belongs to another user; remove it")
        os.fchmod(descriptor, 0o600)
        return descriptor

    def _make_directories(self) -> None:
        parents = (self.path.parent, *self.path.parent.parents)
        missing = [str(place) for place in parents if not place.exists()]
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._made |= dict.fromkeys(reversed(missing))

    def _remove_directories(self) -> None:
        """Remove those that were made, unless somebody else uses them by now."""
        with suppress(OSError):
            for place in reversed(self._made):
                Path(place).rmdir()

    def _undo_changes(self) -> list[str]:
        """Undo what the file says, and empty it unless something failed."""
        self.failures = []
        changes, broken = self._read()
        self._made |= {str(one.facts.get("path")): None for one in changes if one.kind == _DIRECTORY}
        changes = [one for one in changes if one.kind != _DIRECTORY]
        done: list[str] = []
        for kind, group in itertools.groupby(reversed(changes), key=lambda change: change.kind):
            try:
                done += _undo_kind(kind, [change.facts for change in group])
            except Exception as error:  # noqa: BLE001 - whatever it is, the other changes must still be undone
                self.failures.append(f"could not undo {kind}: {error}")
        self._written = []
        if self.failures:
            # Undoing twice does no harm, so the whole list stays. A torn line must not swallow the next one.
            if broken:
                os.write(self._descriptor, b"\n")
            return [*done, *self.failures]
        os.ftruncate(self._descriptor, 0)
        lines = (json.dumps({"kind": _DIRECTORY, "facts": {"path": place}}) + "\n" for place in self._made)
        os.write(self._descriptor, "".join(lines).encode())
        return done

    def _read(self) -> tuple[list[Change], bool]:
        """Give the changes in the file and whether its last line is torn.

        A torn line is a change that was never made, since the crash came while it was being written.
        """
        # Through this very descriptor: closing any other one of the same file would drop the lock (fcntl(2)).
        data = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        return list(_parse(data.splitlines())), bool(data) and not data.endswith(b"\n")


def _parse(lines: Iterable[bytes]) -> Iterable[Change]:
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            yield Change(str(entry["kind"]), dict(entry["facts"]))


def _undo_kind(kind: str, facts: list[Facts]) -> list[str]:
    if kind not in UNDOES:
        raise HostError(f"this version does not know {facts}")
    lines: list[str] = importlib.import_module(UNDOES[kind]).undo(facts)
    return lines


def _holder(descriptor: int) -> int | None:
    """Give the process that holds a lock on an open file; None when none does."""
    asked = _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, pid = _LOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else pid
