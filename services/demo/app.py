"""The demonstration's two addresses: who there is to be, and a token to be them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.core import codec, strict
from services.core.bodies import read_json
from services.core.errors import BadEvent
from services.core.problems import MEDIA_TYPE, Problem, of_body
from services.demo.issuer import READERS, SITE, Issuer

MAX_BODY_BYTES = 1_024


def create_app(issuer: Issuer, now: Callable[[], int]) -> Starlette:
    """`now` in seconds since 1970."""

    async def readers(request: Request) -> Response:
        return _json({"site": SITE, "readers": [asdict(reader) for reader in READERS.values()]})

    async def token(request: Request) -> Response:
        # JSON only: a form of another origin cannot send this type without asking first.
        try:
            stated = await read_json(request.scope["headers"], request.receive, MAX_BODY_BYTES)
            asked = strict.convert(stated, dict[str, str])
        except Problem as problem:
            return _problem(problem)
        except BadEvent as error:
            return _problem(of_body(error.code, error.detail, error.field))
        reader = READERS.get(asked.get("reader", ""))
        if reader is None:
            said = f"the sample readers are {', '.join(READERS)}"
            return _problem(Problem(422, "bad_value", said, "/reader"))
        signed = issuer.reader(reader, now())
        return _json({"reader": asdict(reader), **asdict(signed)})

    return Starlette(
        routes=[
            Route("/demo/readers", readers, methods=["GET"]),
            Route("/demo/token", token, methods=["POST"]),
        ]
    )


def _json(body: object, status: int = 200, kind: str = "application/json") -> Response:
    return Response(
        codec.encode(body), status, headers={"content-type": kind, "cache-control": "no-store"}
    )


def _problem(problem: Problem) -> Response:
    return _json(problem.document(), problem.status, MEDIA_TYPE)
