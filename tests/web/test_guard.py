"""The guard: who is let in, what a stranger is told, and that no page of another site can ask in a browser's name."""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING, Any

import pytest

from alagg.web import entrance
from alagg.web.access import SESSION, Access
from alagg.web.guard import HEADERS, MAX_BODY, Guard
from tests.web.clients import BEARER, COOKIE, HERE, TOKEN, ask

if TYPE_CHECKING:
    import httpx
    from starlette.types import Receive, Scope, Send

FORM = {"content-type": "application/x-www-form-urlencoded"}


class Inside:
    """An application that says what reached it."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, str, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        self.reached.append((scope["method"], scope.get("state", {}).get("who", ""), body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})


class Gate:
    def __init__(self, access: Access, state: dict[str, Any] | None = None) -> None:
        self.inside = Inside()
        self._guard = Guard(self.inside, access, 7312)
        self._state = state or {}

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(ask(self._with_state, method, path, **options))

    async def _with_state(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._guard({**scope, "state": self._state}, receive, send)


@pytest.fixture
def gate() -> Gate:
    return Gate(Access(TOKEN))


def cookie(access: Access) -> dict[str, str]:
    return {"cookie": f"{COOKIE}={access.session()}"}


def test_token_opens(gate: Gate) -> None:
    assert gate.ask("GET", "/api/v1/status", headers=BEARER).text == "inside"
    assert gate.inside.reached == [("GET", "token", b"")]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN} x", f"Basic {TOKEN}", TOKEN, "Bearer \xe4"],
)
def test_stranger_is_told_only_that_a_token_is_needed(gate: Gate, header: str) -> None:
    for method in ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = gate.ask(method, "/api/v1/status", headers=[(b"authorization", header.encode("latin-1"))])
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="alagg"'
        assert "inside" not in answer.text
    assert gate.inside.reached == []


def test_two_tokens_are_none(gate: Gate) -> None:
    answer = gate.ask("GET", "/", headers=[("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer x")])
    assert answer.status_code == 401


def test_right_cookie_does_not_help_a_wrong_token(gate: Gate) -> None:
    headers = cookie(Access(TOKEN)) | {"authorization": "Bearer x"}
    assert gate.ask("GET", "/", headers=headers).status_code == 401


def test_token_is_compared_in_constant_time(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for token in ("x", TOKEN[:-1], TOKEN, TOKEN * 50):
        gate.ask("GET", "/", headers={"authorization": f"Bearer {token}"})
    # Digests: neither where the first difference is, nor how long the token is, changes the time.
    assert compared == [(32, 32)] * 4


def test_anybody_may_ask_for_health_but_only_read_it(gate: Gate) -> None:
    assert gate.ask("GET", "/healthz").status_code == 200
    assert gate.ask("POST", "/healthz").status_code == 401
    for near in ("/healthz/", "//healthz", "/HEALTHZ", "/healthz/../api/v1/status", "/healthz;a", "/healthz%2f"):
        assert gate.ask("GET", near).status_code == 401, near


def test_certificate_opens() -> None:
    gate = Gate(Access(""), {"certificate": "laptop"})
    assert gate.ask("GET", "/").status_code == 200
    assert gate.inside.reached == [("GET", "certificate laptop", b"")]
    assert Gate(Access("")).ask("GET", "/").status_code == 401


def test_browser_signs_in_and_out(gate: Gate) -> None:
    page = gate.ask("GET", "/", headers={"accept": "text/html"})
    assert page.status_code == 401
    assert page.headers["content-security-policy"] == entrance.POLICY
    assert 'name="token"' in page.text
    signed_in = gate.ask("POST", "/login", data={"token": f" {TOKEN}\n"}, headers={"origin": HERE})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")
    set_cookie = signed_in.headers["set-cookie"]
    assert set_cookie.startswith(f"{COOKIE}=")
    assert set_cookie.endswith(f"; Path=/; Max-Age={SESSION}; HttpOnly; SameSite=Strict")
    session = {"cookie": set_cookie.partition(";")[0]}
    inside = gate.ask("GET", "/", headers=session)
    assert inside.text == "inside"
    assert inside.headers["set-cookie"].startswith(f"{COOKIE}=")  # each visit begins anew
    assert "set-cookie" not in gate.ask("GET", "/api/v1/status", headers=session).headers
    out = gate.ask("POST", "/logout", headers=session)
    assert (out.status_code, "Max-Age=0" in out.headers["set-cookie"]) == (303, True)


def test_over_https_the_cookie_stays_there(gate: Gate) -> None:
    answer = gate.ask("POST", "https://127.0.0.1:7312/login", data={"token": TOKEN})
    assert answer.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize(
    "form", ["", "token=", "token=x", f"toke={TOKEN}", f"token=x&token={TOKEN}", "%ff", "token=%00"]
)
def test_wrong_token_in_the_form(gate: Gate, form: str) -> None:
    answer = gate.ask("POST", "/login", content=form, headers=FORM)
    assert answer.status_code == 401
    assert "This is not the token." in answer.text
    assert "set-cookie" not in answer.headers


def test_session_that_has_ended(gate: Gate) -> None:
    old = Access(TOKEN, lambda: 1000.0)
    assert gate.ask("GET", "/", headers=cookie(old)).status_code == 401
    assert gate.ask("GET", "/", headers={"cookie": "a=b; \x01[=;;"}).status_code == 401


FOREIGN = (
    {"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "cross-site", "origin": HERE},
    {"origin": "http://127.0.0.1:7313"},
)  # fmt: skip


@pytest.mark.parametrize("headers", FOREIGN)
def test_page_of_another_site_changes_nothing(gate: Gate, headers: dict[str, str]) -> None:
    for path in ("/api/v1/links/office/fibre", "/logout"):
        for method in ("PATCH", "POST", "PUT", "DELETE"):
            answer = gate.ask(method, path, headers=cookie(Access(TOKEN)) | headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
    assert gate.ask("POST", "/login", data={"token": TOKEN}, headers=headers).status_code == 403
    assert gate.inside.reached == []


@pytest.mark.parametrize("headers", [{"origin": HERE}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}])
def test_our_own_page_may_change(gate: Gate, headers: dict[str, str]) -> None:
    answer = gate.ask("PATCH", "/x", headers=cookie(Access(TOKEN)) | headers, content=b"body")
    assert answer.status_code == 200
    assert gate.inside.reached == [("PATCH", "browser", b"body")]


def test_requests_are_small(gate: Gate) -> None:
    assert gate.ask("PATCH", "/x", headers=BEARER, content=b"x" * MAX_BODY).status_code == 200
    assert gate.ask("PATCH", "/x", headers=BEARER, content=b"x" * (MAX_BODY + 1)).status_code == 413
    assert gate.ask("POST", "/login", content=b"token=" + b"x" * MAX_BODY, headers=FORM).status_code == 401
    assert [len(body) for _, _, body in gate.inside.reached] == [MAX_BODY]


def test_two_ends_of_one_request_are_refused(gate: Gate) -> None:
    headers = BEARER | {"transfer-encoding": "chunked", "content-length": "4"}
    answer = gate.ask("PATCH", "/x", headers=headers)
    assert (answer.status_code, answer.headers["connection"]) == (400, "close")
    assert gate.inside.reached == []


def test_every_answer_says_what_browsers_may_do_with_it(gate: Gate) -> None:
    for answer in (
        gate.ask("GET", "/healthz"), gate.ask("GET", "/x"), gate.ask("GET", "/x", headers=BEARER),
        gate.ask("GET", "/", headers={"accept": "text/html"}), gate.ask("POST", "/login", data={"token": TOKEN}),
    ):  # fmt: skip
        assert HEADERS.keys() <= set(answer.headers)
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_refusals_are_logged_now_and_then(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(50):
        gate.ask("GET", "/", headers={"authorization": "Bearer secret-of-somebody"})
    assert len(caplog.records) == 1
    assert "without a good token: 1 requests, the last one from 127.0.0.1" in caplog.text
    assert "secret-of-somebody" not in caplog.text
