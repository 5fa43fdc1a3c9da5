from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from alagg.lab.namespace import environment
from alagg.system import HostError, journal
from alagg.system.journal import Change, Journal, NodeRunningError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOLD = """
import os, sys, time
from pathlib import Path
from alagg.system.journal import Change, Journal
journal = Journal(Path(sys.argv[1]))
journal.acquire()
journal.record(Change("thing", {"name": "left"}))
if sys.argv[2] == "fork" and os.fork() == 0:
    time.sleep(30)
print(os.getpid(), flush=True)
time.sleep(30)
"""


class Undoer(ModuleType):
    """Stands for a module that undoes; `broken` names what it cannot undo."""

    def __init__(self) -> None:
        super().__init__("undoer")
        self.undone: list[str | int] = []
        self.broken = ""

    def undo(self, facts: Sequence[journal.Facts]) -> list[str]:
        names = [one["name"] for one in facts]
        self.undone += [name for name in names if name != self.broken]
        if self.broken in names:
            raise HostError(f"{self.broken} is stuck")
        return [f"undone {name}" for name in names]


@pytest.fixture
def undoer(monkeypatch: pytest.MonkeyPatch) -> Undoer:
    made = Undoer()
    monkeypatch.setitem(sys.modules, "undoer", made)
    monkeypatch.setattr(journal, "UNDOES", {"thing": "undoer", "other": "undoer"})
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "alagg.journal"


def thing(name: str, kind: str = "thing") -> Change:
    return Change(kind, {"name": name})


def test_undoes_the_last_change_first_and_removes_the_file(path: Path, undoer: Undoer) -> None:
    book = Journal(path)
    assert book.acquire() == []
    for change in (thing("1"), thing("2"), thing("3", "other"), thing("4")):
        book.record(change)
    assert book.undo() == ["undone 4", "undone 3", "undone 2", "undone 1"]
    assert not path.exists()
    assert book.undo() == []


def test_writes_down_before_it_returns_for_its_owner_only(path: Path, undoer: Undoer) -> None:
    book = Journal(path)
    book.record(thing("1"))
    assert json.loads(path.read_text().splitlines()[-1]) == {"kind": "thing", "facts": {"name": "1"}}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o755
    book.undo()


def test_keeps_a_repeated_change_once(path: Path, undoer: Undoer) -> None:
    book = Journal(path)
    for _ in range(3):
        book.record(thing("1"))
    assert book.undo() == ["undone 1"]


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_survives_a_torn_last_line(path: Path, undoer: Undoer, cut: int) -> None:
    path.parent.mkdir()
    line = json.dumps({"kind": "thing", "facts": {"name": "1"}})
    path.write_text(f"{line}\n{line[:-cut]}")
    assert Journal(path).undo() == ["undone 1"]


def test_a_second_crash_does_not_undo_what_the_first_left(path: Path, undoer: Undoer) -> None:
    path.parent.mkdir()
    path.write_text('{"kind": "thing", "facts": {"name": "1"}}\n')
    book = Journal(path)
    assert book.acquire() == ["undone 1"]
    book.record(thing("2"))
    os.close(book._descriptor)  # what a crash does to it
    assert Journal(path).undo() == ["undone 2"]


def test_one_failure_stops_no_other_and_stays_for_another_try(path: Path, undoer: Undoer) -> None:
    book = Journal(path)
    for change in (thing("1"), thing("2", "other"), thing("3")):
        book.record(change)
    undoer.broken = "2"
    assert book.undo() == ["undone 3", "undone 1", "could not undo other: 2 is stuck"]
    assert book.failures == ["could not undo other: 2 is stuck"]
    assert path.exists()
    undoer.broken = ""
    assert Journal(path).undo() == ["undone 3", "undone 2", "undone 1"]
    assert not path.exists()


def test_a_failed_undo_with_a_torn_line_does_not_swallow_the_next_change(path: Path, undoer: Undoer) -> None:
    path.parent.mkdir()
    path.write_text('{"kind": "thing", "facts": {"name": "1"}}\n{"kind": "th')
    undoer.broken = "1"
    book = Journal(path)
    assert book.acquire() == ["could not undo thing: 1 is stuck"]
    book.record(thing("2"))
    undoer.broken = ""
    assert book.undo() == ["undone 2", "undone 1"]


