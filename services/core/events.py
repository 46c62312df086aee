"""The events of Veche: what happened, in the past tense, as CloudEvents 1.0.

An event is a JSON object with CloudEvents' context attributes (`id`, `source`, `type`, `time`, …),
extension attributes of ours (`site`, `actor`, `actorname`, `role`, `occurredat`, `signature`) and
`data`. Who acts (`actor`) comes from the token that ingest verified, never from the body.
Consumers ignore members that they do not know; producers send only these.
A breaking change is a new type (`….v2`), never a new meaning of an old one.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, NewType

from msgspec import UNSET, Meta, Struct, UnsetType

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


# --- data ---------------------------------------------------------------------------------------


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


class Vote(Struct, frozen=True, omit_defaults=True):
    discussion: DiscussionId
    value: VoteValue
    comment: CommentId | None = None
    """None: the vote is on the discussion itself."""


class View(Struct, frozen=True):
    discussion: DiscussionId


class SitePolicy(Struct, frozen=True, omit_defaults=True):
    """What holds for a whole site. The newest record of control.v1 wins."""

    policy: Policy = "publish_first"
    report_threshold: Annotated[int, Meta(ge=1, le=1_000)] = 3
    """Reports by distinct readers that hold a revision which no moderator approved."""
    edit_hold: Literal["keep", "hide"] = "keep"
    """While an edit is held: keep the last published revision in view, or hide the comment."""
    late_scores: Literal["publish", "hold"] = "publish"
    """What a rule cannot tell before a classifier answers: publish it, or let it wait, for half a
    minute and then for a moderator."""


class ActivatedRuleset(Struct, frozen=True, omit_defaults=True):
    """The whole ruleset: what judges from here on, on every site. The newest record wins."""

    files: Annotated[dict[str, str], Meta(min_length=1, max_length=1_000)]
    """Name within the folder → text."""
    hash: RulesetHash
    parent: RulesetHash
    """Of the ruleset that it replaces: where another one judges by then, it takes no effect."""
    author: ReaderId
    approved_by: ReaderId
    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]
    effect: dict[str, Any] = {}
    """What a replay over the newest comments said that it changes."""
    back_to: Annotated[int, Meta(ge=0)] | None = None
    """The earlier version that this brings back (0: the folder), whatever judges by then."""


# --- envelope -----------------------------------------------------------------------------------


class Envelope(Struct, frozen=True, kw_only=True, tag_field="type"):
    """CloudEvents context attributes, and ours beside them (extension attributes, lower case)."""

    id: EventId
    source: str
    """`/sites/{site}`; `source` + `id` is the event's identity."""
    site: Site
    actor: str
    """The reader, moderator or portal on whose behalf this happened: the token's `sub`."""
    time: Instant
    """When the producer says that it happened. Never used for order."""
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"
    actorname: str = ""
    role: Role = "reader"
    occurredat: Instant | UnsetType = UNSET
    """Stated by a site's importer only: serves for display, activity, ranking and windows."""
    traceparent: str | UnsetType = UNSET

    @property
    def key(self) -> DiscussionKey:
        """The discussion that this event belongs to, as `site/discussion`."""
        return DiscussionKey(f"{self.site}/{self.data.discussion}")  # type: ignore[attr-defined]


@cache
def type_name(event: type[Envelope]) -> str:
    """The CloudEvents type that a struct stands for; kept, since msgspec builds it each time."""
    return str(event.__struct_config__.tag)


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


class VoteCast(Envelope, frozen=True, tag="veche.vote.cast.v1"):
    data: Vote


class DiscussionViewed(Envelope, frozen=True, tag="veche.discussion.viewed.v1"):
    """One reader opened a discussion. `actor` is a reader or `anon:` and a signed cookie's id."""

    data: View


class SitePolicySet(Envelope, frozen=True, tag="veche.site.policy_set.v1"):
    signature: str
    data: SitePolicy


class RulesetActivated(Envelope, frozen=True, tag="veche.ruleset.activated.v1"):
    """Signed by the console; it holds for the whole installation."""

    site: Literal["*"]
    signature: str
    data: ActivatedRuleset


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

ControlEvent = SitePolicySet | RulesetActivated
"""What control.v1 carries: what holds for a whole site, or for all."""

Event = CommentsEvent | VoteCast | DiscussionViewed | ControlEvent


# --- what Veche publishes -----------------------------------------------------------------------


