"""One network namespace: commands inside it, and its traceless removal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAME: Final = re.compile(r"alagg-(\d+)-.+")
_MOUNTS: Final = Path("/run/netns")
_PACKAGES: Final = str(Path(__file__).parents[2])

QUIET: Final = {
    "net.ipv6.conf.default.accept_dad": 0,
    "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv6.conf.default.autoconf": 0,
    "net.ipv6.conf.default.router_solicitations": 0,
}
"""No packet of IPv6's own making: no duplicate address detection, no router solicitation, no made-up address.

Link-local addresses stay: a router's kernel asks for its neighbours with them.
"""


class LabError(RuntimeError):
    """The lab cannot be built or a command in it failed; the text says which and why."""


class Namespace:
    """A network namespace by its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._started: list[subprocess.Popen[bytes]] = []

    def create(self) -> None:
        """Make the namespace, quiet and with its loopback interface up."""
        _checked(["ip", "netns", "add", self.name])
        self.sysctl(QUIET)
        self.ip("link set lo up")

    def remove(self) -> None:
        """End what still runs inside and remove the namespace with everything in it; none is fine."""
        while self._started:
            finish(self._started.pop())
        place = _MOUNTS / self.name
        if not place.exists():
            return
        try:
            for pid in _checked(["ip", "netns", "pids", self.name]).split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            _checked(["ip", "netns", "delete", self.name])
        except LabError:
            # Another lab that sweeps at the same moment may have been faster.
            if place.exists():
                raise

    def run(
        self, command: Sequence[str], *, timeout: float = 60, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end.

        Raises:
            LabError: it failed (unless `check` is off) or took longer than `timeout` seconds.
        """
        try:
            done = subprocess.run(
                self.inside(command), input=stdin, capture_output=True, text=True, timeout=timeout, check=False,
                env=environment(), start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name}: {' '.join(command)}: still ran after {timeout:g} s") from None
        if check and done.returncode:
            raise LabError(f"{self.name}: {' '.join(command)}: {(done.stderr or done.stdout).strip()}")
        return done

    def popen(
        self, command: Sequence[str], *, stderr: int | IO[bytes] = subprocess.PIPE,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command inside, its standard input and output piped; Ctrl-C in the terminal does not reach it."""
        process = subprocess.Popen(
            self.inside(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
            env={**environment(), **(variables or {})}, start_new_session=True,
        )
        self._started.append(process)
        return process

    def inside(self, command: Sequence[str]) -> list[str]:
        """Give the command line that runs a command inside."""
        return ["ip", "netns", "exec", self.name, *command]

    def ip(self, *lines: str) -> None:
        """Run several `ip` commands at once, such as `link set lo up`."""
        self.run(["ip", "-batch", "-"], stdin="\n".join(lines))

    def tc(self, *lines: str) -> None:
        """Run several `tc` commands at once."""
        self.run(["tc", "-batch", "-"], stdin="\n".join(lines))

    def sysctl(self, values: Mapping[str, int | str]) -> None:
        """Set kernel parameters of this namespace."""
        script = "\n".join(f"echo {value} > /proc/sys/{key.replace('.', '/')}" for key, value in values.items())
        self.run(["sh", "-ec", script])


def finish(process: subprocess.Popen[bytes]) -> None:
    """Kill a process if it lives, and give back its pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()


def environment() -> dict[str, str]:
    """Give an environment in which Python finds this very package, wherever it was started from."""
    paths = [_PACKAGES, os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def python(module: str, *arguments: str) -> list[str]:
    """Give the command line that runs a module of this package."""
    return [sys.executable, "-m", module, *arguments]


def sweep() -> list[str]:
    """Remove the namespaces of labs whose process is dead; give their names."""
    names = [path.name for path in _MOUNTS.glob("alagg-*")] if _MOUNTS.is_dir() else []
    swept = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match and not Path(f"/proc/{match[1]}").exists():
            Namespace(name).remove()
            swept.append(name)
    return swept


def require_root() -> None:
    """Refuse to go on without the right to make namespaces.

    Raises:
        LabError: this process is not root's.
    """
    if os.geteuid():
        raise LabError("the lab makes network namespaces and so needs root; try sudo")


def _checked(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError(f"{command[0]} is not installed; on Debian and Ubuntu: apt-get install iproute2") from None
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
