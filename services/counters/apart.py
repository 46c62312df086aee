"""Which votes of a batch may be stored as they came, and which the fold must look at. Pure.

Nearly all are the only vote of their ballot, on a comment that is there: nothing to remember, to
refuse or to park, unless Postgres knows of a vote that stood. Ballots do not touch each other, so
the two kinds go separate ways.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence, Set
from typing import TypeAlias

from services.core.consume import Record
from services.core.events import VoteCast
from services.core.store.votes import Comment
from services.counters.fold import PATIENCE

Name: TypeAlias = tuple[str, str, str]
"""A `Ballot` (discussion, target, voter) without its class: thousands are made for each batch."""

Place: TypeAlias = tuple[str, str]
"""(discussion, comment) or (discussion, voter)."""


def names_of(votes: Sequence[Record[VoteCast]]) -> list[Name]:
    """The ballot of each vote."""
    return [
        # What `event.key` says, without a call.
        (f"{event.site}/{event.data.discussion}", event.data.comment or "", event.actor)
        for event in [vote.event for vote in votes]
    ]


def part(
    names: Sequence[Name],
    votes: Sequence[Record[VoteCast]],
    places: Set[Place],
    comments: Mapping[Place, Comment],
    waiting: Container[Place],
) -> tuple[dict[Name, Record[VoteCast]], list[tuple[Name, Record[VoteCast]]]]:
    """(votes that may be stored as they came, one of each ballot; the others).

    `places`: the comments that the votes are on; `comments`: those of them that are there;
    `waiting`: (discussion, voter) who have parked votes.
    """
    first = dict(zip(names, votes, strict=True))
    again: list[tuple[Name, Record[VoteCast]]] = []
    if len(first) < len(names):
        pairs = zip(names, votes, strict=True)
        again = [(name, vote) for name, vote in pairs if first[name] is not vote]
    odd = {name for name, _ in again}
    overdue = min([vote.recorded_at for vote in votes]) + PATIENCE
    apart = {
        place
        for place in places
        if (comment := comments.get(place)) is None or comment.submitted_at > overdue
    }
    if apart:
        odd |= {name for name in first if name[:2] in apart}
    # Authors on their own comments: one look for each comment, not for each vote.
    own = [(*place, comment.author) for place, comment in comments.items()]
    odd |= {name for name in own if name in first}
    if waiting:
        odd |= {name for name in first if (name[0], name[2]) in waiting}
    return first, again + [(name, first.pop(name)) for name in odd]
