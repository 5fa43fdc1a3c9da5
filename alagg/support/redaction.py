"""Redaction: takes secrets out of text, and puts one stand-in everywhere for an address that leads to somebody."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

GONE: Final = "[removed]"
_KEY: Final = re.compile(r"-----BEGIN [^-\n]*PRIVATE KEY-----.*?(?:-----END [^-\n]*PRIVATE KEY-----|\Z)", re.DOTALL)
_NAMED: Final = re.compile(
    r"""(?im)(?P<name>[\w.-]*(?:passw(?:or)?d|token|secret|api[_-]?key|psk)["']?\s*[=:]\s*)"""
    r"(?P<value>\S[^\r\n]*)$"
)
"""What is said of something whose name says that it is secret; paths are no secrets, so `token_file` stays."""
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w+/=.~-]{6,}")
_URL: Final = re.compile(r"(?i)\b(?P<scheme>https?|smtps?|wss?)://(?:[^\s/@]*@)?(?P<host>\[[^\]\s]*\]|[^\s/:?#\"']*)(?P<rest>[^\s\"',]*)")
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_MAC: Final = re.compile(r"(?i)(?<![0-9a-f:.-])[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}(?![0-9a-f:-])")
_IP4: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_IP6: Final = re.compile(r"(?i)(?<![0-9a-f:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![0-9a-f:])")
_NOBODY: Final = frozenset({"ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"})


class Redaction:
    """Remembers its stand-ins, so that all texts of an archive speak of the same hosts."""

    def __init__(self, host: str = "", *, addresses: bool = True) -> None:
        """Redact; `host` is this host's name, and with `addresses` false those stay as they are."""
        self._addresses = addresses
        self._host = re.compile(rf"(?i)(?<![\w.-]){re.escape(host)}(?![\w-])") if len(host) > 1 else None
        self._stand_ins: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Give the text without what is nobody else's business."""
        text = _KEY.sub(f"[private key {GONE[1:]}", text)
        text = _NAMED.sub(_without_value, text)
        text = _BEARER.sub(rf"\1 {GONE}", text)
        text = _URL.sub(_without_path, text)
        if not self._addresses:
            return text
        text = _MAIL.sub("[e-mail address]", text)
        text = _MAC.sub(lambda found: self._mac(found[0]), text)
        for form in (_IP4, _IP6):
            text = form.sub(lambda found: self._ip(found[0]), text)
        return self._host.sub("this-host", text) if self._host else text

    def _mac(self, text: str) -> str:
        plain = text.lower().replace("-", ":")
        if plain in _NOBODY or int(plain[:2], 16) & 1:  # a group, not a card
            return text
        return self._stand_in(plain, lambda number: f"{plain[:8]}:[card {number}]")

    def _ip(self, text: str) -> str:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        if not address.is_global or address.is_multicast:
            return text
        return self._stand_in(str(address), lambda number: f"[public IPv{address.version} {number}]")

    def _stand_in(self, key: str, made: Callable[[int], str]) -> str:
        return self._stand_ins.setdefault(key, made(len(self._stand_ins) + 1))


def this_host() -> Redaction:
    """Give a redaction that knows this host's name."""
    return Redaction(socket.gethostname())


def _without_value(found: re.Match[str]) -> str:
    value = found["value"].strip("\"' ")
    harmless = value.startswith(("/", "credential:")) or not value
    return found[0] if harmless else f"{found['name']}{GONE}"


def _without_path(found: re.Match[str]) -> str:
    """Leave of a URL whom it leads to: user, password, path and query may be what lets in there."""
    port = re.match(r":\d+", found["rest"])
    rest = found["rest"][port.end() if port else 0 :]
    return f"{found['scheme']}://{found['host']}{port[0] if port else ''}{f'/{GONE}' if rest.strip('/') else rest}"
