"""The reader's ASGI application, from its parts."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from services.core.problems import Problem
from services.reader import comments, streams, strips
from services.reader.answer import (
    http_response,
    invalid_response,
    last_resort,
    problem_response,
)
from services.reader.front import Front
from services.reader.parts import Parts


def create_app(parts: Parts, *private: APIRouter) -> Front:
    """`private` are routers that need keys of their own: `/v1/me` and receipts."""
    app = FastAPI(
        title="Veche reader",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would be built from the Host header
    )
    app.state.parts = parts
    app.add_exception_handler(Problem, problem_response)
    app.add_exception_handler(RequestValidationError, invalid_response)
    app.add_exception_handler(HTTPException, http_response)
    app.add_exception_handler(Exception, last_resort)
    for router in (strips.router, comments.router, streams.router, *private):
        app.include_router(router)
    return Front(parts, app)
