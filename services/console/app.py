"""The console's public app: routes, and every error as an RFC 9457 problem document."""

from __future__ import annotations

import logging
import time

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console import agreement, dossier_routes, rules_routes, why
from services.console.decide import Decider
from services.console.routes import router
from services.console.rulesets import Rulesets
from services.console.show import Titles
from services.core.db import UNAVAILABLE, Pool
from services.core.headers import NO_STORE, NOSNIFF
from services.core.metrics import HTTP_SECONDS
from services.core.problems import MEDIA_TYPE, Problem, away, bad_parameter, not_found
from services.core.tokens import Issuers

log = logging.getLogger(__name__)


def create_app(
    pool: Pool,
    decider: Decider,
    issuers: Issuers,
    titles: Titles,
    rulesets: Rulesets | None = None,
    explainer: why.Explainer | None = None,
) -> FastAPI:
    """No CORS: the console has no business with other origins."""
    app = FastAPI(
        title="Veche console",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would be built from the Host header
    )
    app.state.pool = pool
    app.state.decider = decider
    app.state.issuers = issuers
    app.state.titles = titles
    app.state.rulesets = rulesets
    app.state.explainer = explainer
    app.include_router(router)
    app.include_router(dossier_routes.router)
    app.include_router(rules_routes.router)
    app.include_router(agreement.router)
    app.include_router(why.router)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _bad_parameter)
    app.add_exception_handler(HTTPException, _no_such_route)
    for kind in UNAVAILABLE:
        app.add_exception_handler(kind, _postgres_away)
    app.add_exception_handler(Exception, _our_fault)
    app.add_middleware(Measured)
    return app


class Measured:
    """Times every request by its route and forbids every cache to keep the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def headed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    NO_STORE,
                    NOSNIFF,
                ]
            await send(message)

        try:
            await self.app(scope, receive, headed)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            elapsed = time.perf_counter() - started
            HTTP_SECONDS.labels("console", route, str(status)).observe(elapsed)


def _answer(problem: Problem) -> Response:
    return Response(problem.encoded(), problem.status, problem.headers, media_type=MEDIA_TYPE)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(error)


async def _bad_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    parameter = str(first["loc"][-1])
    return _answer(bad_parameter(parameter, f"{parameter}: {first['msg']}"))


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        problem = Problem(405, "method_not_allowed", f"{request.method} is not answered here")
        response = _answer(problem)
        response.headers.update(error.headers or {})
        return response
    return _answer(not_found("there is nothing at this address"))


async def _postgres_away(request: Request, error: Exception) -> Response:
    log.warning("postgres does not answer: %s", type(error).__name__)
    return _answer(away("Postgres does not answer now; nothing was changed, try again"))


async def _our_fault(request: Request, error: Exception) -> Response:
    return _answer(Problem(500, "internal", "this is a fault of ours; it is in the log"))
