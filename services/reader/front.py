"""The way in: feeds and strips from memory at once, the rest through the routes.

A feed costs a dictionary lookup and one response. CORS, HEAD, problems and timing live here, so
they hold for every answer.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from starlette.types import ASGIApp

from services.core.headers import SECURITY, Headers, of_problem
from services.core.metrics import HTTP_SECONDS
from services.core.problems import Problem, away, not_found
from services.reader.names import discussion_key, feed_key
from services.reader.parts import Parts
from services.reader.rendered import MAX_REMEMBERED, Rendered, matches
from services.reader.wire import ABORT, SEND, Message, Receive, Scope, Send

_FEED_SECONDS = HTTP_SECONDS.labels("reader", "feed", "200")
_FEED_UNCHANGED_SECONDS = HTTP_SECONDS.labels("reader", "feed", "304")
_STRIP_SECONDS = HTTP_SECONDS.labels("reader", "discussion", "200")
_STRIP_UNCHANGED_SECONDS = HTTP_SECONDS.labels("reader", "discussion", "304")

_MAX_FEED_KEYS = 10_000
"""Paths and queries whose feed is remembered, so that they are parsed once."""
_EXPOSED = b"etag, age, last-modified, veche-version, retry-after"
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"authorization, if-none-match, last-event-id"),
    (b"access-control-max-age", b"600"),
    (b"vary", b"origin, access-control-request-headers"),
]


class Front:
    """An ASGI application around the routes."""

    def __init__(self, parts: Parts, routes: ASGIApp) -> None:
        self._parts = parts
        self._routes = routes
        self._feed_keys: dict[tuple[str, bytes], str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._routes(scope, receive, send)
            return
        began = perf_counter()
        method = scope["method"]
        allowed: Headers = []
        if method in ("GET", "HEAD"):
            accept_encoding = if_none_match = b""
            for name, value in scope["headers"]:
                if name == b"accept-encoding":
                    accept_encoding = value
                elif name == b"if-none-match":
                    if_none_match = value
                elif name == b"origin":
                    allowed = self._allowed(value)
            try:
                found = self._in_memory(scope["path"], scope["query_string"])
            except Problem as problem:
                await answer_problem(send, problem, allowed)
                route = "discussion" if "/discussions/" in scope["path"] else "feed"
                HTTP_SECONDS.labels("reader", route, str(problem.status)).observe(
                    perf_counter() - began
                )
                return
            if found is not None:
                rendered, age, seconds, unchanged_seconds = found
                coded = rendered.coded_as(self._parts.choose_coding(accept_encoding))
                aged = [(b"age", str(age).encode()), *allowed] if age or allowed else []
                if if_none_match and matches(if_none_match, coded.etag):
                    await send(_start(304, coded.unchanged + aged))
                    await send({"type": "http.response.body", "body": b""})
                    unchanged_seconds.observe(perf_counter() - began)
                    return
                await send(_start(200, coded.headers + aged))
                await send({"type": "http.response.body", "body": coded.body})
                seconds.observe(perf_counter() - began)
                return
        elif method == "OPTIONS":
            await self._preflight(scope, send)
            return
        else:
            for name, value in scope["headers"]:
                if name == b"origin":
                    allowed = self._allowed(value)
        await self._ask_routes(scope, receive, send, allowed, began)

    def _in_memory(self, path: str, query: bytes) -> tuple[Rendered, int, Any, Any] | None:
        """A snapshot that memory holds, with its age; None where the routes must answer."""
        key = self._feed_keys.get((path, query))
        if key is not None:
            return self._feed(key)
        parts = path.split("/")
        if len(parts) != 6 or parts[1] != "v1" or parts[2] != "sites":
            return None
        if parts[4] == "feeds":
            key = feed_key(parts[3], parts[5], query)
            found = self._feed(key)
            if len(path) + len(query) <= MAX_REMEMBERED:
                if len(self._feed_keys) >= _MAX_FEED_KEYS:
                    self._feed_keys.clear()
                self._feed_keys[path, query] = key
            return found
        if parts[4] == "discussions":
            kept = self._parts.strips.get(discussion_key(parts[3], parts[5]))
            if kept is None or kept.strip.state == "removed":
                return None
            age = self._parts.freshness.strips_age_seconds()
            return kept, age, _STRIP_SECONDS, _STRIP_UNCHANGED_SECONDS
        return None

    def _feed(self, key: str) -> tuple[Rendered, int, Any, Any]:
        rendered = self._parts.feeds.get(key)
        if rendered is not None:
            age = self._parts.freshness.feeds_age_seconds()
            return rendered, age, _FEED_SECONDS, _FEED_UNCHANGED_SECONDS
        if self._parts.freshness.caught_up():
            if self._parts.feeds.whole:
                raise not_found("nothing was published for this feed, language and section")
            raise away("this feed has not changed for long and is kept no more")
        raise away("feeds are being read; try again in a moment")

    def _allowed(self, origin: bytes) -> Headers:
        """Exact origins only; never `*`, never `null`, never with credentials."""
        if origin.decode("latin-1") in self._parts.origins:
            return [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _EXPOSED),
            ]
        return []

    async def _preflight(self, scope: Scope, send: Send) -> None:
        origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
        allowed = self._allowed(origin)
        headers = _PREFLIGHT + allowed if allowed else [(b"allow", b"GET, HEAD, OPTIONS")]
        await send(_start(204, [*headers, *SECURITY]))
        await send({"type": "http.response.body", "body": b""})

    async def _ask_routes(
        self, scope: Scope, receive: Receive, send: Send, allowed: Headers, began: float
    ) -> None:
        status = "500"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
                message["headers"] = [*message["headers"], *allowed]
            await send(message)

        # The server's cycle of this request holds the scope: what holds the cycle must not stay.
        extensions = {**scope.get("extensions", {}), SEND: send, ABORT: _abort_of(send)}
        scope = {**scope, "extensions": extensions}
        if scope["method"] == "HEAD":
            # The server leaves the body out by the method of its own scope.
            scope["method"] = "GET"
        try:
            await self._routes(scope, receive, watched)
        finally:  # a bug is answered and then goes on up, to be logged
            route = getattr(scope.get("route"), "name", "none")
            if not route.endswith("stream"):
                HTTP_SECONDS.labels("reader", route, status).observe(perf_counter() - began)


def _abort_of(send: Send) -> Any:
    """uvicorn's `send` is a method of what holds the connection; None under other servers."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    return getattr(transport, "abort", None)


async def answer_problem(send: Send, problem: Problem, allowed: Headers) -> None:
    body = problem.encoded()
    await send(_start(problem.status, of_problem(problem, len(body)) + allowed))
    await send({"type": "http.response.body", "body": body})


def _start(status: int, headers: Headers) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}
