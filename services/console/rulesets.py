"""A ruleset's life as the console leads it: proposed, approved, activated, gone back from, undone.

Only proposals are written here. What is activated or undone is a signed event, and moderation says
what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import structs

from services.console.decide import ACQUIRE_SECONDS, SAME_ID, SEND_SECONDS, Settled, until
from services.console.rehearse import Rehearsals, row
from services.console.rights import check_second_person, check_sites
from services.console.undoing import Undoing, digest_of
from services.core import codec, topics
from services.core.db import Pool, transaction
from services.core.errors import Retryable, VecheError
from services.core.events import ActivatedRuleset, RulesetActivated
from services.core.problems import Problem, away, not_found
from services.core.produce import Producer
from services.core.store import judged, rulesets
from services.core.tokens import Identity

MAX_FILES_BYTES = 900_000
"""Of the files as JSON: a record of Kafka holds a million bytes by default."""
HISTORY = 50
GOING_BACK = 3
"""Times that it is tried beside others' activations."""
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Current:
    version: int
    """0: the folder VECHE_RULES_DIR, since no ruleset was ever activated."""
    hash: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Rulesets:
    producer: Producer
    pool: Pool
    secret: bytes
    clock: Callable[[], datetime]
    folder: Callable[[], Mapping[str, str]]
    """The texts of VECHE_RULES_DIR."""
    rehearse: Rehearsals
    sites: Collection[str]
    """All that the issuers file names."""
    replayed: int = 2_000
    """Comments that a proposal is replayed over."""

    @property
    def undoing(self) -> Undoing:
        return Undoing(self.producer, self.pool, self.secret, self.clock)

    async def current(self) -> Current:
        """Raises Problem where neither Postgres nor the folder has one that loads."""
        async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            newest = await rulesets.newest(connection)
            found = await rulesets.one(connection, newest[0]) if newest else None
        if found is not None:
            return Current(found[0].version, found[0].hash, found[1])
        files = self.folder()
        return Current(0, (await self.rehearse(files)).hash, files)

    async def folder_hash(self) -> str | None:
        """Of VECHE_RULES_DIR; None where there is none that loads."""
        with suppress(VecheError, Problem, OSError):
            return (await self.rehearse(self.folder())).hash
        return None

    async def propose(
        self, identity: Identity, files: Mapping[str, str], reason: str
    ) -> rulesets.Proposal:
        check_size(files)
        current = await self.current()
        if files == current.files:
            raise Problem(409, "unchanged", "these are the rules in use; there is nothing to do")
        async with transaction(self.pool, acquire_seconds=ACQUIRE_SECONDS) as connection:
            since = await judged.since_of_newest(connection, self.replayed)
            comments = [row(one) async for one in judged.stream(connection, since or EVER)]
        answer = await self.rehearse(files, current.files, comments[-self.replayed :])
        async with transaction(self.pool, acquire_seconds=ACQUIRE_SECONDS) as connection:
            number = await rulesets.propose(
                connection,
                files,
                answer.hash,
                current.hash,
                identity.subject,
                reason,
                answer.rejects,
                answer.reach,
                answer.effect,
                self.clock(),
            )
        return (await self.proposal(number))[0]

    async def proposal(self, number: int) -> tuple[rulesets.Proposal, dict[str, str]]:
        async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            found = await rulesets.proposal(connection, number)
        if found is None:
            raise not_found(f"there is no proposal {number}")
        return found

    async def approve(self, identity: Identity, number: int) -> Settled:
        """200 once it is activated, 202 where that took longer than the wait."""
        proposal, files = await self.proposal(number)
        if proposal.state == "withdrawn":
            raise Problem(409, "settled", f"proposal {number} was withdrawn: propose it again")
        event_id = name_of(proposal)
        async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            before = await rulesets.settled(connection, event_id, 0, 0)
        if before.version is not None:  # asked again after a 202 or 503
            await self._settle(number, "activated", identity)
            return _activated(event_id, before.version, proposal.hash)
        check_sites(identity, proposal.reach, self.sites)
        check_second_person(identity, proposal)
        current = await self.current()
        if current.hash != proposal.parent:
            raise Stale
        event = self._activation(
            identity,
            event_id,
            ActivatedRuleset(
                files=files,
                hash=proposal.hash,
                parent=proposal.parent,
                author=proposal.author,
                approved_by=identity.subject,
                reason=proposal.reason,
                effect=proposal.effect,
            ),
        )
        settled = await self._send(event)
        if settled.status == 200:
            await self._settle(number, "activated", identity)
        return settled

    async def withdraw(self, identity: Identity, number: int) -> rulesets.Proposal:
        """By its author, or an administrator."""
        proposal, _ = await self.proposal(number)
        if identity.subject != proposal.author:
            check_sites(identity, proposal.reach, self.sites)
        if identity.subject != proposal.author and identity.role != "admin":
            raise Problem(
                403, "role_not_allowed", "only its author or an administrator withdraws a proposal"
            )
        if not await self._settle(number, "withdrawn", identity):
            raise Problem(409, "settled", f"proposal {number} is {proposal.state} already")
        return (await self.proposal(number))[0]

    async def roll_back(self, identity: Identity, to: int, reason: str) -> Settled:
        """One step, by one administrator: what judged before was approved before.

        Where another ruleset is activated meanwhile, goes back from that one.
        """
        for _ in range(GOING_BACK - 1):
            with suppress(Stale):
                return await self._back(identity, to, reason)
        return await self._back(identity, to, reason)

    async def _back(self, identity: Identity, to: int, reason: str) -> Settled:
        """Raises Stale, and Problem."""
        current = await self.current()
        if to == 0:
            files = self.folder()
        else:
            async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                found = await rulesets.one(connection, to)
            if found is None:
                raise not_found(f"there is no version {to}; GET /v1/console/rulesets lists them")
            files = found[1]
        event_id = "ruleset-" + digest_of("back", to, current.version, current.hash, reason)
        if files == current.files:  # asked again after a 202 or 503
            return _activated(event_id, current.version, current.hash)
        answer = await self.rehearse(files, current.files, tested=False)
        hash = answer.hash
        check_sites(identity, answer.reach, self.sites)
        data = ActivatedRuleset(
            files=dict(files),
            hash=hash,
            parent=current.hash,
            author=identity.subject,
            approved_by=identity.subject,
            reason=reason,
            back_to=to,
        )
        return await self._send(self._activation(identity, event_id, data))

    def _activation(
        self, identity: Identity, event_id: str, data: ActivatedRuleset
    ) -> RulesetActivated:
        event = RulesetActivated(
            id=event_id,
            source="/sites/*",
            site="*",
            actor=identity.subject,
            actorname=identity.name,
            role=identity.role,
            time=self.clock(),
            signature="",
            data=data,
        )
        signature = codec.sign(codec.digest(event), event.id, self.secret)
        return structs.replace(event, signature=signature)

    async def _send(self, event: RulesetActivated) -> Settled:
        try:
            sent = await self.producer.send(
                topics.CONTROL, b"*", codec.encode(event), deadline_seconds=SEND_SECONDS
            )
        except Retryable:
            raise away(f"Kafka did not answer in time: {SAME_ID}", id=event.id) from None
        found = rulesets.Settled(None, passed=False)

        async def looked_at() -> bool:
            nonlocal found
            async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                found = await rulesets.settled(connection, event.id, sent.offset, sent.partition)
            return found.version is not None or found.passed

        if not await until(looked_at):
            return Settled(202, {"id": event.id, "result": "waiting"})
        if found.version is None:
            raise Stale
        return _activated(event.id, found.version, event.data.hash)

    async def _settle(self, number: int, state: str, identity: Identity) -> bool:
        async with transaction(self.pool, acquire_seconds=ACQUIRE_SECONDS) as connection:
            return await rulesets.settle(connection, number, state, identity.subject, self.clock())


def _activated(event_id: str, version: int, hash: str) -> Settled:
    said = {"id": event_id, "result": "activated", "version": version, "hash": hash}
    return Settled(200, said)


class Stale(Problem):
    """Another ruleset was activated since."""

    def __init__(self) -> None:
        super().__init__(
            409, "stale",
            "another ruleset was activated since this was proposed: look at it, and propose again",
        )  # fmt: skip


def check_size(files: Mapping[str, str]) -> None:
    size = len(codec.encode(files))
    if size > MAX_FILES_BYTES:
        raise Problem(
            413, "too_large",
            f"a ruleset may have {MAX_FILES_BYTES} bytes as JSON, this one has {size}: "
            f"shorten its lists", "/files",
        )  # fmt: skip


def name_of(proposal: rulesets.Proposal) -> str:
    """The id of its activation: the same however often it is approved."""
    said = (proposal.id, proposal.hash, proposal.parent, proposal.proposed_at.isoformat())
    return "ruleset-" + digest_of(*said)
