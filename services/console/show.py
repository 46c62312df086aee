"""Rows as moderators read them: public ids, titles of rules, and what to send back."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from services.core import codec
from services.core.errors import BadEvent
from services.core.events import DecisionMade, VerdictGiven
from services.core.problems import Problem, bad_parameter
from services.core.rules import effects
from services.core.store import notices, queue
from services.core.store.decisions import State
from services.core.store.dossier import RecordedOutcome

Titles = Mapping[str, Mapping[str, str]]
"""A rule's title by language: {"links": {"ru": "Ссылки", "en": "Links"}}."""

DECISION = DecisionMade.__struct_config__.tag


def discussion_id(key: str) -> str:
    """The portal's id: the key without its site."""
    return key.partition("/")[2]


def title(rule: str, titles: Titles) -> Mapping[str, str]:
    return titles.get(rule, {"ru": rule, "en": rule})


def held(
    item: queue.Held, reports: Mapping[str, int], titles: Titles, weight: float = 0.0
) -> dict[str, Any]:
    """`weight` is what the reports that nobody has ruled on weigh."""
    shown: dict[str, Any] = {
        "discussion": discussion_id(item.discussion),
        "comment": item.comment,
        "title": item.title,
        "url": item.url,
        "language": item.language,
        "section": item.section,
        "author": {"id": item.author, "name": item.author_name},
        "parent": item.parent,
        "submitted_at": item.submitted_at,
        "held_since": item.held_since,
        "reason": item.held_reason,
        "revision": item.held_revision,
        "body": item.held_body,
        "written_at": item.held_written_at,
        "labels": item.labels,
        "score": effects.score(item.verdict),
        "findings": [
            *findings(item.verdict, titles),
            *findings(item.reported_verdict, titles),
        ],
        "ruleset": item.verdict.ruleset if item.verdict else None,
        "reports": {"count": sum(reports.values()), "weight": weight, "reasons": reports},
        "published": None,
        "claim": claim(item.claimed_by, item.claim_expires_at),
        "expected": {"revision": item.held_revision, "status": item.status},
    }
    if item.published_revision is not None and item.published_body is not None:
        shown["published"] = {"revision": item.published_revision, "body": item.published_body}
    return shown


def findings(verdict: VerdictGiven | None, titles: Titles) -> list[dict[str, Any]]:
    """Spans are [start, end) in code points of the revision's text."""
    if verdict is None:
        return []
    return [
        {
            "rule": finding.rule,
            "title": title(finding.rule, titles),
            "action": finding.action,
            "would": finding.would,
            "shadow": finding.shadow,
            "effects": finding.effects,
            "spans": finding.spans,
            "detail": finding.detail,
        }
        for finding in verdict.findings
    ]


def notice(told: notices.Told, titles: Titles) -> dict[str, Any]:
    """`revision` and `body` are what the rule matched, the rest how the comment stands now."""
    return {
        "discussion": discussion_id(told.discussion),
        "comment": told.comment,
        "revision": told.revision,
        "body": told.body,
        "channel": told.channel,
        "rule": told.rule,
        "title": title(told.rule, titles),
        "recorded_at": told.recorded_at,
        "labels": told.labels,
        "status": told.status,
        "deleted_at": told.deleted_at,
        "held_revision": told.held_revision,
        "newest_revision": told.newest_revision,
        "discussion_title": told.title,
        "url": told.url,
    }


def claim(moderator: str | None, expires_at: datetime | None) -> dict[str, Any] | None:
    return {"moderator": moderator, "expires_at": expires_at} if moderator else None


def state(now: State) -> dict[str, Any]:
    """How the comment stands, with the `expected` that a new decision would need."""
    return {
        "status": now.status,
        "revision": now.revision,
        "published_revision": now.published_revision,
        "held_revision": now.held_revision,
        "held_reason": now.held_reason,
        "deleted_at": now.deleted_at,
        "ruling": ruling(now),
        "expected": {"revision": now.revision, "status": now.status},
    }


def ruling(now: State) -> dict[str, Any] | None:
    """The last decision on the comment."""
    if now.ruling is None:
        return None
    return {
        "ruling": now.ruling,
        "revision": now.ruled_revision,
        "moderator": now.ruled_by,
        "at": now.ruled_at,
        "reason": now.ruling_reason or "",
    }


def decisions(outcomes: Sequence[RecordedOutcome]) -> list[dict[str, Any]]:
    """Every decision that took effect on one comment, the newest first."""
    return [
        {
            "id": outcome.event_id,
            "revision": outcome.revision,
            "at": outcome.recorded_at,
            "status": outcome.status,
            **{name: outcome.facts.get(name, "") for name in ("ruling", "moderator", "reason")},
        }
        for outcome in outcomes
        if outcome.cause == DECISION and outcome.result == "applied"
    ]


def after(place: queue.Place | notices.Place) -> str:
    """The cursor of the page behind `place`: opaque to clients."""
    return urlsafe_b64encode(codec.encode(place)).rstrip(b"=").decode()


def place(cursor: str) -> queue.Place:
    """Raises a Problem where the cursor is not one of ours."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found = codec.decode(raw, queue.Place)
        if found.held_since.tzinfo is not None and "\x00" not in found.discussion + found.comment:
            return structs.replace(found, held_since=found.held_since.astimezone(UTC))
    except (NotBase64, ValueError, OverflowError, BadEvent):
        pass
    raise bad_parameter("after", "this cursor is not from the queue; begin again")


def notice_place(cursor: str) -> notices.Place:
    """Raises a Problem where the cursor is not one of ours."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found = codec.decode(raw, notices.Place)
        if (
            0 <= found.written < 2**63
            and 0 <= found.revision < 2**31
            and "\x00" not in found.discussion + found.comment
        ):
            return found
    except (NotBase64, ValueError, BadEvent):
        pass
    raise foreign_notices()


def foreign_notices() -> Problem:
    return bad_parameter("after", "this cursor is not from these notices; begin again")
