"""`undo`: what one version of a rule did on a site, comment by comment, as signed events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from services.console.decide import ACQUIRE_SECONDS, SEND_SECONDS
from services.core import codec, topics
from services.core.db import Pool, transaction
from services.core.errors import Retryable
from services.core.events import RuleUndone, UndoOnComment
from services.core.problems import away
from services.core.produce import Outgoing, Producer
from services.core.store import decisions, rulesets
from services.core.tokens import Identity

PAGE = 500
"""Comments that one page takes back, at most."""
SAMPLES = 10
SAME_PAGE = "send the same page again, each comment is undone once"


@dataclass(frozen=True)
class Undoing:
    producer: Producer
    pool: Pool
    secret: bytes
    clock: Callable[[], datetime]

    async def page(
        self,
        identity: Identity,
        rule: str,
        version: str,
        reason: str,
        after: rulesets.Place,
        dry_run: bool,
    ) -> dict[str, Any]:
        """One page of what the rule's version stopped on the token's site, as events; the same
        page again sends the same events. Raises Problem 503 where the log did not confirm."""
        async with transaction(self.pool, acquire_seconds=ACQUIRE_SECONDS) as connection:
            stopped, place = await rulesets.did(
                connection, identity.site, rule, version, after, PAGE
            )
            names = {one: undo_id(rule, version, one) for one in stopped}
            known = await decisions.known_ids(
                connection, [(one.discussion, name) for one, name in names.items()]
            )
        left = [one for one in stopped if (one.discussion, names[one]) not in known]
        if not dry_run:
            await self._send(identity, rule, version, reason, left, names)
        return {
            "dry_run": dry_run,
            "comments": len(left),
            "already": len(stopped) - len(left),
            "samples": [f"{one.discussion}/{one.comment}" for one in left[:SAMPLES]],
            "next": None if place is None else [place.recorded_at, place.discussion, place.event],
        }

    async def _send(
        self,
        identity: Identity,
        rule: str,
        version: str,
        reason: str,
        stopped: Sequence[rulesets.Stopped],
        names: Mapping[rulesets.Stopped, str],
    ) -> None:
        events = []
        for one in stopped:
            site, _, discussion = one.discussion.partition("/")
            data = UndoOnComment(discussion, one.comment, one.revision, rule, version, reason)
            event = RuleUndone(
                id=names[one],
                source=f"/sites/{site}",
                site=site,
                actor=identity.subject,
                actorname=identity.name,
                role=identity.role,
                time=self.clock(),
                signature="",
                data=data,
            )
            signature = codec.sign(codec.digest(event), event.id, self.secret)
            events.append(structs.replace(event, signature=signature))
        sent = await self.producer.send_all(
            [Outgoing(topics.COMMENTS, one.key.encode(), codec.encode(one)) for one in events],
            deadline_seconds=SEND_SECONDS,
        )
        if failed := sum(isinstance(result, Retryable) for result in sent):
            raise away(f"Kafka did not answer in time for {failed} of {len(sent)}: {SAME_PAGE}")


def beginning(since: datetime | None) -> rulesets.Place:
    return rulesets.Place(since or datetime(1970, 1, 1, tzinfo=UTC), "", "")


def undo_id(rule: str, version: str, one: rulesets.Stopped) -> str:
    return "undo-" + digest_of(rule, version, *one)


def digest_of(*said: object) -> str:
    """What ids are made of that follow from what is done: asked twice, it is done once."""
    return hashlib.blake2b(codec.encode(said), digest_size=16).hexdigest()
