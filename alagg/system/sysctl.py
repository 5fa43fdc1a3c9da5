"""Kernel settings under /proc/sys.

What the node needs of them was found out by experiment (tests/system/test_sysctl.py keeps it): packets injected
through raw sockets reach local sockets, IPv4 and IPv6, with `rp_filter` 0, 1 or 2 on `all`, on `lo` and on the
links alike, because they come back through `lo` with their route attached and the filter never sees them. So no
setting of the host is changed; only those of the node's own device are, and they vanish with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_ROOT: Final = Path("/proc/sys")


def read(name: str) -> str | None:
    """Give a setting; None where this kernel, or this interface, does not have it.

    Args:
        name: with slashes, since interface names may hold dots, such as `net/ipv4/conf/eth0.5/rp_filter`.
    """
    try:
        return (_ROOT / name).read_text().strip()
    except OSError:
        return None


def write(name: str, value: str) -> bool:
    """Change a setting; False where this kernel does not have it or does not let it be changed."""
    try:
        (_ROOT / name).write_text(value)
    except OSError:
        return False
    return True
