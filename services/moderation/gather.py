"""What a batch needs to know, in a fixed number of statements whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.core import codec
from services.core.consume import Batch
from services.core.db import Connection
from services.core.discussion import Cause, State
from services.core.events import (
    CommentEdited,
    CommentsEvent,
    CommentSubmitted,
    DiscussionKey,
    ReportFiled,
    RuleUndone,
    ScoreGiven,
    SitePolicy,
)
from services.core.rules import History, Windows, read
from services.core.rules.brakes import Version
from services.core.store import comments, facts, outcomes, policies, rule_hits


@dataclass(frozen=True, slots=True)
class Gathered:
    causes: Sequence[Cause]
    states: dict[DiscussionKey, State]
    policies: dict[str, SitePolicy]
    """site → policy; a site without one has the default."""
    history: History


async def gather(
    connection: Connection,
    batch: Batch[CommentsEvent],
    windows: Windows,
    braked: Sequence[Version] = (),
) -> Gathered:
    """`braked` are the rules whose rejects a brake might stop."""
    causes = [
        Cause(
            event=record.event,
            key=record.event.key,
            digest=codec.digest(record.event),
            at=record.at,
            recorded_at=record.recorded_at,
            reading=read(body) if (body := getattr(record.event.data, "body", "")) else None,
        )
        for record in batch.records
    ]
    states = {cause.key: State() for cause in causes}
    await outcomes.load_digests(
        connection, states, {(cause.key, cause.event.id) for cause in causes}
    )
    for discussion in await comments.discussions(connection, states):
        states[discussion.key].discussion = discussion
    for comment in await comments.comments(connection, _named(causes)):
        states[comment.discussion].comments[comment.comment] = comment
    await comments.load_bodies(connection, states, _written(causes))
    await comments.load_reports(connection, states, _reported(causes))
    await outcomes.load_judged(connection, states, _scored(causes))
    await outcomes.load_verdicts(connection, states, _undone(causes))
    history = await facts.history(connection, causes, windows)
    written = [cause.recorded_at for cause in causes if cause.reading is not None]
    history.tallies = await rule_hits.lately(connection, braked, written)
    return Gathered(
        causes,
        states,
        await policies.of(connection, {cause.event.site for cause in causes}),
        history,
    )


def _named(causes: Sequence[Cause]) -> set[comments.Named]:
    """Comments that events are about, and parents."""
    named = set()
    for cause in causes:
        for member in ("comment", "parent"):
            if name := getattr(cause.event.data, member, None):
                named.add((str(cause.key), name))
    return named


def _written(causes: Sequence[Cause]) -> set[comments.Named]:
    return {
        (cause.key, cause.event.data.comment)
        for cause in causes
        if isinstance(cause.event, CommentSubmitted | CommentEdited | ScoreGiven)
    }


def _reported(causes: Sequence[Cause]) -> set[tuple[str, str, int, str]]:
    return {
        (cause.key, event.data.comment, event.data.revision, event.actor)
        for cause in causes
        if isinstance(event := cause.event, ReportFiled)
    }


def _scored(causes: Sequence[Cause]) -> set[tuple[str, str, int]]:
    return {
        (cause.key, event.data.comment, event.data.revision)
        for cause in causes
        if isinstance(event := cause.event, ScoreGiven)
    }


def _undone(causes: Sequence[Cause]) -> set[tuple[str, str, int]]:
    return {
        (cause.key, event.data.comment, event.data.revision)
        for cause in causes
        if isinstance(event := cause.event, RuleUndone)
    }
