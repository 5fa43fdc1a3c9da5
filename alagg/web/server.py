"""Starts the web process: reads what is secret, listens, gives up all rights, and serves until a signal ends it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import pwd
import resource
import signal
import socket
from typing import TYPE_CHECKING, Final

from alagg.cli.errors import CommandError
from alagg.config import ConfigError
from alagg.control import logs
from alagg.system import rights
from alagg.web import access, broker
from alagg.web.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

    from alagg.webconfig import WebConfig

BACKLOG: Final = 128
"""Connections that wait in the kernel's queue."""

log = logging.getLogger(__name__)


def run(web: WebConfig, file: Path, control_socket: Path, history: Path) -> int:
    """Serve until SIGTERM or SIGINT; give the exit status.

    Args:
        web: what `[web]` says.
        file: the configuration, for the words of errors.
        control_socket: where the node is.
        history: the file of its history.

    Raises:
        ConfigError: something that `[web]` names cannot be used.
        CommandError: the address cannot be listened at, or rights cannot be given up.
    """
    key = access.Access(access.read_token(web, file))
    tls = access.tls_context(web, file)
    if not (web.local or tls):
        log.warning("%s: [web] listen: whoever is on the way can read the token; give it a certificate", file)
    account = _account(web.user, file) if os.geteuid() == 0 else None
    listener = listen(web, file)
    log.info("dashboard and API at %s", dataclasses.replace(web, listen=listener.getsockname()[:2]).url)
    if account is None:
        return Serving(key, tls, listener, broker.Direct(control_socket, history), control_socket).run()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    serving = Serving(key, tls, listener, broker.Brokered(theirs), control_socket)
    broker_process = os.getpid()
    child = os.fork()
    if child:
        listener.close()
        theirs.close()
        return stay(child, ours, control_socket, history)
    ours.close()
    serving.rehearse()
    give_up_rights(account)
    if not rights.end_with(broker_process):  # not before: a change of the user takes it back
        return 1
    return serving.run()


def listen(web: WebConfig, file: Path) -> socket.socket:
    """Listen where `[web]` says.

    Raises:
        CommandError: that address cannot be had.
    """
    family = socket.AF_INET6 if ":" in web.listen[0] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(web.listen)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        host, port = web.listen
        raise CommandError(f"{file}: [web] listen = {host}:{port}: {error.strerror}; allowed: a free one") from None
    return listener


def _account(user: str, file: Path) -> pwd.struct_passwd:
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(f"{file}: [web] user = {user}: there is no such user; allowed: one of this host") from None
    if account.pw_uid == 0:
        raise ConfigError(f"{file}: [web] user = {user}: has all rights; allowed: a user that has none")
    return account


def give_up_rights(account: pwd.struct_passwd) -> None:
    """Become another user without any rights, for good.

    Raises:
        CommandError: the kernel refuses.
    """
    try:
        os.setgroups([])
        os.setresgid(*[account.pw_gid] * 3)
        os.setresuid(*[account.pw_uid] * 3)
    except OSError as error:
        raise CommandError(f"cannot become {account.pw_name}: {error.strerror}; run it as that user") from None
    rights.give_up()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the token and the key are in memory
    os.chdir("/")
    os.umask(0o077)


def stay(child: int, channel: socket.socket, control_socket: Path, history: Path) -> int:
    """Be the broker as long as the web process lives, hand signals on to it, and give its exit status."""
    logs.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _end(child))
    broker.serve(channel, control_socket, history)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return 0 if code == -signal.SIGTERM else code & 0xFF  # it was asked to end before it was ready to be asked


def _end(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)
