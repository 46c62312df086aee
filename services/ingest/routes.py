"""The addresses of ingest, as plain ASGI: this path is the hot one."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.types import Receive, Scope, Send

from services.core import codec, metrics
from services.core.bodies import json_of, read_body, read_json
from services.core.callers import caller
from services.core.headers import NO_STORE, NOSNIFF, Headers, header
from services.core.problems import MEDIA_TYPE, Problem
from services.core.tokens import Identity, Issuers
from services.ingest import cookie
from services.ingest.admit import (
    KINDS,
    MAX_EVENT_BYTES,
    TYPES,
    Accepted,
    Anonymous,
    admit,
    admit_plain,
)
from services.ingest.send import Sender

log = logging.getLogger(__name__)

MAX_BATCH = 500
MAX_BATCH_BYTES = 1024 * 1024


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]
    media_type: str = "application/json"


@dataclass(frozen=True)
class Gate:
    """What every address needs."""

    issuers: Issuers
    sender: Sender
    viewer_secret: bytes
    clock: Callable[[], datetime]

    async def identity(self, authorization: str, now: datetime) -> Identity:
        return await caller(self.issuers, authorization, now.timestamp())

    def viewer(self, headers: Headers) -> tuple[str, str]:
        """(actor, cookie value) of a reader without a token: the cookie's, else new ones."""
        value = cookie.from_headers(headers)
        actor = cookie.viewer_of(value, self.viewer_secret)
        if actor is None:
            value = cookie.mint(self.viewer_secret)
            actor = f"anon:{value.partition('.')[0]}"
        return actor, value


