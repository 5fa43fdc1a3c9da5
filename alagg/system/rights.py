"""The rights that a process needs to change what alagg changes on a host."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alagg.system import HostError

_CAPABILITIES: Final = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}


def lacking() -> list[str]:
    """Give the names of the capabilities that this process does not hold (capabilities(7))."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    held = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), 16)
    return [name for name, bit in _CAPABILITIES.items() if not held >> bit & 1]


def demand() -> None:
    """Go on only with all of them.

    Raises:
        HostError: some are lacking.
    """
    if names := lacking():
        raise HostError(f"this process lacks {' and '.join(names)}; run it as root")
