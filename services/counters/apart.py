"""Which votes of a batch may be stored as they came, and which the fold must look at. Pure.

Nearly all are the only vote of their ballot, on a comment that is there: nothing to remember, to
refuse or to park, unless Postgres knows of a vote that stood. Ballots do not touch each other, so
the two kinds go separate ways.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TypeAlias

from services.core.consume import Record
from services.core.events import VoteCast
from services.core.store.votes import Comment
from services.counters.fold import PATIENCE

Name: TypeAlias = tuple[str, str, str]
"""A `Ballot` (discussion, target, voter) without its class: thousands are made for each batch."""


def names_of(votes: Sequence[Record[VoteCast]]) -> list[Name]:
    """The ballot of each vote."""
    return [
        # What `event.key` says, without a call.
        (f"{event.site}/{event.data.discussion}", event.data.comment or "", event.actor)
        for event in [vote.event for vote in votes]
    ]


def odd_ones(
    names: Sequence[Name],
    votes: Sequence[Record[VoteCast]],
    comments: Mapping[tuple[str, str], Comment],
    waiting: Container[tuple[str, str]],
) -> set[Name]:
    """Ballots that the fold must look at, whatever stood before.

    `comments`: those of the votes' comments that are there; `waiting`: (discussion, voter) who have
    parked votes.
    """
    newest = dict(zip(names, votes, strict=True))
    odd: set[Name] = set()
    if len(newest) < len(names):
        odd |= {name for name, vote in zip(names, votes, strict=True) if newest[name] is not vote}
    overdue = min(vote.recorded_at for vote in votes) + PATIENCE
    plain = {place for place, comment in comments.items() if comment.submitted_at <= overdue}
    odd |= {name for name in newest if name[1] and name[:2] not in plain}
    # Authors on their own comments: one look for each comment, not for each vote.
    own = [(*place, comment.author) for place, comment in comments.items()]
    odd.update(name for name in own if name in newest)
    if waiting:
        odd |= {name for name in newest if (name[0], name[2]) in waiting}
    return odd
