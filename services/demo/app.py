"""The demonstration's two addresses: who there is to be, and a token to be them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from services.core import codec, strict
from services.core.errors import BadEvent
from services.demo.issuer import READERS, SITE, Issuer

MAX_BODY_BYTES = 1_024


def create_app(issuer: Issuer, now: Callable[[], int]) -> Starlette:
    """`now` in seconds since 1970."""

    async def readers(request: Request) -> Response:
        return _json({"site": SITE, "readers": [asdict(reader) for reader in READERS.values()]})

    async def token(request: Request) -> Response:
        if not request.headers.get("content-type", "").startswith("application/json"):
            # A form of another origin cannot send this type without asking first.
            return _problem(415, 'send {"reader": …} as application/json')
        raw = bytearray()
        try:
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > MAX_BODY_BYTES:
                    return _problem(413, f"a body holds at most {MAX_BODY_BYTES} bytes")
            asked = strict.convert(strict.parse(bytes(raw)), dict[str, str])
        except BadEvent as error:
            return _problem(400, error.detail)
        except ClientDisconnect:
            return _problem(400, "the body ended early")
        reader = READERS.get(asked.get("reader", ""))
        if reader is None:
            return _problem(422, f"the sample readers are {', '.join(READERS)}")
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


def _problem(status: int, detail: str) -> Response:
    document = {"type": "about:blank", "status": status, "detail": detail}
    return _json(document, status, "application/problem+json")