def test_reports_a_kind_of_another_version(path: Path, undoer: Undoer) -> None:
    path.parent.mkdir()
    path.write_text('{"kind": "magic", "facts": {"name": "1"}}\n')
    assert "could not undo magic" in Journal(path).undo()[0]


def test_without_a_file_there_is_nothing_to_undo_and_none_is_made(path: Path, undoer: Undoer) -> None:
    assert Journal(path).undo() == []
    assert not path.parent.exists()


def test_refuses_a_file_that_is_a_link(path: Path, undoer: Undoer, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HostError, match="cannot be opened"):
        Journal(path).acquire()


def test_refuses_a_file_of_another_user(path: Path, undoer: Undoer) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    path.parent.mkdir()
    path.write_text('{"kind": "thing", "facts": {"name": "1"}}\n')
    os.chown(path, 1000, 1000)
    with pytest.raises(HostError, match="another user"):
        Journal(path).undo()
    assert undoer.undone == []


def test_every_kind_has_a_module_that_undoes_it() -> None:
    for name in journal.UNDOES.values():
        __import__(name)
        assert callable(sys.modules[name].undo)


def hold(path: Path, how: str = "") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), how], stdout=subprocess.PIPE, text=True, env=environment(),
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def end(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_refuses_while_the_node_lives_and_undoes_after_its_crash(path: Path, undoer: Undoer) -> None:
    node = hold(path)
    try:
        assert journal.owner(path) == node.pid
        for attempt in (Journal(path).undo, Journal(path).acquire):
            with pytest.raises(NodeRunningError, match=f"node is running, pid {node.pid}"):
                attempt()
        assert undoer.undone == []
    finally:
        end(node)
    assert journal.owner(path) is None
    assert Journal(path).acquire() == ["undone left"]


def test_a_child_that_outlives_its_node_does_not_hold_the_journal(path: Path, undoer: Undoer) -> None:
    node = hold(path, "fork")
    try:
        os.kill(node.pid, signal.SIGKILL)
        node.wait()
        assert journal.owner(path) is None
        assert Journal(path).undo() == ["undone left"]
    finally:
        end(node)


def test_a_forked_child_undoes_nothing(path: Path, undoer: Undoer) -> None:
    book = Journal(path)
    book.record(thing("1"))
    child = os.fork()
    if not child:
        os._exit(0 if book.undo() == [] and path.exists() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert book.undo() == ["undone 1"]


def test_never_locks_a_file_that_its_last_owner_removes(
    path: Path, undoer: Undoer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.lockf
    opened: list[int] = []

    def lock_late(descriptor: int, operation: int) -> None:
        if not opened:
            path.unlink()
        opened.append(os.fstat(descriptor).st_ino)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "lockf", lock_late)
    book = Journal(path)
    book.record(thing("1"))
    assert len(opened) == 2
    assert path.stat().st_ino == opened[-1]
    assert book.undo() == ["undone 1"]


@pytest.mark.parametrize("crash", [False, True])
def test_directories_that_it_made_go_with_it(tmp_path: Path, undoer: Undoer, *, crash: bool) -> None:
    path = tmp_path / "outer" / "inner" / "journal"
    if crash:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), "alone"], stdout=subprocess.PIPE, env=environment()
        )
        assert holder.stdout
        holder.stdout.readline()
        holder.kill()
        holder.communicate()
        Journal(path).undo()
    else:
        mine = Journal(path)
        mine.acquire()
        mine.undo()
    assert list(tmp_path.iterdir()) == []


def test_directories_that_others_use_or_made_stay(tmp_path: Path) -> None:
    path = tmp_path / "outer" / "inner" / "journal"
    (tmp_path / "outer").mkdir()
    mine = Journal(path)
    mine.acquire()
    (path.parent / "theirs").touch()
    mine.undo()
    assert path.parent.exists()
    (path.parent / "theirs").unlink()
    path.parent.rmdir()
    mine.acquire()
    mine.undo()
    assert list(tmp_path.iterdir()) == [tmp_path / "outer"]
