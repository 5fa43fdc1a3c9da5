"""One reliable connection over many links, on any system: `connect`, `serve`; docs/streams.md shows how."""

from __future__ import annotations

from alagg.stream.client import connect
from alagg.stream.connection import Connection, Link
from alagg.stream.core.errors import NoLinks, ProtocolError, Refused, StreamAborted, StreamError, StreamReset
from alagg.stream.core.settings import Settings
from alagg.stream.medium import Medium, over, over_queues, over_streams
from alagg.stream.server import Server, serve

__all__ = [
    "Connection", "Link", "Medium", "NoLinks", "ProtocolError", "Refused", "Server", "Settings", "StreamAborted",
    "StreamError", "StreamReset", "connect", "over", "over_queues", "over_streams", "serve",
]  # fmt: skip
