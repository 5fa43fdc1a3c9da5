"""The command line as users and scripts meet it: what it takes, and that it never answers by a traceback."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

import alagg
from alagg import cli
from alagg.cli import run, status
from alagg.control.client import ControlError
from alagg.system import HostError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

COMMANDS = ("check", "status", "reload", "rules", "cleanup", "files", "lab")


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.err.startswith("alagg: ")
    assert len(captured.err.splitlines()) == 1
    return captured.err.removeprefix("alagg: ").rstrip()


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(args: argparse.Namespace) -> NoReturn:
        raise error

    monkeypatch.setattr(status, "run", run)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"alagg {alagg.__version__}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^ +{command} ", shown, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert cli.main([command, "--help"]) == 0
    assert f"alagg {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        "",
        "bogus",
        "--bogus",
        "check",
        "cleanup",
        "rules --config x.cfg",
        "rules bogus --config x.cfg",
        "rules show",
        "status --conf x.cfg",
        "status extra",
        "--config",
    ],
)
def test_wrong_command_line_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert cli.main(line.split()) == 2
    assert "see alagg" in error_of(capsys)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ControlError("no node listens"), "no node listens"),
        (HostError("the kernel has no NFQUEUE"), "the kernel has no NFQUEUE"),
        (PermissionError(1, "Operation not permitted"), "run it as root"),
        (OSError(28, "No space left on device", "/run/x"), "/run/x: No space left on device"),
        (OSError("cannot"), "cannot"),
        (KeyboardInterrupt(), "interrupted"),
        (ZeroDivisionError("by\nzero\x1b[2J"), r"unexpected ZeroDivisionError: by\nzero\x1b[2J; --debug shows where"),
        (AssertionError(), "unexpected AssertionError: no text"),
    ],
)
def test_failure_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, text: str
) -> None:
    fail_with(monkeypatch, error)
    assert cli.main(["status"]) == 1
    assert text in error_of(capsys)


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fail_with(monkeypatch, ZeroDivisionError("here"))
    assert cli.main(["status", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_config_may_stand_before_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing = tmp_path / "missing.cfg"
    assert cli.main(["--config", str(missing), "status"]) == 2
    assert error_of(capsys).startswith(f"{missing}: cannot be read")


def test_without_a_command_the_node_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[argparse.Namespace] = []

    def record(args: argparse.Namespace) -> int:
        seen.append(args)
        return 0

    monkeypatch.setattr(run, "run", record)
    assert cli.main(["--config", "alagg.cfg", "--pcap", "frames.pcap"]) == 0
    (args,) = seen
    assert (str(args.config), str(args.pcap), args.debug) == ("alagg.cfg", "frames.pcap", False)


def test_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "alagg", "--help"]
    with os.fdopen(writing, "w") as gone:
        ended = subprocess.run(
            command, stdout=gone, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("closed", "status", "said"),
    [(">&-", 0, ""), ("2>&-", 0, ""), ("<&- >&- 2>&-", 0, ""), (">/dev/full", 1, "alagg: No space left on device\n")],
)
def test_output_that_cannot_be_written_is_no_traceback(closed: str, status: int, said: str) -> None:
    command = f"{sys.executable} -m alagg files {closed}"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (status, said)


def test_file_that_is_opened_later_never_becomes_the_output() -> None:
    """With a closed descriptor 1 the next file would get its number, and all that is printed."""
    script = "import os; from alagg import cli; cli.main(['--version']); os._exit(os.open('/dev/null', os.O_RDONLY))"
    ended = subprocess.run(["sh", "-c", f'{sys.executable} -c "{script}" <&- >&-'], check=False)
    assert ended.returncode > 2


def test_status_loads_neither_rules_nor_tables_nor_netlink() -> None:
    script = (
        "import sys; from alagg import cli; cli.main(['status', '--socket', '/nonexistent/x']);"
        "print(*(name for name in ('iptc', 'pyroute2', 'netfilterqueue', 'rich', 'asyncio') if name in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""
    assert "is it running?" in ended.stderr


def test_a_mistyped_command_gets_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["chekc"]) == 2
    assert "; did you mean check?; see alagg --help" in capsys.readouterr().err
    assert cli.main(["files", "untit"]) == 2
    assert "did you mean unit?" in capsys.readouterr().err
    assert cli.main(["xxxx"]) == 2
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_nobody_who_reads_the_last_words_holds_up_the_end(tmp_path: Path, debug: list[str]) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(write, bytes(1 << 16)):
            pass
    os.set_blocking(write, True)
    command = [sys.executable, "-m", "alagg", "--config", str(tmp_path / "missing.cfg"), *debug]
    try:
        assert subprocess.run(command, stderr=write, timeout=30, check=False).returncode in (1, 2)
    finally:
        os.close(read)
        os.close(write)
