"""What the web process answers: the page and its files, the API, and the stream of events."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timezone
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Body, FastAPI, Query, Security
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations

import alagg
from alagg.control.client import ControlError, NodeRefusesError
from alagg.history import times
from alagg.metrics.collector import exposition
from alagg.web import change as changes
from alagg.web import schema
from alagg.web.change import Change
from alagg.web.hub import FullError, Hub, sse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""What the page's files are, by their ending; others are not handed out."""
PIECE: Final = 64 << 10
"""Bytes that are handed over at once: so much of an answer lies in memory for a client that reads slowly."""
_TROUBLE: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "no token, or not this one"},
    503: {"description": "the node does not answer; `detail` says why"},
}
_CHANGED: Final[dict[int | str, dict[str, Any]]] = {
    **_TROUBLE,
    400: {"description": "no JSON, or nothing is asked"},
    403: {"description": "a page of another site asked for it"},
    404: {"description": "there is no such link"},
    409: {"description": "the node refuses; `detail` says why"},
    413: {"description": "more than a change takes"},
    501: {"description": "the node that runs is too old for this"},
}
_Change = Annotated[Change, Body(json_schema_extra={"minProperties": 1})]
_Since = Annotated[str, Query(max_length=40, description=times.ALLOWED)]
_Until = Annotated[str, Query(max_length=40, description="the same, or now")]
_Step = Annotated[int, Query(ge=1, le=10**8, description="seconds of a sample; more where it would be too many")]
_WRONG: Final[dict[str, Any]] = {"description": "a time that means none; `detail` says what is allowed"}
_HISTORY: Final[dict[str, Any]] = {
    "description": "as `alagg history --json`",
    "content": {"application/json": {"schema": {"type": "object"}}},
}
_STREAM: Final[dict[str, Any]] = {
    "description": "server-sent events: `status` (each second), `event` (as it happens), `trouble` (why the node "
    "does not answer)",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}

log = logging.getLogger(__name__)


def build(hub: Hub) -> FastAPI:
    """Make the application."""
    app = FastAPI(
        title="alagg", version=alagg.__version__, docs_url=None, redoc_url=None,
        description="A running node: peers, links, counters, events.",
        exception_handlers={ControlError: _trouble, NodeRefusesError: _refusal, FullError: _full},
    )  # fmt: skip
    # The guard has let the client in; this only describes how.
    token = [Security(HTTPBearer(auto_error=False))]
    app.get("/healthz", responses={503: _TROUBLE[503]})(_healthz(hub))
    told = {"description": "as `alagg status --json`, with the verdict", "content": _json(schema.status())}
    app.get(
        "/api/v1/status", dependencies=token, response_class=Response, responses={200: told, **_TROUBLE}
    )(_status(hub))  # fmt: skip
    app.get(
        "/api/v1/events", dependencies=token, response_class=StreamingResponse, responses={200: _STREAM, **_TROUBLE}
    )(_events(hub))  # fmt: skip
    answers = {200: _HISTORY, 400: _WRONG, **_TROUBLE}
    app.get("/api/v1/history", dependencies=token, response_class=Response, responses=answers)(_history(hub))
    app.get(
        "/metrics", dependencies=token, response_class=PlainTextResponse,
        responses={200: {"description": "for Prometheus, or as OpenMetrics where `Accept` asks for it"}, **_TROUBLE},
    )(_metrics(hub))  # fmt: skip
    app.patch(
        "/api/v1/links/{peer}/{link}", dependencies=token, response_class=Response, responses=_CHANGED,
        status_code=204,
    )(_change(hub))  # fmt: skip
    for name, content in page().items():
        path = "/" if name == "index.html" else f"/page/{name}"
        app.get(path, include_in_schema=False)(_file(name, content))
    return app


def page() -> dict[str, bytes]:
    """Give the page's files; they stay in memory, so nothing of the disk need be readable, nor can be asked for."""
    folder = files("alagg.web").joinpath("page")
    found = (file for place in (folder, folder.joinpath("vendor")) for file in place.iterdir() if file.is_file())
    return {file.name: file.read_bytes() for file in found if _type(file.name)}


def _type(name: str) -> str:
    return TYPES.get(name[name.rfind(".") :], "")


