"""Gathering: what is asked of the host, the file and the node; each answer is bounded, and none of them is needed."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Final

from alagg import __version__, form
from alagg.control.client import ControlError, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LIMIT: Final = 2 << 20
"""Bytes that are kept of each answer, at most."""
TIME: Final = 10.0
"""Seconds for each command."""
CHECK_TIME: Final = 60.0
COMMANDS: Final = {
    "ip-link": "ip -details -statistics link",
    "ip-address": "ip address",
    "ip-route": "ip route show table all",
    "ip-6-route": "ip -6 route show table all",
    "ip-rule": "ip rule",
    "ip-6-rule": "ip -6 rule",
    "ip-neighbour": "ip neighbour",
    "tc-qdisc": "tc -statistics qdisc",
    "iptables": "iptables-legacy-save -c",
    "ip6tables": "ip6tables-legacy-save -c",
    "nftables": "nft list ruleset",
    "sockets": "ss --summary",
    "memory": "free",
    "processors": "lscpu",
    "kernel-log": "dmesg --time-format iso",
    "log": "journalctl --no-pager --lines 3000 --unit alagg@*",
}
"""What the host is asked, by the name of the file for the answer."""
_PACKAGES: Final = ("cryptography", "fastapi", "google-crc32c", "prometheus-client", "pyroute2", "python-iptables",
                    "rich", "textual", "uvicorn", "websockets")  # fmt: skip


def everything(
    config: Path | None, control_socket: Path, run: Callable[[Sequence[str], float], str]
) -> Iterator[tuple[str, str]]:
    """Give each answer, with the name of its file; `run` runs a command."""
    yield "versions.txt", versions()
    if config is not None:
        yield "alagg.cfg", read(config)
        yield "check.txt", run([sys.executable, "-m", "alagg", "check", "--config", str(config)], CHECK_TIME)
    yield "status.json", status(control_socket)
    for name, command in COMMANDS.items():
        yield f"{name}.txt", run(command.split(), TIME)


def versions() -> str:
    """Say what runs here."""
    lines = [
        f"alagg {__version__}, engine {form.engine()}, edges {form.edges()}",
        f"Python {platform.python_version()}, {platform.system()} {platform.release()} {platform.machine()}",
        f"system {_system()}",
    ]
    for name in _PACKAGES:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{name}: not installed")
    return "\n".join((*lines, ""))


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return "unknown"


def read(path: Path) -> str:
    """Give a file's text, or why there is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(LIMIT)
    except OSError as error:
        return f"{path}: {error.strerror}\n"


def status(control_socket: Path) -> str:
    """Give what the node says, or why it says nothing."""
    try:
        return json.dumps(request(control_socket, "status"), indent=2)[:LIMIT]
    except ControlError as error:
        return f"{error}\n"


def run(command: Sequence[str], seconds: float) -> str:
    """Give what a command prints, as far as it comes in time, or why it prints nothing."""
    try:
        done = subprocess.run(  # noqa: S603 - ours
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
            check=False,
        )  # fmt: skip
    except OSError as error:
        return f"{command[0]}: {error.strerror}\n"
    except subprocess.TimeoutExpired as error:
        return f"{_text(error.stdout or b'')}\n[not finished within {seconds:g} s]\n"
    return _text(done.stdout) + (f"[exit status {done.returncode}]\n" if done.returncode else "")


def _text(output: bytes) -> str:
    """Give the end of what was printed: there stands what is newest."""
    cut = f"[{len(output) - LIMIT} bytes before]\n" if len(output) > LIMIT else ""
    return cut + output[-LIMIT:].decode(errors="replace")
