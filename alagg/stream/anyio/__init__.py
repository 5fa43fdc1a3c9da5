"""The third face of a connection: a `ByteStream` of anyio, so that programs on trio have it, too.

`connect` and `serve` are those of `alagg.stream` with an `anyio.abc.ByteStream` for reader and writer. The core is
the same; `loop` is the little of an event loop that its driver needs, `carrier` moves a link's bytes, `face` is the
stream.
"""

from __future__ import annotations

from alagg.stream.anyio.client import connect
from alagg.stream.anyio.face import LinkAttribute, Stream
from alagg.stream.anyio.server import Server, serve

__all__ = ["LinkAttribute", "Server", "Stream", "connect", "serve"]
