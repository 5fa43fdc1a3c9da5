"""WebSockets (RFC 6455) as links: they pass where only the web does, and through HTTP proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alagg.stream.address import WSS
from alagg.stream.carrier import Carrier
from alagg.stream.pump import Pump

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from websockets.asyncio.connection import Connection
    from websockets.asyncio.server import Server

    from alagg.stream.address import Address

MISSING: Final = "ws:// and wss:// need the library websockets: pip install websockets"
MAX_MESSAGE: Final = 1 << 20
"""Bytes of one message; we send a sixteenth of it."""
OPTIONS: Final[dict[str, Any]] = {
    # What crosses is seldom compressible, and the stream asks by itself whether the link lives.
    "compression": None, "ping_interval": None, "max_size": MAX_MESSAGE, "close_timeout": 1.0,
}  # fmt: skip


def _pump(socket: Connection, name: str) -> Pump:
    async def receive() -> bytes:
        message = await socket.recv()
        if isinstance(message, str):
            raise ConnectionError("a text message, where only bytes are carried")
        return message

    return Pump(name, receive, socket.send, socket.close)


async def dial(address: Address, context: ssl.SSLContext | None) -> Carrier:
    """Open a link; by the proxy that the environment names, if any (`https_proxy`, `no_proxy`, ...).

    Raises:
        OSError: it cannot be opened.
        ValueError: the library is missing.
    """
    try:
        from websockets.asyncio.client import connect  # noqa: PLC0415 - only who uses it needs it
        from websockets.exceptions import WebSocketException  # noqa: PLC0415
    except ImportError:
        raise ValueError(MISSING) from None
    try:
        socket = await connect(address.text, ssl=context if address.kind == WSS else None, **OPTIONS)
    except WebSocketException as error:
        raise ConnectionError(f"no WebSocket: {error}") from error
    carrier = Carrier()
    _pump(socket, address.text).start(carrier)
    return carrier


async def listen(address: Address, context: ssl.SSLContext | None, accepted: Callable[[Carrier], None]) -> Server:
    """Wait for links at an address; a link elsewhere than at its path, or from a web page, is refused.

    Each browser says which page asks (RFC 6455, section 4.1): so no page that a visitor opens gets in by that.

    Raises:
        OSError: nothing can wait there.
        ValueError: the library is missing.
    """
    try:
        from websockets.asyncio.server import serve  # noqa: PLC0415 - only who uses it needs it
    except ImportError:
        raise ValueError(MISSING) from None

    async def handle(socket: Connection) -> None:
        peer = socket.remote_address
        carrier = Carrier(accepted)
        _pump(socket, f"{address.kind}://{peer[0]}:{peer[1]}").start(carrier)
        await carrier.gone

    def only_there(socket: Any, request: Any) -> Any:
        return None if request.path == address.path else socket.respond(404, "there is no stream here\n")

    server: Server = await serve(
        handle, address.host, address.port, ssl=context if address.kind == WSS else None,
        process_request=only_there, origins=[None], **OPTIONS,
    )  # fmt: skip
    return server