class Address(ABC):
    """An ASGI endpoint that answers problems as documents and never lets an exception out."""

    route = ""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    @abstractmethod
    async def answer(self, scope: Scope, receive: Receive, extra: dict[str, str]) -> Answer:
        """`extra`: headers that go with whatever is answered, problems too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        extra: dict[str, str] = {}
        try:
            answer = await self.answer(scope, receive, extra)
        except Problem as problem:
            answer = _of_problem(problem)
        except Exception:  # the handler of last resort: whatever broke, the caller learns no more
            log.exception("a request to %s broke", self.route)
            answer = _of_problem(Problem(500, "internal", "this is our fault; it was logged"))
        await respond(answer, extra, send)
        _seconds(self.route, answer.status).observe(time.perf_counter() - began)


class OneEvent(Address):
    """POST /v1/events/{kind}: one event; 202 with its receipt."""

    route = "/v1/events/{kind}"

    async def answer(self, scope: Scope, receive: Receive, extra: dict[str, str]) -> Answer:
        kind = scope["path_params"]["kind"]
        headers: Headers = scope["headers"]
        if kind not in KINDS:
            raise Problem(404, "not_found", f"events are sent to {', '.join(KINDS)}")
        now = self.gate.clock()
        authorization = header(headers, b"authorization")
        who: Identity | Anonymous
        if kind == "view" and not authorization:
            viewer, value = self.gate.viewer(headers)
            extra["set-cookie"] = cookie.set_cookie(value, secure=_over_tls(scope, headers))
            who = Anonymous(viewer, self.gate.issuers.sites)
        else:
            who = await self.gate.identity(authorization, now)
        raw = await read_body(headers, receive, MAX_EVENT_BYTES)
        accepted = admit_plain(raw, who, now, kind)
        if accepted is None:
            stated = json_of(raw)
            try:
                accepted = admit(stated, who, now, kind)
            except Problem as problem:
                _count(_stated_type(stated), problem)
                raise
        [result] = await self.gate.sender.send([accepted])
        _count(accepted.type, result)
        if isinstance(result, Problem):
            raise result
        return Answer(202, codec.encode(result), {})


class Events(Address):
    """POST /v1/events: up to 500 events; a result for each."""

    route = "/v1/events"

    async def answer(self, scope: Scope, receive: Receive, extra: dict[str, str]) -> Answer:
        headers: Headers = scope["headers"]
        now = self.gate.clock()
        who = await self.gate.identity(header(headers, b"authorization"), now)
        stated = _batch(await read_json(headers, receive, MAX_BATCH_BYTES))
        results: list[dict[str, Any] | Problem | Accepted] = []
        for item in stated:
            try:
                results.append(admit(item, who, now))
            except Problem as problem:
                _count(_stated_type(item), problem)
                results.append(problem)
        accepted = [one for one in results if isinstance(one, Accepted)]
        sent = iter(await self.gate.sender.send(accepted) if accepted else [])
        for index, one in enumerate(results):
            if isinstance(one, Accepted):
                result = next(sent)
                _count(one.type, result)
                results[index] = result
        return _batch_answer(stated, results)


class Viewer(Address):
    """POST /v1/viewer: gives a reader without a token the cookie that views are counted by."""

    route = "/v1/viewer"

    async def answer(self, scope: Scope, receive: Receive, extra: dict[str, str]) -> Answer:
        _, value = self.gate.viewer(scope["headers"])
        secure = _over_tls(scope, scope["headers"])
        return Answer(204, b"", {"set-cookie": cookie.set_cookie(value, secure=secure)})


def _of_problem(problem: Problem) -> Answer:
    return Answer(problem.status, problem.encoded(), dict(problem.headers), MEDIA_TYPE)


async def respond(answer: Answer, extra: dict[str, str], send: Send) -> None:
    headers = [NO_STORE, NOSNIFF]
    if answer.body:
        headers.append((b"content-type", answer.media_type.encode()))
    if answer.status != 204:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    if extra or answer.headers:
        for name, value in (extra | answer.headers).items():
            headers.append((name.encode(), value.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _batch(stated: Any) -> list[Any]:
    if not isinstance(stated, dict) or not isinstance(stated.get("events"), list):
        raise Problem(422, "bad_schema", 'the body is {"events": […]}', "/events")
    if unknown := stated.keys() - {"events"}:
        raise Problem(422, "bad_schema", "the body holds an unknown member", f"/{min(unknown)}")
    events: list[Any] = stated["events"]
    if not 1 <= len(events) <= MAX_BATCH:
        raise Problem(
            422,
            "bad_schema",
            f"a batch holds 1 to {MAX_BATCH} events, not {len(events)}",
            "/events",
        )
    return events


def _batch_answer(stated: list[Any], results: list[dict[str, Any] | Problem | Accepted]) -> Answer:
    """202: all accepted. 207: look at each. 503: the log did not confirm some; send all again."""
    shown: list[dict[str, Any]] = []
    unknown: Problem | None = None
    refused = False
    for index, (item, result) in enumerate(zip(stated, results, strict=True)):
        if isinstance(result, Problem):
            refused = True
            if result.status == 503:
                unknown = result
            given = item.get("id") if isinstance(item, dict) else None
            shown.append(
                {
                    "id": given if isinstance(given, str) else None,
                    "status": result.status,
                    "problem": result.document(f"/events/{index}"),
                }
            )
        elif isinstance(result, dict):
            shown.append(result | {"status": 202})
    if unknown:
        document = unknown.document() | {"results": shown}
        return Answer(503, codec.encode(document), dict(unknown.headers), MEDIA_TYPE)
    return Answer(207 if refused else 202, codec.encode({"results": shown}), {})


def _over_tls(scope: Scope, headers: Headers) -> bool:
    """Only decides the cookie's Secure attribute, so a forged header harms its sender alone."""
    return scope.get("scheme") == "https" or (b"x-forwarded-proto", b"https") in headers


def _stated_type(item: Any) -> str:
    """A label out of a closed set, whatever was stated."""
    stated = item.get("type") if isinstance(item, dict) else None
    return stated if isinstance(stated, str) and stated in TYPES else "other"


def _count(type: str, result: dict[str, Any] | Problem) -> None:
    outcome = result.code if isinstance(result, Problem) else "accepted"
    _ingested(type, outcome).inc()


# Looked up once each: `labels` costs more than what it counts. All labels are of closed sets.


@cache
def _ingested(type: str, outcome: str) -> Counter:
    return metrics.INGESTED.labels(type, outcome)


@cache
def _seconds(route: str, status: int) -> Histogram:
    return metrics.HTTP_SECONDS.labels("ingest", route, str(status))
