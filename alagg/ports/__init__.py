"""The edges: what owns a file descriptor. Each kind is a small class behind an interface of `alagg.ports.base`."""

from __future__ import annotations

from typing import Final

PORTS: Final = ("ethernet", "udp")
"""The types of link that a configuration may name."""
