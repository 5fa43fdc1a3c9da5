"""The command `alagg`: reads its line, runs what the line names, and turns every failure into one readable line.

Each command is a module with `add_arguments(parser)` and `run(args) -> int`. Only the one that the line names is
loaded, so that `alagg status` starts quickly and something that one command lacks cannot stop the others.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import traceback
from typing import TYPE_CHECKING, Final

from alagg.cli import parser
from alagg.cli.errors import CommandError
from alagg.config import ConfigError
from alagg.control.client import ControlError
from alagg.system import HostError

if TYPE_CHECKING:
    from collections.abc import Sequence

SUCCESS: Final = 0
FAILURE: Final = 1
WRONG_USE: Final = 2
"""Exit status for a wrong command line or configuration."""
ONLY_LINUX: Final = (
    "fcntl", "grp", "iptc", "netfilterqueue", "pwd", "pyroute2", "resource", "sdnotify", "syslog", "termios",
)  # fmt: skip
"""Modules that other systems lack; the stream library and its tools need none of them."""
_PATIENCE: Final = 0.5
"""Seconds without a reader after which the last words are given up."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit status: 0 success, 2 wrong use or configuration, 1 the rest."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_what_is_closed()
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up_output()
        return FAILURE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last door before the user
        _complain(error, "--debug" in arguments)
        return WRONG_USE if isinstance(error, ConfigError) else FAILURE
    return status


def _open_what_is_closed() -> None:
    """Open each of standard input, output and error that whoever started us had closed.

    Else the next file or socket would get its number, and with it what is meant for the terminal.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # It takes the lowest number that is free: this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _give_up_output() -> None:
    """Forget what could not be written: Python would complain once more when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
            continue
        with contextlib.suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _complain(error: BaseException, debug: bool) -> None:  # noqa: FBT001 - what the user asked for
    with contextlib.suppress(OSError):  # standard error may be full, or closed at its other end
        if debug:
            _say("".join(traceback.format_exception(error)))
        _say(f"alagg: {_explain(error)}\n")
    _give_up_output()


def _say(text: str) -> None:
    """Write to standard error; where nobody reads it any more, the end of the process does not wait for that."""
    try:
        descriptor = sys.stderr.fileno()
        poll = select.poll()
    except (OSError, ValueError, AttributeError):  # something of our caller's own; or Windows, which has no poll
        sys.stderr.write(text)
        return
    data = text.encode(errors="backslashreplace")
    poll.register(descriptor, select.POLLOUT)
    # A pipe that has room takes so much without waiting (pipe(7)).
    while data and poll.poll(_PATIENCE * 1000):
        data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]


def _run(arguments: list[str]) -> int:
    try:
        args = parser.build(arguments).parse_args(arguments)
        status: int = args.run(args)
    except SystemExit as end:  # argparse ends this way after --help, --version and its own errors
        return end.code if isinstance(end.code, int) else FAILURE
    return status


def _explain(error: BaseException) -> str:
    """Say in one line what went wrong."""
    # What an error quotes may come from anywhere: no line break and no escape sequence of it reaches the terminal.
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(error))
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, ConfigError | CommandError | ControlError | HostError):
        return text
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] in ONLY_LINUX:
        return f"this needs Linux, and its module {error.name} is missing; alagg tunnel and alagg.stream run without"
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, PermissionError):
        return f"not permitted: {text}; run it as root"
    if isinstance(error, OSError):
        return text
    return f"unexpected {type(error).__name__}: {text or 'no text'}; --debug shows where"
