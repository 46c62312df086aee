"""Takes what is to be asked, asks, and sends each answer as a signed event: a copy works on so
many at once, others on the rest, and what nobody answered in time is dropped as late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.core import codec, db, metrics, topics
from services.core.discussion.undecided import WAIT
from services.core.errors import Retryable
from services.core.events import ScoreGiven, ScoreOfComment
from services.core.produce import Outgoing, Producer
from services.core.store import wanted_scores
from services.core.store.wanted_scores import Taken
from services.scorer.endpoint import Answer, Endpoint, NoAnswer

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
TIDY_SECONDS = 1.0
SEND_SECONDS = 5.0
ACTOR = "scorer"
_PLACES = 4


class Asking:
    def __init__(
        self,
        pool: db.Pool,
        producer: Producer,
        endpoint: Endpoint,
        secret: bytes,
        *,
        at_once: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._endpoint = endpoint
        self._secret = secret
        self._at_once = at_once
        self._clock = clock
        # After that another copy may take it: this one is dead, or its answer was not told.
        self._mine = timedelta(seconds=endpoint.longest_seconds + SEND_SECONDS)
        self._running: set[asyncio.Task[None]] = set()
        self._tidied: datetime | None = None
        self._failing = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, then lets what is being asked end. Rows wait where Postgres is away."""
        stopping = asyncio.create_task(stop.wait(), name="stop")
        while not stop.is_set():
            try:
                await self._tidy()
                await self._take()
            except db.UNAVAILABLE as error:
                log.warning("could not look for comments to ask about: %r", error)
            await asyncio.wait(
                {stopping, *self._running},
                timeout=LOOK_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
        if self._running:
            await asyncio.wait(self._running, timeout=10.0)

    async def _tidy(self) -> None:
        now = self._clock()
        if self._tidied is not None and now - self._tidied < timedelta(seconds=TIDY_SECONDS):
            return
        self._tidied = now
        async with db.transaction(self._pool) as connection:
            late = await wanted_scores.forget_late(connection, now - WAIT)
            metrics.SCORER_WAITING.set(await wanted_scores.waiting(connection))
        if late:
            metrics.SCORES.labels("late").inc(late)

    async def _take(self) -> None:
        """Begins to ask about as many as there is room for; about one where it is in doubt."""
        breaker = self._endpoint.breaker
        room = (1 if breaker.doubtful else self._at_once) - len(self._running)
        if room <= 0 or breaker.rests():
            return
        now = self._clock()
        async with db.transaction(self._pool) as connection:
            taken = await wanted_scores.take(connection, now, now + self._mine, room)
        for one in taken:
            task = asyncio.create_task(self._settle(one), name=f"ask:{one.comment}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _settle(self, one: Taken) -> None:
        """Whatever fails on the way, the row stays until it is late, or another copy takes it."""
        try:
            if one.body is not None:
                await self._ask(one)
            async with db.transaction(self._pool) as connection:
                await wanted_scores.forget(connection, one)
        except (Retryable, *db.UNAVAILABLE) as error:
            log.warning("a score of %s of %s is not told: %s", one.comment, one.discussion, error)
        except Exception:  # a bug of ours with one comment must not end the others' task
            log.exception("a bug kept %s of %s from its score", one.comment, one.discussion)

    async def _ask(self, one: Taken) -> None:
        metrics.SCORES.labels("asked").inc()
        try:
            answer = await self._endpoint.ask(one)
        except NoAnswer as failed:
            metrics.SCORES.labels("failed").inc()
            self._tell(str(failed))
            return
        events = self.events(one, answer)
        for sent in await self._producer.send_all(
            [Outgoing(topics.COMMENTS, one.discussion.encode(), codec.encode(e)) for e in events],
            deadline_seconds=SEND_SECONDS,
        ):
            if isinstance(sent, Retryable):
                raise sent
        missing = sorted(set(one.names) - answer.scores.keys())
        metrics.SCORES.labels("failed" if missing else "answered").inc()
        self._tell(f"its answer has no score of {', '.join(missing)}" if missing else "")

    def _tell(self, trouble: str) -> None:
        """In the log once, until it changes: an endpoint that is away fails on every comment."""
        if trouble != self._failing:
            if trouble:
                log.warning("the portal's classifier: %s", trouble)
            else:
                log.info("the portal's classifier answers")
        self._failing = trouble

    def events(self, one: Taken, answer: Answer) -> list[ScoreGiven]:
        """One for each score that was asked for; its id says of what it is, so repeats are one."""
        return [self._event(one, answer, name) for name in one.names if name in answer.scores]

    def _event(self, one: Taken, answer: Answer, name: str) -> ScoreGiven:
        said = ScoreOfComment(
            discussion=one.discussion.partition("/")[2],
            comment=one.comment,
            revision=one.revision,
            name=name,
            value=round(answer.scores[name], _PLACES),
            model=answer.model,
        )
        # Not to be guessed: whoever took the id before would keep the score away.
        named = f"{one.discussion}/{one.comment}/{one.revision}/{name}"
        event = ScoreGiven(
            id=f"score-{codec.sign(b'', named, self._secret)}",
            source=f"/sites/{one.site}",
            site=one.site,
            actor=ACTOR,
            time=self._clock(),
            signature="",
            data=said,
        )
        return replace(event, signature=codec.sign(codec.digest(event), event.id, self._secret))
