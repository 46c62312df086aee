"""comments.v1: discussions, comments, reports, decisions, scores: what has an order."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from services.core.events.envelope import Envelope
from services.core.events.fields import (
    Body,
    CommentId,
    CommentRevision,
    DiscussionId,
    DiscussionState,
    Language,
    Note,
    Policy,
    ReportReason,
    Revision,
    RuleName,
    RuleVersion,
    Ruling,
    Score,
    ScoreName,
    Section,
    Status,
)


class DiscussionDescribed(Struct, frozen=True, omit_defaults=True):
    """The whole state of a discussion, as the portal numbers it: the higher revision wins."""

    discussion: DiscussionId
    revision: Revision
    url: Annotated[str, Meta(min_length=1, max_length=2_000, pattern=r"^https?://")]
    title: Annotated[str, Meta(min_length=1, max_length=500)]
    language: Language
    section: Section
    policy: Policy | None = None
    """None: the site's policy holds."""
    state: DiscussionState = "open"
    """Only `changed` may state it; `opened` is open and `closed` is closed by their types."""


class CommentBody(Struct, frozen=True, omit_defaults=True):
    discussion: DiscussionId
    comment: CommentId
    body: Body
    parent: CommentId | None = None


class CommentRewrite(Struct, frozen=True):
    discussion: DiscussionId
    comment: CommentId
    body: Body


class CommentRef(Struct, frozen=True):
    discussion: DiscussionId
    comment: CommentId


class ReportOnComment(Struct, frozen=True, omit_defaults=True):
    discussion: DiscussionId
    comment: CommentId
    revision: CommentRevision
    reason: ReportReason
    note: Note = ""


class Expected(Struct, frozen=True):
    """The comment as the moderator saw it; a decision on anything else is a conflict."""

    revision: CommentRevision
    status: Status


class DecisionOnComment(Struct, frozen=True, omit_defaults=True):
    discussion: DiscussionId
    comment: CommentId
    ruling: Ruling
    expected: Expected
    reason: Note = ""
    """What the author is told; required for `reject`."""


class ScoreOfComment(Struct, frozen=True, omit_defaults=True):
    """What a classifier of the portal's says of one revision."""

    discussion: DiscussionId
    comment: CommentId
    revision: CommentRevision
    name: ScoreName
    value: Score
    model: Annotated[str, Meta(max_length=100)] = ""
    """Its version, as the portal names it."""


class UndoOnComment(Struct, frozen=True):
    """What one version of a rule did to one revision is to be taken back."""

    discussion: DiscussionId
    comment: CommentId
    revision: CommentRevision
    rule: RuleName
    version: RuleVersion
    reason: Note


class DiscussionOpened(Envelope, frozen=True, tag="veche.discussion.opened.v1"):
    data: DiscussionDescribed


class DiscussionChanged(Envelope, frozen=True, tag="veche.discussion.changed.v1"):
    data: DiscussionDescribed


class DiscussionClosed(Envelope, frozen=True, tag="veche.discussion.closed.v1"):
    data: DiscussionDescribed


class CommentSubmitted(Envelope, frozen=True, tag="veche.comment.submitted.v1"):
    data: CommentBody


class CommentEdited(Envelope, frozen=True, tag="veche.comment.edited.v1"):
    data: CommentRewrite


class CommentDeleted(Envelope, frozen=True, tag="veche.comment.deleted.v1"):
    data: CommentRef


class ReportFiled(Envelope, frozen=True, tag="veche.report.filed.v1"):
    data: ReportOnComment


class DecisionMade(Envelope, frozen=True, tag="veche.decision.made.v1"):
    signature: str
    """As `codec.sign` makes it with the console's secret; moderation checks it."""
    data: DecisionOnComment


class ScoreGiven(Envelope, frozen=True, tag="veche.score.given.v1"):
    signature: str
    """As a decision's: made by the scorer with the same secret."""
    data: ScoreOfComment


class RuleUndone(Envelope, frozen=True, tag="veche.rule.undone.v1"):
    """Its id follows from rule, version, comment and revision, so asking twice undoes once."""

    signature: str
    data: UndoOnComment


CommentsEvent = (
    DiscussionOpened
    | DiscussionChanged
    | DiscussionClosed
    | CommentSubmitted
    | CommentEdited
    | CommentDeleted
    | ReportFiled
    | DecisionMade
    | ScoreGiven
    | RuleUndone
)
"""What comments.v1 carries: everything whose order matters within a discussion."""
