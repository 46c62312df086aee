"""votes.v1 → Postgres: recall, fold, write; and the sweep of votes that wait for their comment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from operator import attrgetter

from services.core import codec, metrics, topics
from services.core.consume import Batch, Record
from services.core.db import Connection
from services.core.events import Outcome, OutcomeRecorded, VoteCast
from services.core.store import dirty, outbox
from services.core.store import votes as store
from services.core.store.votes import Ballot, Cast, Comment, Refused
from services.counters.apart import Name, names_of, part
from services.counters.fold import PATIENCE, Facts, Fold, RecordedRefusal, nothing_recorded

EXAMINED_PER_SWEEP = 1_000
KNOWN_COMMENTS = 50_000
"""Comments kept in memory at most, about 20 MB."""
CAUSE = "veche.vote.cast.v1"


@dataclass
class VoteCounter:
    """Handle and sweep of votes.v1.

    `home`: a discussion's partition of comments.v1. `recorded`: a rebuild's refusals, which stand.
    """

    home: Callable[[str], int]
    recorded: RecordedRefusal = nothing_recorded
    _examined: dict[int, int] = field(default_factory=dict)
    """Partition → the offset up to which its parked votes were examined in this round."""

    _known: dict[tuple[str, str], Comment] = field(default_factory=dict)

    async def handle(self, connection: Connection, batch: Batch[VoteCast]) -> None:
        """Stores at once what may be stored as it came, and folds the rest."""
        slot, votes = batch.partition, batch.records
        names = names_of(votes)
        places = {name[:2] for name in names if name[1]}
        comments = await self._comments(connection, places)
        parked: Mapping[tuple[str, str], list[Cast]] = {}
        if await store.any_parked(connection, slot):
            voters = {(discussion, voter) for discussion, target, voter in names if target}
            parked = await store.parked(connection, voters)
        if self.recorded is nothing_recorded:
            first, rest = part(names, votes, places, comments, parked)
        else:
            first, rest = {}, list(zip(names, votes, strict=True))
        left, shown = await _store_first(connection, slot, first)
        rest += [(name, first[name]) for name in left]
        casts = sorted([_cast(name, vote) for name, vote in rest], key=attrgetter("offset"))
        facts = await self._recall(connection, {cast.ballot for cast in casts}, casts, parked)
        fold = Fold(facts, self.recorded)
        fold.cast(casts)
        await self._write(connection, batch.topic, slot, fold, shown)

    async def sweep(self, connection: Connection, topic: str, partition: int) -> None:
        """Settles parked votes whose comment is there now, and those that waited too long.

        Examines a page per call, so that a flood of junk costs each call the same.
        """
        after = self._examined.get(partition, -1)
        page = await store.examine_parked(
            connection, partition, after, EXAMINED_PER_SWEEP, PATIENCE
        )
        full = len(page) == EXAMINED_PER_SWEEP
        self._examined[partition] = page[-1].offset if full else -1
        known = {waiting.ballot for waiting in page if waiting.known}
        overdue = [(w.ballot, w.offset) for w in page if w.overdue and not w.known]
        if known or overdue:
            ballots = known | {ballot for ballot, _ in overdue}
            voters = {(b.discussion, b.voter) for b in ballots}
            parked = await store.parked(connection, voters)
            facts = await self._recall(connection, ballots, (), parked)
            fold = Fold(facts, self.recorded)
            for ballot in known:
                fold.settle(ballot)
            fold.expire(overdue)
            await self._write(connection, topic, partition, fold)
        waiting = await store.count_parked(connection, partition) if page else 0
        metrics.PARKED_VOTES.labels(str(partition)).set(waiting)

    def swept(self, partition: int) -> bool:
        """Whether the last sweep ended a round over the partition's parked votes."""
        return self._examined.get(partition, -1) < 0

    async def _write(
        self,
        connection: Connection,
        topic: str,
        partition: int,
        fold: Fold,
        first: Set[str] = frozenset(),
    ) -> None:
        """What the fold says. `first`: discussions whose own totals moved before."""
        moved = await store.count(connection, partition, fold.standings)
        await store.unpark(connection, fold.unparks)
        shards = [self.home(cast.ballot.discussion) for cast in fold.parks]
        await store.park(connection, partition, fold.parks, shards)
        refused = list(fold.refused.values())
        new = await store.refuse(connection, CAUSE, refused)
        # A rebuild's refusals are in outcomes.v1 already.
        told = [r for r in refused if _name(r.cast) in new and not self.recorded(*_name(r.cast))]
        await outbox.add(connection, topic, partition, [_outcome(refusal) for refusal in told])
        # A strip shows the discussion's own votes; votes on comments only order its thread.
        shown = first | {discussion for discussion, target in moved if not target}
        marks = {discussion: self.home(discussion) for discussion in shown}
        await dirty.mark(connection, topic, partition, marks)
        _measure(topic, fold, told)

    async def _recall(
        self,
        connection: Connection,
        ballots: Set[Ballot],
        casts: Sequence[Cast],
        parked: Mapping[tuple[str, str], list[Cast]],
    ) -> Facts:
        """What Postgres knows about these ballots, votes and those that wait."""
        named = [*casts, *(cast for waiting in parked.values() for cast in waiting)]
        on_comments = {(b.discussion, b.target) for b in ballots if b.target}
        return Facts(
            await store.standings(connection, ballots),
            await self._comments(connection, on_comments),
            await store.refused_before(
                connection, {(cast.ballot.discussion, cast.event_id) for cast in named}
            ),
            parked,
        )

    async def _comments(
        self, connection: Connection, names: Set[tuple[str, str]]
    ) -> Mapping[tuple[str, str], Comment]:
        """Those that exist. Who wrote a comment, and when, never changes: asked for once."""
        found = {name: self._known[name] for name in names if name in self._known}
        new = await store.comments(connection, names - found.keys())
        if len(self._known) + len(new) > KNOWN_COMMENTS:
            self._known.clear()
        self._known |= new
        return found | new


