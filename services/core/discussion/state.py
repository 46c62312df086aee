"""The state of one discussion, and what one event changes in it, as values.

A `State` holds the part of a discussion that the events at hand name: whoever gathers it must
load the comments named, their parents and ancestors, and what was said and reported before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct

from services.core.events import (
    CommentsEvent,
    DiscussionKey,
    DiscussionState,
    Outcome,
    Policy,
    ReportFiled,
    ReportReason,
    RuleUndone,
    Ruling,
    Status,
    VerdictGiven,
)
from services.core.rules import Reading

MAX_ANCESTORS = 32


class Cause(Struct, frozen=True):
    """One record of comments.v1: the event and what the broker and the codec know about it."""

    event: CommentsEvent
    key: DiscussionKey
    digest: bytes
    at: datetime
    """When it happened: as an importer states, else the broker's time."""
    recorded_at: datetime
    """The broker's time."""
    reading: Reading | None = None
    """Of the body, where the event has one."""


class Discussion(Struct, frozen=True):
    key: DiscussionKey
    site: str
    revision: int
    url: str
    title: str
    language: str
    section: str
    state: DiscussionState
    policy: Policy | None
    opened_at: datetime
    visible_comments: int = 0


class Comment(Struct, frozen=True, kw_only=True):
    """As in the table `comments`: schemas/postgres/0002_comments.sql says what the columns mean."""

    discussion: DiscussionKey
    comment: str
    site: str
    author: str
    author_name: str
    parent: str | None
    path: tuple[str, ...]
    submitted_at: datetime
    status: Status = "pending"
    revision: int = 1
    published_revision: int | None = None
    held_revision: int | None = None
    held_reason: str | None = None
    held_since: datetime | None = None
    deleted_at: datetime | None = None
    ruling: Ruling | None = None
    ruled_revision: int | None = None
    ruled_by: str | None = None
    ruled_at: datetime | None = None
    ruling_reason: str | None = None
    reports: int = 0
    visible_descendants: int = 0
    labels: tuple[str, ...] = ()

    @property
    def visible(self) -> bool:
        return self.status == "published" and self.deleted_at is None

    def approved(self, revision: int) -> bool:
        """Whether a moderator let this very revision stand."""
        return self.ruling in ("approve", "restore") and self.ruled_revision == revision


class Revision(Struct, frozen=True):
    discussion: DiscussionKey
    comment: str
    revision: int
    site: str
    author: str
    body: str
    body_hash: bytes
    event_id: str
    written_at: datetime


class Report(Struct, frozen=True):
    discussion: DiscussionKey
    comment: str
    revision: int
    reporter: str
    reason: ReportReason
    note: str
    event_id: str
    filed_at: datetime


class Effect(Struct, frozen=True):
    """What one event changes. `outcome` is None where the very same event was applied before."""

    outcome: Outcome | None
    discussion: Discussion | None = None
    comments: tuple[Comment, ...] = ()
    """Rows to write: the comment itself first, then ancestors whose descendants' count moved."""
    revision: Revision | None = None
    report: Report | None = None
    changed: tuple[str, ...] = ()
    """Comments that appeared, vanished or changed in view."""


class Judged(Struct, frozen=True):
    """What a revision was judged on, scores that came since included."""

    recorded_at: datetime
    """When the revision itself was recorded."""
    facts: Mapping[str, Any]


@dataclass(slots=True)
class State:
    """Read by `apply`, which never writes it; `absorb` takes an effect in."""

    discussion: Discussion | None = None
    comments: dict[str, Comment] = field(default_factory=dict)
    bodies: dict[tuple[str, int], str] = field(default_factory=dict)
    """(comment, revision) → text: the first and the newest of the comments submitted or edited."""
    reported: set[tuple[str, int, str]] = field(default_factory=set)
    """(comment, revision, reporter), of the reporters at hand."""
    reporters: dict[tuple[str, int], dict[str, str]] = field(default_factory=dict)
    """(comment, revision) → reporter → how the report is settled, of those decided or judged."""
    report_counts: dict[tuple[str, int], int] = field(default_factory=dict)
    """(comment, revision) → distinct reporters."""
    judged: dict[tuple[str, int], Judged] = field(default_factory=dict)
    """(comment, revision) → of the revisions that scores are given of."""
    verdicts: dict[tuple[str, int], list[VerdictGiven]] = field(default_factory=dict)
    """(comment, revision) → its own verdict and those of scores since, of those to be undone."""
    undone: dict[tuple[str, int], set[tuple[str, str]]] = field(default_factory=dict)
    """(comment, revision) → (rule, version) taken back before, of those to be undone."""
    digests: dict[str, set[bytes]] = field(default_factory=dict)
    """Event id → digests of the events with this id that have an outcome."""

    def absorb(self, cause: Cause, effect: Effect) -> None:
        if effect.outcome is not None:
            self.digests.setdefault(cause.event.id, set()).add(cause.digest)
            if isinstance(cause.event, RuleUndone):
                self._absorb_undone(cause.event, effect.outcome)
            elif effect.outcome.verdict is not None and not isinstance(cause.event, ReportFiled):
                self._absorb_judged(cause, effect.outcome)
        if effect.discussion is not None:
            self.discussion = effect.discussion
        for comment in effect.comments:
            self.comments[comment.comment] = comment
        if (revision := effect.revision) is not None:
            self.bodies[revision.comment, revision.revision] = revision.body
        if (report := effect.report) is not None:
            self.reported.add((report.comment, report.revision, report.reporter))
            named = (report.comment, report.revision)
            self.report_counts[named] = self.report_counts.get(named, 0) + 1
            self.reporters.setdefault(named, {})[report.reporter] = ""

    def _absorb_undone(self, event: RuleUndone, outcome: Outcome) -> None:
        if outcome.result == "applied":
            said = event.data
            taken_back = self.undone.setdefault((said.comment, said.revision), set())
            taken_back.add((said.rule, said.version))

    def _absorb_judged(self, cause: Cause, outcome: Outcome) -> None:
        name = (outcome.comment, outcome.revision)
        assert outcome.verdict is not None
        self.verdicts.setdefault(name, []).append(outcome.verdict)
        before = self.judged.get(name)
        self.judged[name] = Judged(
            before.recorded_at if before else cause.recorded_at,
            {**before.facts, **outcome.facts} if before else outcome.facts,
        )
