"""What the web process answers: every route asks for the token, and says what the node says, or why it does not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from starlette.routing import Route

from alagg.control.client import ControlError, NodeRefusesError
from alagg.metrics import exposition
from alagg.web import app as apps
from alagg.web.access import Access
from alagg.web.app import PIECE, page, pieces
from alagg.web.guard import READING
from alagg.web.hub import MAX_STREAMS
from tests.web.clients import BEARER, COOKIE, TOKEN, Site

if TYPE_CHECKING:
    from pathlib import Path

LINK = "/api/v1/links/office/fibre"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@pytest.fixture
def site() -> Site:
    return Site()


def routes(site: Site) -> list[str]:
    """Give an address for each route that there is."""
    found = [route.path.format(peer="office", link="fibre") for route in site.app.routes if isinstance(route, Route)]
    assert len(found) == len(site.app.routes)
    return found


def credentials() -> list[dict[str, str]]:
    old = Access(TOKEN, lambda: 1000.0).session()
    return [
        {}, {"authorization": f"Bearer {TOKEN[::-1]}"}, {"authorization": "Bearer "},
        {"authorization": f"Basic {TOKEN}"},
        {"cookie": f"{COOKIE}={old}"}, {"cookie": f"{COOKIE}={TOKEN}"}, {"x-forwarded-for": "127.0.0.1"},
    ]  # fmt: skip


def test_every_route_asks_for_the_token(site: Site) -> None:
    questions = [
        (method, path, headers)
        for path in (*routes(site), "/nothing", "/page/../", "//")
        for method in METHODS
        for headers in credentials()[: None if method in {"GET", "PATCH"} else 1]
        if path != "/healthz" or method not in READING
    ]
    for question, answer in zip(questions, site.ask_all(questions, b'{"blocked": true}'), strict=True):
        assert answer.status_code == 401, question
        assert not re.search("office|fibre|uPlot", answer.text), question
    assert (site.source.asked, site.source.changes) == (0, [])


def test_health_says_no_more_than_that(site: Site) -> None:
    assert Site().ask("GET", "/healthz").json() == {"ok": True}
    site.source.trouble = ControlError("no node listens at /secret")
    assert (site.ask("GET", "/healthz").status_code, site.ask("GET", "/healthz").json()) == (503, {"ok": False})


def test_status_is_the_node_s_with_the_verdict(site: Site) -> None:
    told = site.ask("GET", "/api/v1/status", headers=BEARER)
    verdict = told.json().pop("verdict")
    assert {key: value for key, value in told.json().items() if key != "verdict"} == site.source.says
    assert verdict["text"] == "no link is bad (of 2)"
    assert told.headers["content-type"] == "application/json"
    assert told.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/v1/status", "/api/v1/history", "/metrics", LINK])
def test_node_that_does_not_answer_is_told_of(site: Site, path: str) -> None:
    site.source.trouble = ControlError("no node listens at /run/alagg/alagg.sock; is it running?")
    method = "PATCH" if path == LINK else "GET"
    answer = site.ask(method, path, headers=BEARER, json={"blocked": True})
    assert (answer.status_code, answer.json()["detail"]) == (503, str(site.source.trouble))


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0", "*/*"])
def test_metrics_are_the_command_line_s(site: Site, accept: str) -> None:
    answer = site.ask("GET", "/metrics", headers=BEARER | {"accept": accept})
    body, kind = exposition(site.source.says, accept)
    assert (answer.content, answer.headers["content-type"]) == (body, kind)
    assert b"alagg_link_" in body


def test_history_takes_the_times_of_the_command_line(site: Site) -> None:
    whole = site.ask("GET", "/api/v1/history", headers=BEARER).json()
    assert 86_400 <= whole["until"] - whole["since"] <= 2 * 86_400 + 3600
    told = site.ask("GET", "/api/v1/history?since=2026-11-26T22:00Z&until=2026-11-26T23:00Z&step=60", headers=BEARER)
    assert told.json() == {"since": 1795730400, "until": 1795734000, "step": 60}


@pytest.mark.parametrize(
    ("query", "status"),
    [("since=tomorrow", 400), ("until=yesterday", 400), ("since=0001-01-01", 400), ("since=9999-01-01", 400),
     ("since=999999w", 400), ("step=0", 422), ("step=x", 422), (f"since={'1' * 41}", 422)],
)  # fmt: skip
def test_history_of_no_time(site: Site, query: str, status: int) -> None:
    assert site.ask("GET", f"/api/v1/history?{query}", headers=BEARER).status_code == status


def test_too_many_streams_are_told_to_come_again(site: Site) -> None:
    site.hub._streams = {object() for _ in range(MAX_STREAMS)}  # type: ignore[misc]
    answer = site.ask("GET", "/api/v1/events", headers=BEARER)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"blocked": True}, [{"do": "block"}]),
        ({"blocked": False}, [{"do": "unblock"}]),
        ({"weight": 7500, "rate": "20mbit"}, [{"do": "set", "values": {"weight": "7500", "rate": "20mbit"}}]),
        ({"weight": 3.0}, [{"do": "set", "values": {"weight": "3"}}]),
        ({"rate": ""}, [{"do": "set", "values": {"rate": ""}}]),
    ],
)
def test_change_reaches_the_node_and_the_log(
    site: Site, caplog: pytest.LogCaptureFixture, change: dict[str, Any], asked: list[dict[str, Any]]
) -> None:
    caplog.set_level("INFO")
    assert site.ask("PATCH", LINK, headers=BEARER, json=change).status_code == 204
    assert site.source.changes == [one | {"link": "fibre", "peer": "office"} for one in asked]
    (line,) = [record.message for record in caplog.records if record.name == "alagg.web.app"]
    words = ", ".join(f"{key} = {json.dumps(value)}" for key, value in change.items()).replace("3.0", "3")
    assert line == f"link fibre to office: {words}; asked for by token at 127.0.0.1"


@pytest.mark.parametrize(
    "change",
    [
        [], None, "blocked", {"blocked": 1}, {"blocked": None}, {"blocked": "true"}, {"weight": 0},
        {"weight": 1.5}, {"weight": 1_000_001}, {"weight": "7"}, {"rate": 5}, {"rate": "fast"},
        {"rate": "20mbit\nset"}, {"save": True},
        {"blocked": True, "mac": "52:54:00:12:34:56"},
    ],
)  # fmt: skip
def test_change_that_is_none(site: Site, change: Any) -> None:
    assert site.ask("PATCH", LINK, headers=BEARER, json=change).status_code == 422
    assert site.source.changes == []


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [(b"{", "application/json", 422), (b"{}", "application/json", 400),
     (b"\xff", "application/json", 400), (b"[" * 8000, "application/json", 400),
     (b'{"blocked": true}', "text/plain", 422), (b'{"blocked": true}', "", 422),
     (b"x" * 9000, "application/json", 413)],
)  # fmt: skip
def test_body_that_is_none(site: Site, content: bytes, kind: str, status: int) -> None:
    answer = site.ask("PATCH", LINK, headers=BEARER | ({"content-type": kind} if kind else {}), content=content)
    assert answer.status_code == status
    assert site.source.changes == []


@pytest.mark.parametrize(
    "path", ["/office/none", "/none/fibre", "/office/%0afibre", "/office/fi%2fbre", "/fibre", "/office/"]
)
def test_link_that_is_not_there(site: Site, path: str) -> None:
    assert site.ask("PATCH", f"/api/v1/links{path}", headers=BEARER, json={"blocked": True}).status_code == 404
    assert site.source.changes == []


@pytest.mark.parametrize(
    ("why", "status"),
    [("unknown request 'link'; allowed: events", 501), ("a link cannot be 'set'; allowed: block", 501), ("no", 409)],
)
def test_refusals_of_the_node(site: Site, caplog: pytest.LogCaptureFixture, why: str, status: int) -> None:
    site.source.refusal = NodeRefusesError("/run/alagg/alagg.sock", why)  # type: ignore[arg-type]
    answer = site.ask("PATCH", LINK, headers=BEARER, json={"blocked": True})
    assert (answer.status_code, answer.json()) == (status, {"detail": why})
    assert f"asked for by token at 127.0.0.1: the node at /run/alagg/alagg.sock refuses: {why}" in caplog.text


def test_only_links_can_be_changed(site: Site) -> None:
    for path in routes(site):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            if (method, path) != ("PATCH", LINK):
                assert site.ask(method, path, headers=BEARER, json={"blocked": True}).status_code in {404, 405}, path


def test_page_and_its_files_name_nothing_outside(site: Site) -> None:
    shown = site.ask("GET", "/", headers=BEARER)
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="(/page/[^"]+)"', shown.text)
    assert len(named) > 4
    for name, content in page().items():
        if not name.startswith("uPlot"):
            assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", content), name
        assert not re.search(rb"""\son\w+=["']|style=["']|<script>|innerHTML|eval\(""", content), name
    for path in named:
        answer = site.ask("GET", path, headers=BEARER)
        assert answer.status_code == 200
        assert answer.headers["content-type"] in apps.TYPES.values()


def test_modules_that_import_each_other_are_there(site: Site) -> None:
    files = page()
    for name, content in files.items():
        for imported in re.findall(rb'from "\./([^"]+)"', content):
            assert imported.decode() in files, (name, imported)


def test_files_of_other_kinds_are_not_handed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page" / "vendor").mkdir(parents=True)
    for name in ("a.js", "a.key", "Makefile", "vendor/b.css"):
        (tmp_path / "page" / name).write_text("x")
    monkeypatch.setattr(apps, "files", lambda _: tmp_path)
    assert page().keys() == {"a.js", "b.css"}


def test_pieces_are_the_whole() -> None:
    data = bytes(range(256)) * 1000
    found = list(pieces(data))
    assert b"".join(found) == data
    assert max(map(len, found)) == PIECE


def test_description_names_every_route(site: Site) -> None:
    described = site.ask("GET", "/openapi.json", headers=BEARER).json()
    assert {"/healthz", "/api/v1/status", "/api/v1/history", "/api/v1/events", "/metrics"} < described["paths"].keys()
    assert described["paths"]["/api/v1/links/{peer}/{link}"].keys() == {"patch"}
    for path, methods in described["paths"].items():
        for method in methods.values():
            assert path == "/healthz" or {"401", "503"} <= method["responses"].keys(), path
