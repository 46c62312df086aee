"""Probes: /livez, /readyz and /metrics of every process, and the server that answers HTTP.

The server runs in the process's own loop and leaves signals to `lifecycle`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response

from services.core import metrics
from services.core.errors import Misconfigured

log = logging.getLogger(__name__)

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def probes_app(
    live: Callable[[], str | None],
    ready: Callable[[], str | None],
    note: Callable[[], str] = str,
) -> FastAPI:
    """`live` and `ready` return None where all is well, else the reason that a 503 tells.

    Not live: restart the process. Not ready: send it no requests. `note` is what a ready process
    has to say all the same, for people.
    """
    app = FastAPI(title="probes", docs_url=None, redoc_url=None, openapi_url=None)

    def answer(reason: str | None) -> PlainTextResponse:
        return PlainTextResponse(f"{reason or 'ok'}\n", 503 if reason else 200)

    @app.get("/livez")
    async def livez() -> PlainTextResponse:
        return answer(live())

    @app.get("/readyz")
    async def readyz() -> PlainTextResponse:
        reason, said = ready(), note()
        return PlainTextResponse(f"ok: {said}\n") if said and not reason else answer(reason)

    @app.get("/metrics")
    async def exposition() -> Response:
        return Response(metrics.exposition(), media_type=EXPOSITION)

    return app


class _Server(uvicorn.Server):
    """uvicorn would take the process's signals; they belong to `lifecycle`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(
    app: Any,
    host: str,
    port: int,
    *,
    send_buffer_bytes: int | None = None,
    grace_seconds: int = 5,
    backlog: int = 2_048,
) -> AsyncIterator[int]:
    """Answers HTTP while the context lasts; yields the port (port 0: any free one).

    `send_buffer_bytes` bounds what the kernel keeps for a client that does not read: without it,
    stalled streams hide megabytes each. Raises Misconfigured where the address cannot be used.
    """
    listening = _listen(host, port, send_buffer_bytes, backlog)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            date_header=True,
            timeout_graceful_shutdown=grace_seconds,
            timeout_keep_alive=30,
            backlog=backlog,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]), name=f"http:{port}")
    try:
        while not server.started:
            if serving.done():
                serving.result()
                raise RuntimeError("the HTTP server ended before it had started")
            await asyncio.sleep(0.01)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        try:
            async with asyncio.timeout(grace_seconds + 5):
                await serving
        except TimeoutError:
            log.warning("the HTTP server did not end in time")
        finally:
            listening.close()


def _listen(host: str, port: int, send_buffer_bytes: int | None, backlog: int) -> socket.socket:
    listening: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if send_buffer_bytes is not None:
            # Accepted connections inherit it.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        listening.bind(address)
        listening.listen(backlog)
        listening.setblocking(False)
    except OSError as error:
        if listening is not None:
            listening.close()
        if error.errno == errno.EADDRINUSE:
            raise Misconfigured(f"port {port} on {host} is taken: choose another one") from None
        raise Misconfigured(f"cannot listen on {host}:{port}: {error}") from error
    return listening
