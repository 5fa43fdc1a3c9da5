"""The log's lines: readable text, the journal's form, JSON."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from typing import TYPE_CHECKING

import pytest

from alagg.control import logs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = logging.getLogger("alagg.test")


@pytest.fixture(autouse=True)
def root_logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    yield
    root.handlers[:], root.level = handlers, level


def test_text_has_time_level_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "text")
    LOG.warning("link %s is down", "fibre")
    line = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} warning link fibre is down\n", line)


def test_level(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("error", "text")
    LOG.warning("unseen")
    LOG.error("seen")
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["seen"]


def test_message_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "text")
    LOG.info("one\ntwo")
    assert capsys.readouterr().err.count("\n") == 1


def test_setting_up_again_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "text")
    logs.set_up("info", "text")
    LOG.info("once")
    assert capsys.readouterr().err.count("once") == 1


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("debug", "json")
    LOG.debug("link is\nup", extra={"link": "fibre"})
    (line,) = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert record.pop("time")
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
    assert path.read_text() == "<3>error bad\n<7>debug detail\n"


def test_environment_of_a_journal_that_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    logs.set_up("info", "text")
    LOG.info("started")
    assert not capsys.readouterr().err.startswith("<")
