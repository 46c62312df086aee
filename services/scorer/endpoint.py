"""The portal's endpoint: one POST for a comment, with a deadline, attempts, and a rest after
failures. What it answers is checked before anything is believed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import httpx
from msgspec import Meta, Struct

from services.core import codec, metrics
from services.core.errors import BadEvent
from services.core.events import Score, ScoreName
from services.core.store.wanted_scores import Taken

PAUSES = (0.2, 0.6)
"""Seconds before the second and the third attempt."""
ATTEMPTS = 1 + len(PAUSES)
MOST_BYTES = 64 * 1024
"""Of an answer."""
FAILURES = 5
"""So many in a row, and the endpoint is left alone for a while."""
REST_SECONDS = 10.0


class Answer(Struct, frozen=True):
    scores: Annotated[dict[ScoreName, Score], Meta(max_length=64)]
    model: Annotated[str, Meta(max_length=100)] = ""


class NoAnswer(Exception):
    """Why there is no score of a comment."""

    def __init__(self, why: str, *, again: bool = True) -> None:
        super().__init__(why)
        self.again = again
        """Whether asking once more may help."""


class Breaker:
    """Open while the endpoint is left alone; the first request after that decides."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    def rests(self) -> bool:
        return self._clock() < self._until

    @property
    def doubtful(self) -> bool:
        """It failed until it was left alone, and has not answered since."""
        return self._failures >= FAILURES

    def ended(self, *, well: bool) -> None:
        self._failures = 0 if well else self._failures + 1
        if self._failures >= FAILURES:
            self._until = self._clock() + REST_SECONDS
        metrics.SCORER_PAUSED.set(self.doubtful)


class Endpoint:
    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        *,
        deadline_seconds: float = 2.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._url = url
        self._deadline = deadline_seconds
        self._sleep = sleep
        self.breaker = Breaker()

    @property
    def longest_seconds(self) -> float:
        """How long `ask` takes at most."""
        return ATTEMPTS * self._deadline + sum(PAUSES)

    async def ask(self, one: Taken) -> Answer:
        """Raises NoAnswer after the last attempt."""
        for pause in (*PAUSES, None):
            try:
                answer = await self._once(one)
            except NoAnswer as failed:
                self.breaker.ended(well=False)
                if pause is None or not failed.again or self.breaker.rests():
                    raise
                await self._sleep(pause)
            else:
                self.breaker.ended(well=True)
                return answer
        raise AssertionError

    async def _once(self, one: Taken) -> Answer:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._deadline):
                raw = await self._post(question(one))
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._deadline} s") from None
        except httpx.HTTPError as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from None
        finally:
            metrics.SCORER_SECONDS.observe(time.monotonic() - began)
        try:
            return codec.decode(raw, Answer)
        except BadEvent as error:
            raise NoAnswer(f"its answer is no good: {error}", again=False) from None

    async def _post(self, body: dict[str, Any]) -> bytes:
        async with self._client.stream("POST", self._url, content=codec.encode(body)) as response:
            if response.status_code != 200:
                again = response.status_code in (408, 425, 429) or response.status_code >= 500
                raise NoAnswer(f"it answers {response.status_code}", again=again)
            raw = b""
            async for part in response.aiter_bytes():
                raw += part
                if len(raw) > MOST_BYTES:
                    raise NoAnswer(f"its answer is longer than {MOST_BYTES} bytes", again=False)
        return raw


def question(one: Taken) -> dict[str, Any]:
    """What the portal is told: docs/api.md has it."""
    return {
        "site": one.site,
        "discussion": one.discussion.partition("/")[2],
        "comment": one.comment,
        "revision": one.revision,
        "language": one.language or "",
        "text": one.body,
        "scores": list(one.names),
    }
