"""The log's lines: readable text, the journal's form, JSON; and that nobody waits for its reader."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from alagg.control import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger("alagg.test")
PATIENCE: Final = 20


@pytest.fixture(autouse=True)
def loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the loggers back as they were."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    root, own = logging.getLogger(), logging.getLogger("alagg")
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    own.setLevel(logging.NOTSET)


def written(capfd: pytest.CaptureFixture[str]) -> str:
    logs.flush()
    return capfd.readouterr().err


def test_text_has_time_level_and_message(capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "text")
    LOG.warning("link %s is down", "fibre")
    line = written(capfd)
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
    assert re.fullmatch(time + r" warning link fibre is down\n", line)


def test_level(capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up("error", "text")
    LOG.warning("unseen")
    LOG.error("seen")
    lines = written(capfd).splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["seen"]


def test_debug_is_of_our_own_lines_only(capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up("debug", "text")
    logging.getLogger("pyroute2.netlink").debug("raw bytes")
    logging.getLogger("asyncio").info("a selector")
    logging.getLogger("asyncio").warning("trouble")
    LOG.debug("ours")
    assert [line.partition(" ")[2] for line in written(capfd).splitlines()] == ["warning trouble", "debug ours"]


def test_message_stays_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "text")
    LOG.info("one\ntwo")
    assert written(capfd).count("\n") == 1


def test_setting_up_again_replaces(capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "text")
    logs.set_up("info", "text")
    LOG.info("once")
    assert written(capfd).count("once") == 1


def test_json_is_one_object_a_line_with_the_times_zone(capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up("debug", "json")
    LOG.debug("link is\nup", extra={"link": "fibre"})
    (line,) = written(capfd).splitlines()
    record = json.loads(line)
    assert datetime.fromisoformat(record.pop("time")).tzinfo is not None
    assert record == {"level": "DEBUG", "logger": "alagg.test", "message": "link is\nup", "link": "fibre"}


def test_journal_gets_priorities_and_no_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        monkeypatch.setattr(sys, "stderr", stream)
        logs.set_up("debug", "text")
        LOG.error("bad")
        LOG.debug("detail")
        logs.flush()
    assert path.read_text() == "<3>error bad\n<7>debug detail\n"


def test_environment_of_a_journal_that_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    logs.set_up("info", "text")
    LOG.info("started")
    assert not written(capfd).startswith("<")


def test_line_that_cannot_be_formatted_does_not_end_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "text")
    LOG.info("%d", "no number")
    LOG.info("the next")
    one, other = written(capfd).splitlines()
    assert "cannot be written" in one
    assert other.endswith("the next")


# --- readers that do not read -----------------------------------------------------------------------------------


class Pipe:
    """Standard error as a pipe: nobody reads it until a test does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reader, writer = os.pipe()
        self.reader, self.writer = os.fdopen(reader, "rb"), os.fdopen(writer, "wb")
        self._monkeypatch = monkeypatch

    def set_up(self) -> None:
        self._monkeypatch.setattr(sys, "stderr", self.writer)
        logs.set_up("info", "text")

    def fill(self) -> None:
        os.set_blocking(self.writer.fileno(), False)
        with suppress(BlockingIOError):
            while True:
                os.write(self.writer.fileno(), b"x" * 4095 + b"\n")
        os.set_blocking(self.writer.fileno(), True)

    def lines(self, last: str) -> list[str]:
        found = []
        for line in self.reader:
            found.append(line.decode().rstrip())
            if found[-1].endswith(last):
                break
        return [line for line in found if not line.startswith("x")]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    pipe = Pipe(monkeypatch)
    yield pipe
    pipe.reader.close()
    pipe.writer.close()


def test_nobody_waits_for_a_reader_that_has_stopped(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FLUSH_TIME", 0.01)
    pipe.set_up()
    pipe.fill()
    logs.start()
    for number in range(3 * logs.MAX_LINES):
        LOG.info("line %d", number)
    logs.flush()
    # It reads again: the oldest lines have made room, and how many is said once.
    last = f"line {3 * logs.MAX_LINES - 1}"
    lines = pipe.lines(last)
    notes = [line for line in lines if "dropped lines" in line]
    assert len(notes) == 1
    kept = [line for line in lines if "info line" in line]
    assert f"warning dropped lines of the log: {3 * logs.MAX_LINES - len(kept)} (" in notes[0]
    assert len(kept) <= logs.MAX_LINES + 1
    assert kept[-1].endswith(last)


def test_a_full_disk_harms_nothing(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    logs.set_up("info", "text")
    room, write = [0], os.write

    def full(descriptor: int, data: bytes) -> int:
        """Write what there is room for, as a disk does that runs full."""
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = write(descriptor, data[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", full)
    LOG.info("one")
    LOG.info("two")
    logs.flush()
    room[0] = 218
    LOG.info("three")
    LOG.info("the first half of this one only %s", "x" * 100)
    logs.flush()
    room[0] = 10_000
    LOG.info("four")
    lines = [line.partition(" ")[2] for line in written(capfd).splitlines()]
    assert lines[0].startswith("warning dropped lines of the log: 2 ")
    assert lines[1] == "info three"
    assert lines[2].startswith("info the first half")
    assert lines[3].startswith("warning dropped lines of the log: 1 ")
    assert lines[4:] == ["info four"]


def test_a_reader_that_is_gone_harms_nothing(pipe: Pipe) -> None:
    pipe.set_up()
    pipe.reader.close()
    LOG.info("unread")
    logs.flush()


def test_a_forked_child_writes_its_own_lines_only(pipe: Pipe) -> None:
    pipe.set_up()
    LOG.info("of the parent")
    child = os.fork()
    if not child:
        LOG.info("of the child")
        logs.start()
        logs.flush()
        os._exit(0)
    os.waitpid(child, 0)
    LOG.info("last")
    logs.flush()
    assert [line.rpartition("info ")[2] for line in pipe.lines("last")] == ["of the child", "of the parent", "last"]


CLOSED: Final = """
import logging, os, sys
from alagg.control import logs
assert sys.stderr is None
logs.set_up("info", "text")
opened = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
logging.getLogger("alagg").warning("for nobody")
logs.flush()
sys.exit(os.path.getsize(sys.argv[1]) or opened <= 2)
"""


@pytest.mark.parametrize("closed", ["2>&-", "2>&- >&-", "2>&- >&- <&-"])
def test_nothing_of_ours_takes_the_place_of_a_closed_standard_error(tmp_path: Path, closed: str) -> None:
    (tmp_path / "code.py").write_text(CLOSED)
    line = f'exec "{sys.executable}" "{tmp_path}/code.py" "{tmp_path}/file" {closed}'
    root = Path(__file__).parents[2]
    ended = subprocess.run(["sh", "-c", line], check=False, env={"PYTHONPATH": str(root)}, timeout=PATIENCE)
    assert ended.returncode == 0
