"""Both forms of each edge side by side; the compiled one is skipped, with the reason, where it was not built."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import pytest

TWINS: Final = {
    "packet": "alagg.ports.packet", "nfqueue": "alagg.ports.netlink", "tun": "alagg.ports.vnet",
    "poller": "alagg.ports.poller", "seals": "alagg.keys.seals", "udp": "alagg.ports.udp",
}  # fmt: skip
"""The plain twin of each compiled edge."""


def compiled(edge: str) -> Any:
    """Give a compiled edge; skip the test where it was not built."""
    if find_spec(f"alagg.native.{edge}") is None:
        pytest.skip(f"alagg.native.{edge} was not compiled")
    return import_module(f"alagg.native.{edge}")


def plain(edge: str) -> Any:
    """Give the plain twin of a compiled edge."""
    return import_module(TWINS[edge])


FORMS: Final = {"plain": plain, "compiled": compiled}
