"""Votes as they were cast → what each voter's vote is now. Pure: one pass in the log's order.

Every vote of a voter in a discussion is in one partition, so offsets order them, and the last one
wins. What came before is remembered by id: a producer's late retry changes nothing.
A vote on a comment that is not known yet waits, and is folded before any later one once it is:
the result is the same whether comment or vote came first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from services.core.store.votes import Ballot, Cast, Comment, Refused, Standing

MEMORY = 8
"""Changes of a vote whose ids are remembered."""

PARKED_AT_MOST = 50
"""Votes of one voter in one discussion that may wait for their comments."""

PATIENCE = timedelta(hours=24)
"""How long a vote waits for its comment, by the broker's timestamps of both."""

RecordedRefusal: TypeAlias = Callable[[str, str, bytes], str | None]
"""(discussion, event id, digest) → the reason under which the log says that it was refused."""


def nothing_recorded(discussion: str, event_id: str, digest: bytes) -> None:
    """A live run: what was refused before is in Postgres."""


@dataclass
class Facts:
    """What Postgres says about a batch."""

    standings: Mapping[Ballot, Standing]
    comments: Mapping[tuple[str, str], Comment]
    refused: set[tuple[str, str, bytes]] = field(default_factory=set)
    """(discussion, event id, digest)"""
    parked: Mapping[tuple[str, str], list[Cast]] = field(default_factory=dict)
    """(discussion, voter) → oldest first; of every voter whose votes the batch may settle."""


@dataclass
class Fold:
    """What to write. Feed it votes in offset order; `facts` are never changed."""

    facts: Facts
    recorded: RecordedRefusal = nothing_recorded
    standings: dict[Ballot, Standing] = field(default_factory=dict)
    refused: dict[tuple[str, str, bytes], Refused] = field(default_factory=dict)
    parks: list[Cast] = field(default_factory=list)
    unparks: list[Cast] = field(default_factory=list)
    """Parked votes of `facts` that are settled."""
    repeats: int = 0
    settled: int = 0
    """Parked votes that count now."""
    _waiting: dict[tuple[str, str], list[Cast]] = field(default_factory=dict)

    def cast(self, votes: Iterable[Cast]) -> None:
        for vote in votes:
            if self._refused_before(vote):
                continue
            if reason := self._recorded(vote):
                self._refuse(vote, reason)
            elif vote.ballot.target and not self._comment(vote.ballot):
                self._park(vote)
            else:
                if (vote.ballot.discussion, vote.ballot.voter) in self.facts.parked:
                    self.settle(vote.ballot)
                self._count(vote)

    def settle(self, ballot: Ballot) -> None:
        """Counts or refuses what waits for this ballot's comment, which is known."""
        for vote in [vote for vote in self._parked(ballot) if vote.ballot == ballot]:
            self._take_out(vote)
            if reason := self._recorded(vote):
                self._refuse(vote, reason)
            else:
                self.settled += self._count(vote)

    def expire(self, overdue: Iterable[tuple[Ballot, int]]) -> None:
        """Refuses parked votes, by ballot and offset, whose comment can no longer come in time."""
        for ballot, offset in overdue:
            for vote in [vote for vote in self._parked(ballot) if vote.offset == offset]:
                self._take_out(vote)
                self._refuse(vote, "vote_expired")

    def _count(self, vote: Cast) -> bool:
        """The vote replaces the standing one, unless it is refused or a repeat."""
        changes = self._changes(vote.ballot)
        if self._refused_before(vote) or (changes and self._repeated(vote, changes)):
            return False
        comment = self._comment(vote.ballot)
        if comment and comment.submitted_at > vote.recorded_at + PATIENCE:
            return self._refuse(vote, "vote_expired")
        if comment and comment.author == vote.ballot.voter:
            return self._refuse(vote, "own_vote")
        self._remember(vote, vote.value, vote.at)
        return True

    def _park(self, vote: Cast) -> None:
        """As `_count`, on the votes that wait: only what would change something is parked."""
        waiting = self._parked(vote.ballot)
        same = [_change(v) for v in reversed(waiting) if v.ballot == vote.ballot]
        if self._repeated(vote, [*same, *self._changes(vote.ballot)][:MEMORY]):
            return
        if len(waiting) >= PARKED_AT_MOST:
            self._refuse(vote, "vote_parked_too_many")
            return
        waiting.append(vote)
        self.parks.append(vote)

    def _repeated(self, vote: Cast, changes: Iterable[str]) -> bool:
        for change in changes:
            event_id, _, value = change.rpartition(":")
            if event_id == vote.event_id:
                if value == str(vote.value):
                    self.repeats += 1
                else:
                    self._refuse(vote, "id_taken")
                return True
        return False

    def _standing(self, ballot: Ballot) -> Standing | None:
        return self.standings.get(ballot) or self.facts.standings.get(ballot)

    def _changes(self, ballot: Ballot) -> tuple[str, ...]:
        standing = self._standing(ballot)
        return standing.changes if standing else ()

    def _remember(self, vote: Cast, value: int, at: datetime) -> None:
        changes = (_change(vote), *self._changes(vote.ballot)[: MEMORY - 1])
        self.standings[vote.ballot] = Standing(value, changes, at)

    def _refuse(self, vote: Cast, reason: str) -> bool:
        if reason == "vote_expired":
            # It took its id while it waited, so it keeps it: no order of arrival may tell.
            before = self._standing(vote.ballot)
            self._remember(
                vote, before.value if before else 0, before.voted_at if before else vote.at
            )
        self.refused.setdefault(_name(vote), Refused(vote, reason))
        return False

    def _refused_before(self, vote: Cast) -> bool:
        """What was refused once stays refused."""
        if not (self.facts.refused or self.refused):
            return False  # nearly always: no digest is asked for
        refused = _name(vote) in self.facts.refused or _name(vote) in self.refused
        self.repeats += refused
        return refused

    def _recorded(self, vote: Cast) -> str | None:
        return None if self.recorded is nothing_recorded else self.recorded(*_name(vote))

    def _comment(self, ballot: Ballot) -> Comment | None:
        return self.facts.comments.get((ballot.discussion, ballot.target))

    def _parked(self, ballot: Ballot) -> list[Cast]:
        """Everything that waits of this voter in this discussion, oldest first."""
        voter = (ballot.discussion, ballot.voter)
        if voter not in self._waiting:
            self._waiting[voter] = list(self.facts.parked.get(voter, ()))
        return self._waiting[voter]

    def _take_out(self, vote: Cast) -> None:
        self._parked(vote.ballot).remove(vote)
        self.unparks.append(vote)


def _name(vote: Cast) -> tuple[str, str, bytes]:
    return vote.ballot.discussion, vote.event_id, vote.digest


def _change(vote: Cast) -> str:
    return f"{vote.event_id}:{vote.value}"
