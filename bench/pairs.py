"""Tools in pairs: a load generator on the second host and its counterpart on the first."""

from __future__ import annotations

import json
import select
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from alagg.lab.namespace import LabError, finish, python

if TYPE_CHECKING:
    from alagg.lab.host import Host
    from bench.contestants import Contestant

_MODULE: Final = "bench.traffic"
_START_TIMEOUT: Final = 20.0
_GRACE: Final = 30.0
"""Seconds that a tool may take beyond its own time."""



@dataclass(frozen=True)
class Pair:
    """A tool on the second host and its counterpart on the first, both running."""

    serving: subprocess.Popen[bytes]
    asking: subprocess.Popen[bytes]
    timeout: float

    def finish(self) -> dict[str, Any]:
        """Wait for both; give what both said, and each under its side.

        Raises:
            LabError: one of them failed or did not end.
        """
        sent = _end(self.asking, self.timeout)
        arrived = _end(self.serving, self.timeout)
        return {**sent, **arrived, "client": sent, "server": arrived}


def exchange(contestant: Contestant, server: str, client: str, **options: object) -> dict[str, Any]:
    """Run a tool on the second host and its counterpart on the first; give what both said, and each under its side.

    Raises:
        LabError: one of them failed or did not end.
    """
    with ExitStack() as stack:
        return start(stack, contestant, server, client, **options).finish()


def start(stack: ExitStack, contestant: Contestant, server: str, client: str, **options: object) -> Pair:
    """Start a pair of tools; the stack ends them if nobody else does.

    Raises:
        LabError: the server did not start.
    """
    here, there, address = contestant.lab.a, contestant.lab.b, contestant.address
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    seconds = options.get("seconds", 0.0)
    serving = _start(stack, there, server, address, *given)
    port = _first_line(serving, server)["port"]
    asking = _start(stack, here, client, address, f"--port={port}", *given)
    return Pair(serving, asking, _GRACE + (seconds if isinstance(seconds, float) else 0.0))


def _start(stack: ExitStack, host: Host, *arguments: str) -> subprocess.Popen[bytes]:
    process = host.popen(python(_MODULE, *arguments))
    stack.callback(finish, process)
    return process


def _first_line(process: subprocess.Popen[bytes], tool: str) -> dict[str, Any]:
    assert process.stdout
    if select.select([process.stdout], (), (), _START_TIMEOUT)[0] and (line := process.stdout.readline()):
        values: dict[str, Any] = json.loads(line)
        return values
    process.kill()
    raise LabError(f"{tool} did not start: {_last_line(process.communicate()[1])}")


def _end(process: subprocess.Popen[bytes], timeout: float) -> dict[str, Any]:
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise LabError(f"{_said(process)} did not end within {timeout:g} s") from None
    if process.returncode:
        raise LabError(f"{_said(process)} failed: {_last_line(errors)}")
    values: dict[str, Any] = json.loads(output.splitlines()[-1])
    return values


def _last_line(errors: bytes) -> str:
    """Give what counts of a traceback."""
    return (errors.decode(errors="replace").strip().splitlines() or ["it does not say why"])[-1]


def _said(process: subprocess.Popen[bytes]) -> str:
    assert isinstance(process.args, list)
    return " ".join(map(str, process.args[process.args.index(_MODULE):]))
