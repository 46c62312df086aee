"""votes.v1 and views.v1: what is counted, whatever its order."""

from __future__ import annotations

from msgspec import Struct

from services.core.events.envelope import Envelope
from services.core.events.fields import CommentId, DiscussionId, VoteValue


class Vote(Struct, frozen=True, omit_defaults=True):
    discussion: DiscussionId
    value: VoteValue
    comment: CommentId | None = None
    """None: the vote is on the discussion itself."""


class View(Struct, frozen=True):
    discussion: DiscussionId


class VoteCast(Envelope, frozen=True, tag="veche.vote.cast.v1"):
    data: Vote


class DiscussionViewed(Envelope, frozen=True, tag="veche.discussion.viewed.v1"):
    """One reader opened a discussion. `actor` is a reader or `anon:` and a signed cookie's id."""

    data: View
