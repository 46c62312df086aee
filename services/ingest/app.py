"""The public application: addresses, problem documents for what no address takes, CORS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from services.core.problems import MEDIA_TYPE, Problem
from services.core.tokens import Issuers
from services.ingest import openapi
from services.ingest.admit import KINDS
from services.ingest.routes import Events, Gate, OneEvent, Viewer
from services.ingest.send import MAX_IN_FLIGHT, Log, Sender


def create_app(
    log: Log,
    issuers: Issuers,
    receipt_secret: bytes,
    viewer_secret: bytes,
    clock: Callable[[], datetime],
    *,
    allowed_origins: Iterable[str] = (),
    max_in_flight: int = MAX_IN_FLIGHT,
) -> Front:
    """`clock` gives the time of an event that states none, and of tokens. Nothing to start or stop:
    the producer behind `log` lives in `__main__`."""
    app = FastAPI(
        title="Veche ingest",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would be built from the Host header
    )
    gate = Gate(issuers, Sender(log, receipt_secret, max_in_flight), viewer_secret, clock)
    batch, one = Events(gate), OneEvent(gate)
    app.router.routes += [
        Route(batch.route, batch, methods=["POST"]),
        Route("/v1/events/openapi.json", _openapi, methods=["GET"]),
        Route(one.route, one, methods=["POST"]),
        Route("/v1/viewer", Viewer(gate), methods=["POST"]),
    ]
    app.add_exception_handler(HTTPException, _no_address)
    app.add_exception_handler(Exception, _last_resort)
    if origins := sorted(allowed_origins):
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_credentials=True,
            allow_methods=["POST"],
            allow_headers=["authorization", "content-type"],
            expose_headers=["retry-after"],
            max_age=600,
        )
    return Front(app, batch, one)


class Front:
    """The way in: an event goes straight to its address, which answers every problem itself.

    FastAPI's layers cost an event a third of its time and would do nothing for it. They serve the
    rest, and browsers on other origins.
    """

    def __init__(self, app: ASGIApp, batch: Events, one: OneEvent) -> None:
        self._app = app
        self._batch = batch
        self._one = {one.route.format(kind=kind): (one, {"kind": kind}) for kind in KINDS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and b"origin" not in {name for name, _ in scope["headers"]}
        ):
            path = scope["path"]
            if path in self._one:
                one, scope["path_params"] = self._one[path]
                await one(scope, receive, send)
                return
            if path == self._batch.route:
                await self._batch(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _openapi(request: Request) -> Response:
    return JSONResponse(openapi.document())


async def _no_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        problem = Problem(405, "method_not_allowed", "use the methods that Allow names")
    else:
        problem = Problem(404, "not_found", "look at /v1/events/openapi.json for what there is")
    return _response(problem, dict(error.headers or {}))


async def _last_resort(request: Request, error: Exception) -> Response:
    return _response(Problem(500, "internal", "this is our fault; it was logged"), {})


def _response(problem: Problem, headers: dict[str, str]) -> Response:
    return Response(problem.encoded(), problem.status, headers, media_type=MEDIA_TYPE)
