"""Servers, certificates and waits for the tests over real sockets."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from alagg import stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path
    from typing import Any

LOCAL = ["127.0.0.1:0", "127.0.0.2:0"]


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test, but not forever."""
    asyncio.run(asyncio.wait_for(main, 20))


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    while not condition():  # noqa: ASYNC110 - what tests wait for tells nobody
        await asyncio.sleep(0.005)


async def echo(connection: stream.Connection) -> None:
    """Send everything back as it comes."""
    while data := await connection.reader.read(1 << 16):
        connection.writer.write(data)
        await connection.writer.drain()


@asynccontextmanager
async def joined(links: int = 2) -> AsyncIterator[stream.Connection]:
    """Give a connection to a server that echoes, once all links are up."""
    async with stream.serve(echo, LOCAL[:links]) as server, stream.connect(server.addresses) as connection:
        await until(lambda: [link.state for link in connection.links] == ["up"] * links)
        yield connection


def certificate(place: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1; give the contexts of server and client."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.timezone.utc)
    day = dt.timedelta(days=1)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, SHA256())
    )
    file = place / "both.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(plain + made.public_bytes(Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))
