"""What moderators may send: strict JSON bodies, within bounds."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from fastapi import Request
from msgspec import Meta, Struct

from services.core import strict
from services.core.bodies import read_json
from services.core.errors import BadEvent
from services.core.events import (
    CommentId,
    CommentRevision,
    DiscussionId,
    EventId,
    Instant,
    Policy,
    RuleName,
    RuleVersion,
    Ruling,
    Status,
)
from services.core.problems import of_body

MAX_BODY_BYTES = 256 * 1024
MAX_RULES_BYTES = 2 * 1024 * 1024
MAX_ITEMS = 100

Why = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"\S")]
FileName = Annotated[
    str, Meta(pattern=r"^([A-Za-z0-9_.-]+\.ya?ml|(words|lists)/[A-Za-z0-9_.-]+\.txt)(?!\n)$")
]
Reason = Annotated[str, Meta(max_length=1_000)]
T = TypeVar("T", bound=Struct)


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    discussion: DiscussionId
    comment: CommentId


class ClaimBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Either the next `count` of the queue, or `items` by name."""

    count: Annotated[int, Meta(ge=1, le=MAX_ITEMS)] | None = None
    items: Annotated[list[Item], Meta(min_length=1, max_length=MAX_ITEMS)] | None = None


class Seen(Struct, frozen=True, forbid_unknown_fields=True):
    """The comment as the queue showed it, sent back unchanged."""

    revision: CommentRevision
    status: Status


class DecisionBody(Struct, frozen=True, forbid_unknown_fields=True):
    discussion: DiscussionId
    comment: CommentId
    ruling: Ruling
    expected: Seen
    reason: Reason = ""
    """What the author is told; required for `reject`."""
    id: EventId | None = None
    """Send the same id again after a 503 or 202: it takes effect once."""


class BulkBody(Struct, frozen=True, forbid_unknown_fields=True):
    decisions: Annotated[list[DecisionBody], Meta(min_length=1, max_length=MAX_ITEMS)]


class PolicyBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole policy of a site: a PUT leaves nothing to be guessed."""

    policy: Policy
    report_threshold: Annotated[int, Meta(ge=1, le=1_000)]
    edit_hold: Literal["keep", "hide"]
    late_scores: Literal["publish", "hold"] = "publish"
    id: EventId | None = None


class ProposalBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole ruleset: every file of its folder by name."""

    files: Annotated[dict[FileName, str], Meta(min_length=1, max_length=1_000)]
    reason: Why


class RollbackBody(Struct, frozen=True, forbid_unknown_fields=True):
    to: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    """The version to bring back; 0 is the folder VECHE_RULES_DIR."""
    reason: Why


class UndoBody(Struct, frozen=True, forbid_unknown_fields=True):
    rule: RuleName
    version: RuleVersion
    reason: Why
    since: Instant | None = None
    dry_run: bool = False
    after: tuple[Instant, str, str] | None = None
    """`next` of the page before."""


async def read(request: Request, type: type[T], most: int = MAX_BODY_BYTES) -> T:
    """Raises a Problem that names the field at fault."""
    stated = await read_json(request.scope["headers"], request.receive, most)
    try:
        return strict.convert(stated, type)
    except BadEvent as error:
        raise of_body(error.code, error.detail, error.field) from None