class FindingSeen(Struct, frozen=True, omit_defaults=True):
    """What one rule said: spans are [start, end) in code points of the original text."""

    rule: str
    action: Literal["note", "hold", "reject"]
    spans: list[tuple[int, int]] = []
    detail: dict[str, Any] = {}
    """The values that the rule judged on, such as {"count(author, 10m)": 6}."""
    version: str = ""
    """Hash of the rule as it was."""
    would: Literal["", "publish", "hold", "reject"] = ""
    """What the rule says where that is not applied: in the shadow, or no more than a mark."""
    shadow: bool = False
    effects: dict[str, Any] = {}
    """What else follows: labels, notify, limit, score."""


class VerdictGiven(Struct, frozen=True, omit_defaults=True):
    action: Literal["publish", "hold", "reject"]
    ruleset: str
    """Hash of the ruleset that judged."""
    findings: list[FindingSeen] = []


Result = Literal["applied", "published", "held", "rejected", "refused"]
RefusalReason = Literal[
    "id_taken",
    "discussion_unknown",
    "discussion_closed",
    "comment_unknown",
    "comment_deleted",
    "parent_unknown",
    "not_the_author",
    "own_vote",
    "own_report",
    "revision_stale",
    "revision_unknown",
    "conflict",
    "rule_not_found",
    "ruled",
    "not_as_left",
    "vote_parked_too_many",
    "vote_expired",
]


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What became of one event: one per (comment, revision, causing event)."""

    event: EventId
    digest: str
    """Hex of `codec.digest` of the causing event."""
    cause: str
    """The causing event's type."""
    result: Result
    comment: str = ""
    revision: int = 0
    reason: str = ""
    """A RefusalReason where refused; `rule`, `policy`, `report`, … where held or rejected."""
    status: str = ""
    """The comment's status afterwards."""
    verdict: VerdictGiven | None = None
    facts: dict[str, Any] = {}
    """The facts that the verdict was judged on."""


class OutcomeRecorded(
    Struct, frozen=True, kw_only=True, tag_field="type", tag="veche.outcome.recorded.v1"
):
    id: str
    source: str
    site: Site
    time: Instant
    data: Outcome
    discussion: str
    """`site/discussion`, the record's key."""
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


class Version(Struct, frozen=True, order=True, array_like=True):
    """(incarnation, number): a restore or rebuild starts a new incarnation."""

    incarnation: int
    number: int

    def __str__(self) -> str:
        return f"{self.incarnation}.{self.number}"


class Strip(Struct, frozen=True, kw_only=True):
    """What readers see of one discussion: views · comments · rating, and its state."""

    site: str
    discussion: str
    """The portal's id, without the site."""
    version: Version
    state: DiscussionState
    url: str
    title: str
    language: str
    section: str
    opened_at: datetime
    last_activity: datetime
    views: int
    viewers: int
    """Approximate count of distinct viewers (HyperLogLog)."""
    comments: int
    """Visible comments."""
    up: int
    down: int
    rating: int
    """up − down."""
    changed_comments: list[str] | None = None
    """Comments that appeared, changed or vanished since the last published strip; None: reload."""


class FeedEntry(Struct, frozen=True, kw_only=True):
    """One discussion in a feed, as a portal's "Discussion" sidebar shows it."""

    discussion: str
    version: Version
    """Of the strip that this entry was folded from."""
    title: str
    url: str
    language: str
    section: str
    state: DiscussionState
    opened_at: datetime
    last_activity: datetime
    comments: int
    views: int
    rating: int


FeedName = Literal["latest", "hot", "top-day", "top-week", "top-all"]


class Feed(Struct, frozen=True, kw_only=True):
    """One complete, versioned state of a feed: at most 200 entries, in order."""

    site: str
    feed: FeedName
    language: str
    """"" for all languages."""
    section: str
    """"" for all sections."""
    version: Version
    as_of: datetime
    entries: list[FeedEntry]


class StripPublished(
    Struct, frozen=True, kw_only=True, tag_field="type", tag="veche.strip.published.v1"
):
    """The value of a record of strips.v1; its key is `site/discussion`.

    It has no `time`: the record's timestamp says when it was sent, and equal strips give equal
    bytes.
    """

    id: str
    """`site/discussion@version`."""
    source: str
    site: Site
    data: Strip
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


class FeedPublished(
    Struct, frozen=True, kw_only=True, tag_field="type", tag="veche.feed.published.v1"
):
    """The value of a record of feeds.v1; its key is `site/feed/language/section`."""

    id: str
    """`site/feed/language/section@version`."""
    source: str
    site: Site
    data: Feed
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"