def _json(form: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": form}}


def _file(name: str, content: bytes) -> Any:
    async def file() -> Response:
        return Response(content, media_type=_type(name), headers={"cache-control": "no-cache"})

    return file


def _healthz(hub: Hub) -> Any:
    async def healthz() -> Response:
        """Tell whether the node answers."""
        try:
            await hub.status()
        except ControlError:
            return JSONResponse({"ok": False}, 503)
        return JSONResponse({"ok": True})

    return healthz


def _status(hub: Hub) -> Any:
    async def status() -> StreamingResponse:
        """Give the node's status, and what is wrong in words."""
        data = (await hub.status()).json
        length = {"content-length": str(len(data))}
        return StreamingResponse(_later(data), media_type="application/json", headers=length)

    return status


def _history(hub: Hub) -> Any:
    async def history(since: _Since = "yesterday", until: _Until = "now", step: _Step = 1) -> Response:
        """Give what links and peers did, and what happened, in a time; with `[history] keep = yes`."""
        now = datetime.now(timezone.utc).astimezone()
        try:
            begin, end = (int(times.moment(text, now).timestamp()) for text in (since, until))
        except (ValueError, OverflowError):
            return JSONResponse({"detail": f"since, until: allowed: {times.ALLOWED}"}, 400)
        if not 0 <= begin < end:
            return JSONResponse({"detail": "since: is not before until, or before 1970"}, 400)
        data = await hub.history(begin, end, step)
        length = {"content-length": str(len(data))}
        return StreamingResponse(_later(data), media_type="application/json", headers=length)

    return history


def _events(hub: Hub) -> Any:
    async def events() -> StreamingResponse:
        """Follow the node: its status each second, and its events as they happen."""
        return StreamingResponse(_watch(hub, hub.watch()), media_type="text/event-stream")

    return events


def _change(hub: Hub) -> Any:
    async def change(request: Request, peer: str, link: str, change: _Change) -> Response:
        """Block a link or let it go, set its weight or its rate, as `alagg link` does; the file stays as it is."""
        if not change:
            return JSONResponse({"detail": "nothing is asked; allowed: blocked, weight, rate"}, 400)
        known = {(one.get("peer"), one.get("name")) for one in (await hub.status()).values.get("links", ())}
        if (peer, link) not in known:
            return JSONResponse({"detail": f"no link {link} to peer {peer}"}, 404)
        what = f"link {link} to {peer}: {changes.told(change)}; asked for by {_who(request)}"
        try:
            await hub.change(changes.asked(peer, link, change))
        except ControlError as error:
            log.warning("%s: %s", what, error)
            raise
        log.info("%s", what)
        return Response(status_code=204)

    return change


def _who(request: Request) -> str:
    """Name who asks, for the log."""
    return f"{getattr(request.state, 'who', '?')} at {request.client.host if request.client else '?'}"


def _metrics(hub: Hub) -> Any:
    async def metrics(request: Request) -> Response:
        """Give the node's numbers to a scraper."""
        status = await hub.status()
        accept = request.headers.get("accept", "")
        body, kind = await asyncio.to_thread(exposition, status.values, accept)
        return StreamingResponse(_later(body), media_type=kind, headers={"content-length": str(len(body))})

    return metrics


async def _watch(hub: Hub, stream: Any) -> AsyncIterator[bytes]:
    try:
        yield b"retry: 2000\n\n"
        async for message in stream.messages():
            for piece in pieces(message):
                yield piece
        yield sse("trouble", b'{"text": "the web process ends"}')
    finally:
        hub.unwatch(stream)


async def _later(data: bytes) -> AsyncIterator[bytes]:
    for piece in pieces(data):
        yield piece


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut what is sent, so that a client gets more only when it has read what went before."""
    view = memoryview(data)
    for start in range(0, len(data), PIECE):
        yield bytes(view[start : start + PIECE])


async def _trouble(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 503)


async def _refusal(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NodeRefusesError)
    unknown = error.why.startswith(("unknown request", "a link cannot be"))
    return JSONResponse({"detail": error.why}, 501 if unknown else 409)


async def _full(_: Request, __: Exception) -> JSONResponse:
    return JSONResponse({"detail": "too many watch already"}, 503, {"retry-after": "60"})
