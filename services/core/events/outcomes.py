"""outcomes.v1: what became of one event, and what the rules said."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from services.core.events.fields import EventId, Instant, Site


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