async def _store_first(
    connection: Connection, slot: int, votes: Mapping[Name, Record[VoteCast]]
) -> tuple[Set[Name], Set[str]]:
    """Stores each vote whose ballot had none; (the other ballots, discussions that then moved)."""
    values = [vote.event.data.value for vote in votes.values()]
    ids = [vote.event.id for vote in votes.values()]
    ats = [vote.at if vote.event.occurredat else vote.recorded_at for vote in votes.values()]
    left = await store.count_first(connection, slot, votes, values, ids, ats)
    moved = [name for name, value in zip(votes, values, strict=True) if value and not name[1]]
    return left, {name[0] for name in moved if name not in left}


def _cast(name: Name, vote: Record[VoteCast]) -> Cast:
    event = vote.event
    return Cast(
        Ballot(*name), event.data.value, event.id, event, vote.at, vote.recorded_at, vote.offset
    )


def _name(cast: Cast) -> tuple[str, str, bytes]:
    return cast.ballot.discussion, cast.event_id, cast.digest


def _outcome(refusal: Refused) -> tuple[str, bytes, bytes]:
    """The record of outcomes.v1 that tells a refusal."""
    cast = refusal.cast
    site = cast.ballot.discussion.partition("/")[0]
    told = OutcomeRecorded(
        id=f"{cast.event_id}:{cast.digest.hex()}",
        source=f"/sites/{site}",
        site=site,
        time=cast.recorded_at,
        discussion=cast.ballot.discussion,
        data=Outcome(
            event=cast.event_id,
            digest=cast.digest.hex(),
            cause=CAUSE,
            result="refused",
            comment=cast.ballot.target,
            reason=refusal.reason,
        ),
    )
    return topics.OUTCOMES, cast.ballot.discussion.encode(), codec.encode(told)


def _measure(topic: str, fold: Fold, told: Iterable[Refused]) -> None:
    for refusal in told:
        metrics.REFUSALS.labels(refusal.reason).inc()
    metrics.SKIPPED_DUPLICATES.labels(topic).inc(fold.repeats)
    expired = sum(refusal.reason == "vote_expired" for refusal in told)
    metrics.SWEPT_VOTES.labels("expired").inc(expired)
    metrics.SWEPT_VOTES.labels("counted").inc(fold.settled)
