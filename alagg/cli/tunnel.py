"""`alagg tunnel`: a TCP port of another host appears here, over many links, without root."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import ssl
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

from alagg.cli.errors import CommandError
from alagg.stream import tunnel
from alagg.stream.address import ALLOWED, parse

if TYPE_CHECKING:
    from collections.abc import Callable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.description = (
        "A TCP port of another host appears here, each connection over many links. There: alagg tunnel serve "
        "--listen ADDRESS:PORT ... --to HOST:PORT. Here: alagg tunnel --listen ADDRESS:PORT --via ADDRESS:PORT ..."
    )
    parser.add_argument("side", nargs="?", choices=["serve"], help="wait for tunnels, and connect them to --to")
    parser.add_argument(
        "--listen", nargs="+", metavar="ADDRESS", type=_checked(parse), required=True,
        help=f"serve: where links arrive, {ALLOWED}; else: where the port appears, HOST:PORT",
    )  # fmt: skip
    parser.add_argument(
        "--to", metavar="HOST:PORT", type=_checked(tunnel.port), help="serve: the port that appears there"
    )
    parser.add_argument(
        "--via", nargs="+", metavar="ADDRESS", type=_checked(parse), help="where the links go: a link to each"
    )
    parser.add_argument("--certificate", metavar="FILE", help="serve: certificate and key in PEM, for tls:// and wss://")
    parser.add_argument("--authority", metavar="FILE", help="who has signed the other side's certificate, for tls://, wss://")
    parser.set_defaults(complain=parser.error)


def _checked(read: Callable[[str], object]) -> Callable[[str], str]:
    def check(text: str) -> str:
        try:
            read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return check


def run(args: argparse.Namespace) -> int:
    """Carry connections until told to end."""
    _complain_about(args)
    logging.basicConfig(format="alagg: %(message)s", level=logging.DEBUG if args.debug else logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    try:
        asyncio.run(_carry(args))
    except (OSError, ValueError) as error:
        raise CommandError(f"tunnel: {error}") from None
    return 0


def _complain_about(args: argparse.Namespace) -> None:
    if args.side == "serve":
        if args.to is None:
            args.complain("serve needs --to HOST:PORT")
        if args.via is not None or args.authority is not None:
            args.complain("--via and --authority are for the side where the port appears")
        if args.certificate is None and any(address.startswith(("tls://", "wss://")) for address in args.listen):
            args.complain("tls:// and wss:// need --certificate FILE")
        return
    if args.via is None:
        args.complain("--via ADDRESS is needed, or serve")
    if args.to is not None or args.certificate is not None:
        args.complain("--to and --certificate are for serve")
    if len(args.listen) > 1:
        args.complain("the port appears at one address: --listen HOST:PORT")


async def _carry(args: argparse.Namespace) -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C interrupts by itself
            asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with AsyncExitStack() as stack:
        for line in await _open(args, stack):
            print(line, flush=True)
        await told.wait()


async def _open(args: argparse.Namespace, stack: AsyncExitStack[Any]) -> list[str]:
    if args.side == "serve":
        context = None
        if args.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(args.certificate)
        addresses = await stack.enter_async_context(tunnel.far_end(args.listen, args.to, ssl=context))
        return [f"tunnels to {args.to} are waited for at {address}" for address in addresses]
    context = ssl.create_default_context(cafile=args.authority) if args.authority is not None else None
    address = await stack.enter_async_context(tunnel.near_end(args.listen[0], args.via, ssl=context))
    return [f"the port appears at {address}, over {len(args.via)} {'links' if len(args.via) > 1 else 'link'}"]
