"""What members of events may hold: ids, names, closed sets, bounds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NewType

from msgspec import Meta

DiscussionKey = NewType("DiscussionKey", str)
"""`site/discussion`: the key of comments.v1 and the distribution column of every table."""

MAX_BODY_CODE_POINTS = 10_000

# `(?!\n)$`: Python's `$` also matches before a last newline, JSON Schema's does not.

Site = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,32}(?!\n)$")]
DiscussionId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._~-]{1,100}(?!\n)$")]
CommentId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._~-]{1,64}(?!\n)$")]
ReaderId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._~@:-]{1,100}(?!\n)$")]
EventId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._~:-]{1,100}(?!\n)$")]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
Body = Annotated[str, Meta(min_length=1, max_length=MAX_BODY_CODE_POINTS)]
Note = Annotated[str, Meta(max_length=1_000)]
Revision = Annotated[int, Meta(ge=1, le=2**53 - 1)]
CommentRevision = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Instant = Annotated[datetime, Meta(tz=True)]

Role = Literal["reader", "portal", "importer", "moderator", "admin"]
Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}(?!\n)$")]
Section = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,64}(?!\n)$")]
Policy = Literal["publish_first", "hold_first", "closed"]
DiscussionState = Literal["open", "closed", "removed"]
Status = Literal["pending", "published", "rejected"]
Ruling = Literal["approve", "reject", "restore"]
ReportReason = Literal["spam", "insult", "hate", "threat", "illegal", "personal_data", "other"]
VoteValue = Literal[-1, 0, 1]

ScoreName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}(?!\n)$")]
"""NAME in a rule's `score(NAME)`."""
RuleName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}(?!\n)$")]
RuleVersion = Annotated[str, Meta(pattern=r"^[0-9a-f]{12}(?!\n)$")]
RulesetHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]
Score = Annotated[float, Meta(ge=0.0, le=1.0)]
