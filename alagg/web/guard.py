"""The guard: stands before everything that answers, lets in who may come in, and says nothing to anybody else."""

from __future__ import annotations

import json
import logging
import time
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders

from alagg.web import entrance

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from alagg.web.access import Access

OPEN: Final = frozenset({"/healthz"})
"""Paths that anybody may read."""
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
MAX_BODY: Final = 8192
"""Bytes that a request brings, at most."""
QUIET: Final = 10.0
"""Seconds between two lines of the log about who was not let in."""
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
"""What each answer carries, unless it says otherwise."""

log = logging.getLogger(__name__)


class Guard:
    """Wraps an application."""

    def __init__(self, app: ASGIApp, access: Access, port: int) -> None:
        """Guard `app`; `port` keeps the sessions of several nodes on one host apart, as cookies know no ports."""
        self._app = app
        self._access = access
        self._cookie = f"alagg-{port}"
        self._refused = 0
        self._told = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        send = _with_headers(send)
        if "transfer-encoding" in headers and "content-length" in headers:
            # RFC 9112, 6.1: whoever stands before us may have read its end elsewhere.
            await _say(send, 400, "both Transfer-Encoding and Content-Length", {"connection": "close"})
        elif scope["path"] in OPEN and scope["method"] in READING:
            await self._app(scope, receive, send)
        elif scope["path"] == "/login" and scope["method"] == "POST":
            await self._login(scope, headers, receive, send)
        else:
            await self._let_in(scope, headers, receive, send)

    async def _let_in(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        who = self._who(scope, headers)
        if not who:
            self._note_refusal(scope)
            await self._refuse(scope, headers, send)
        elif scope["method"] not in READING and _is_foreign(headers):
            await _say(send, 403, "a page of another site asked for this")
        elif scope["path"] == "/logout" and scope["method"] == "POST":
            await _redirect(send, self._set_cookie(scope, "", 0))
        else:
            await self._hand_on(scope, who, receive, send)

    async def _hand_on(self, scope: Scope, who: str, receive: Receive, send: Send) -> None:
        scope["state"] = scope.get("state", {}) | {"who": who}
        if scope["method"] not in READING:
            body = await _body(receive)
            if body is None:
                await _say(send, 413, f"more than {MAX_BODY} bytes", {"connection": "close"})
                return
            receive = _again(body, receive)
        renewed = who == "browser" and scope["path"] == "/"
        await self._app(scope, receive, self._renewing(scope, send) if renewed else send)

    def _who(self, scope: Scope, headers: Headers) -> str:
        """Give a word for who asks; nothing for a stranger."""
        if certified := scope.get("state", {}).get("certificate"):
            return f"certificate {certified}"
        given = headers.getlist("authorization")
        if given:
            scheme, _, token = given[0].partition(" ")
            good = len(given) == 1 and scheme.lower() == "bearer" and self._access.is_token(token.strip())
            return "token" if good else ""
        return "browser" if self._access.is_session(self._session_in(headers)) else ""

    def _session_in(self, headers: Headers) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return found.value if found else ""

    async def _login(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        if _is_foreign(headers):
            await _say(send, 403, "a page of another site asked for this")
            return
        form = parse_qs((await _body(receive) or b"").decode("ascii", "replace"))
        if self._access.is_token(form.get("token", [""])[0].strip()):
            await _redirect(send, self._set_cookie(scope, self._access.session(), entrance.SESSION))
        else:
            self._note_refusal(scope)
            await _page(send, entrance.page("This is not the token."))

    async def _refuse(self, scope: Scope, headers: Headers, send: Send) -> None:
        """Say that a token is needed; a browser that opens the page gets a form for it."""
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            await _page(send, entrance.page("" if scope["path"] == "/" else "Sign in first."))
        else:
            words = "a token is needed: Authorization: Bearer TOKEN"
            await _say(send, 401, words, {"www-authenticate": 'Bearer realm="alagg"'})

    def _renewing(self, scope: Scope, send: Send) -> Send:
        async def renewed(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = self._set_cookie(scope, self._access.session(), entrance.SESSION)
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        return renewed

    def _set_cookie(self, scope: Scope, value: str, seconds: int) -> str:
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        return f"{self._cookie}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"

    def _note_refusal(self, scope: Scope) -> None:
        """Log who was not let in: one line now and then, however often it is tried."""
        self._refused += 1
        if time.monotonic() - self._told >= QUIET:
            host = (scope.get("client") or ("?",))[0]
            log.warning("without a good token: %d requests, the last one from %s", self._refused, host)
            self._refused, self._told = 0, time.monotonic()


def _is_foreign(headers: Headers) -> bool:
    """Tell whether a browser sends this for a page that is not ours (CSRF)."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


async def _body(receive: Receive) -> bytes | None:
    """Read what a request brings; None where that is too much."""
    body: bytes = b""
    while len(body) <= MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body if len(body) <= MAX_BODY else None
    return None


def _again(body: bytes, receive: Receive) -> Receive:
    """Give to the application what was read already."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return waiting.pop() if waiting else await receive()

    return receiving


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


async def _say(send: Send, status: int, text: str, headers: dict[str, str] | None = None) -> None:
    body = json.dumps({"detail": text}).encode()
    await _answer(send, status, body, {"content-type": "application/json", **(headers or {})})


async def _page(send: Send, text: str) -> None:
    await _answer(
        send, 401, text.encode(),
        {
            "content-type": "text/html; charset=utf-8",
            "content-security-policy": entrance.POLICY,
            "www-authenticate": 'Bearer realm="alagg"',
        },
    )  # fmt: skip


async def _redirect(send: Send, cookie: str) -> None:
    await _answer(send, 303, b"", {"location": "/", "set-cookie": cookie})


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    raw: list[Any] = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
