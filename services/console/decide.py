"""A moderator's decision: a signed event in comments.v1, and a short wait for its outcome.

Postgres is only read here. Whether a decision holds is settled by moderation, in the order of the
discussion's partition; this module tells the moderator what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from services.console import show
from services.console.bodies import DecisionBody, PolicyBody
from services.core import codec, topics
from services.core.db import UNAVAILABLE, Pool
from services.core.errors import Retryable
from services.core.events import (
    DecisionMade,
    DecisionOnComment,
    Expected,
    SitePolicy,
    SitePolicySet,
)
from services.core.problems import Problem, away
from services.core.produce import Outgoing, Producer
from services.core.store import decisions, policies, queue
from services.core.tokens import Identity

SEND_SECONDS = 2.0
WAIT_SECONDS = 2.0
FIRST_POLL_SECONDS = 0.02
SLOWEST_POLL_SECONDS = 0.2
ACQUIRE_SECONDS = 2.0

SAME_ID = "what became of it is not known; send the same id again, it takes effect once"


@dataclass(frozen=True)
class Settled:
    """What became of one decision: `status` is HTTP's, `body` the answer or problem document."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Decider:
    producer: Producer
    pool: Pool
    secret: bytes
    clock: Callable[[], datetime]

    async def decide(self, identity: Identity, bodies: Sequence[DecisionBody]) -> list[Settled]:
        """One answer per body, in their order: 200, 202, 404, 409, 422 or 503."""
        settled: dict[int, Settled] = {}
        made: dict[int, DecisionMade] = {}
        for position, body in enumerate(bodies):
            if body.ruling == "reject" and not body.reason.strip():
                problem = Problem(
                    422, "bad_value", "tell the author why: reject needs a reason", "/reason"
                )
                settled[position] = Settled(422, problem.document())
            else:
                made[position] = self._event(identity, body)
        sent = await self.producer.send_all(
            [
                Outgoing(topics.COMMENTS, event.key.encode(), codec.encode(event))
                for event in made.values()
            ],
            deadline_seconds=SEND_SECONDS,
        )
        waiting: dict[int, DecisionMade] = {}
        for (position, event), result in zip(made.items(), sent, strict=True):
            if isinstance(result, Retryable):
                problem = away(f"Kafka did not answer in time: {SAME_ID}", id=event.id)
                settled[position] = Settled(503, problem.document())
            else:
                waiting[position] = event
        settled |= await self._outcomes(waiting, identity)
        return [settled[position] for position in range(len(bodies))]

    async def look(self, name: decisions.EventName) -> Settled:
        """What became of a decision sent earlier: as `decide` answers, 202 while it waits."""
        async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            outcome = (await decisions.outcomes_named(connection, [name])).get(name)
            if outcome is None:
                return _waiting(name)
            item = (outcome.discussion, outcome.comment)
            states = await decisions.states(connection, [item])
        return _settled(outcome, states.get(item))

    async def set_policy(self, identity: Identity, body: PolicyBody) -> Settled:
        """200 once the policy holds, 202 where that took longer than the wait."""
        wanted = SitePolicy(body.policy, body.report_threshold, body.edit_hold, body.late_scores)
        event = SitePolicySet(
            id=body.id or uuid4().hex,
            source=f"/sites/{identity.site}",
            site=identity.site,
            actor=identity.subject,
            actorname=identity.name,
            role=identity.role,
            time=self.clock(),
            signature="",
            data=wanted,
        )
        event = replace(event, signature=self._signature(event))
        try:
            await self.producer.send(
                topics.CONTROL,
                identity.site.encode(),
                codec.encode(event),
                deadline_seconds=SEND_SECONDS,
            )
        except Retryable:
            raise away(f"Kafka did not answer in time: {SAME_ID}", id=event.id) from None

        async def holds() -> bool:
            async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                set_now = await policies.of(connection, [identity.site])
                return set_now.get(identity.site) == wanted

        if await until(holds):
            return Settled(200, {"id": event.id, "result": "applied"})
        return Settled(202, {"id": event.id, "result": "waiting"})

    async def _outcomes(
        self, waiting: Mapping[int, DecisionMade], identity: Identity
    ) -> dict[int, Settled]:
        """Polls until every event has its outcome or the wait is over."""
        if not waiting:
            return {}
        names = {position: _event_name(event) for position, event in waiting.items()}
        items = {p: (event.key, event.data.comment) for p, event in waiting.items()}
        found: dict[decisions.EventName, decisions.EventOutcome] = {}

        async def all_known() -> bool:
            missing = {name for name in names.values() if name not in found}
            async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                found.update(await decisions.outcomes_named(connection, missing))
            return len(found) == len(set(names.values()))

        try:
            await until(all_known)
            async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                states = await decisions.states(connection, set(items.values()))
                known = {items[p] for p, name in names.items() if name in found}
                await queue.release(connection, known, identity.subject)
        except UNAVAILABLE:
            # The events are in Kafka: their outcomes come, whoever asks for them later.
            return {position: _waiting(name) for position, name in names.items()}
        return {
            p: _settled(found[name], states.get(items[p])) if name in found else _waiting(name)
            for p, name in names.items()
        }

    def _event(self, identity: Identity, body: DecisionBody) -> DecisionMade:
        event = DecisionMade(
            id=body.id or uuid4().hex,
            source=f"/sites/{identity.site}",
            site=identity.site,
            actor=identity.subject,
            actorname=identity.name,
            role=identity.role,
            time=self.clock(),
            signature="",
            data=DecisionOnComment(
                discussion=body.discussion,
                comment=body.comment,
                ruling=body.ruling,
                expected=Expected(body.expected.revision, body.expected.status),
                reason=body.reason,
            ),
        )
        return replace(event, signature=self._signature(event))

    def _signature(self, event: DecisionMade | SitePolicySet) -> str:
        return codec.sign(codec.digest(event), event.id, self.secret)


async def until(holds: Callable[[], Any]) -> bool:
    """Asks at growing intervals; False once WAIT_SECONDS are over."""
    pause = FIRST_POLL_SECONDS
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not await holds():
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, SLOWEST_POLL_SECONDS)
    except TimeoutError:
        return False
    return True


def _event_name(event: DecisionMade) -> decisions.EventName:
    return (event.key, event.id, codec.digest(event))


def _waiting(name: decisions.EventName) -> Settled:
    key, event_id, digest = name
    site, _, discussion = key.partition("/")
    poll = f"/v1/console/sites/{site}/decisions/{discussion}/{event_id}?digest={digest.hex()}"
    return Settled(202, {"id": event_id, "result": "waiting", "poll": poll})


def _settled(outcome: decisions.EventOutcome, now: decisions.State | None) -> Settled:
    current = show.state(now) if now else None
    if outcome.result != "refused":
        return Settled(
            200,
            {
                "id": outcome.event_id,
                "result": outcome.result,
                "discussion": show.discussion_id(outcome.discussion),
                "comment": outcome.comment,
                "current": current,
            },
        )
    code = outcome.reason if outcome.reason in _REFUSED else "refused"
    status, detail = _REFUSED[code]
    problem = Problem(status, code, detail, id=outcome.event_id, current=current)
    return Settled(status, problem.document())


_REFUSED = {
    "conflict": (409, "the comment changed since you saw it; look at `current` and decide again"),
    "comment_deleted": (409, "its author deleted this comment; no decision brings it back"),
    "id_taken": (409, "this id was used for another decision; mint a new one"),
    "comment_unknown": (404, "there is no such comment in this discussion"),
    "discussion_unknown": (404, "there is no such discussion"),
    "refused": (409, "this decision was refused"),
}
