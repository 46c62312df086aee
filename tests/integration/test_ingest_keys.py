"""An issuer's JWK Set behind a real HTTP server: fetched with bounds, redirects not followed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from services.core.errors import Retryable
from services.core.keys import UrlKeys

KEY = ed25519.Ed25519PrivateKey.generate()
JWK = jwt.get_algorithm_by_name("EdDSA").to_jwk(KEY.public_key(), as_dict=True) | {"kid": "k1"}
SET = json.dumps({"keys": [JWK]}).encode()
ALGORITHMS = frozenset({"EdDSA"})

Serve = Callable[[bytes], Awaitable[str]]
"""Starts a server that answers everything with these bytes; gives the set's URL."""


def answer(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{more}\r\n"
    return head.encode() + body


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[asyncio.Server] = []

    async def start(response: bytes) -> str:
        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response)
            with suppress(ConnectionError):
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(respond, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


async def test_a_set_is_fetched(serve: Serve) -> None:
    keys = UrlKeys(await serve(answer(SET)), ALGORITHMS)
    assert await keys.find("k1", "EdDSA", 1000.0) is not None
    assert await keys.find("k2", "EdDSA", 1000.0) is None


@pytest.mark.parametrize(
    "response",
    [
        answer(b"", "302 Found", "location: http://127.0.0.1:1/keys\r\n"),
        answer(SET, "500 Internal Server Error"),
        answer(b"<html>"),
        answer(b'{"keys":[]}'),
        answer(SET[:-2] + b" " * 300_000 + SET[-2:]),
        b"not HTTP at all",
        b"",
    ],
    ids=["redirect", "500", "HTML", "empty set", "too large", "no HTTP", "hang-up"],
)
async def test_what_is_no_set_gives_no_keys(response: bytes, serve: Serve) -> None:
    keys = UrlKeys(await serve(response), ALGORITHMS)
    with pytest.raises(Retryable):
        await keys.find("k1", "EdDSA", 1000.0)
