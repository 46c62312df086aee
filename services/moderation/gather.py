"""What a batch needs to know, in a fixed number of statements whatever its size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.core import codec
from services.core.consume import Batch
from services.core.db import Connection
from services.core.discussion import Cause, State
from services.core.events import (
    CommentEdited,
    CommentsEvent,
    CommentSubmitted,
    DecisionMade,
    DiscussionKey,
    ReportFiled,
    RuleUndone,
    ScoreGiven,
    SitePolicy,
)
from services.core.rules import History, Windows, read
from services.core.rules.brakes import Version
from services.core.rules.history import Author
from services.core.store import comments, facts, outcomes, policies, rule_hits


@dataclass(frozen=True, slots=True)
class Gathered:
    causes: Sequence[Cause]
    states: dict[DiscussionKey, State]
    policies: dict[str, SitePolicy]
    """site → policy; a site without one has the default."""
    history: History
    settled: dict[tuple[str, str, int, str], str] = field(default_factory=dict)
    """(discussion, comment, revision, reporter) → how a decision of this batch settles it."""


async def gather(
    connection: Connection,
    batch: Batch[CommentsEvent],
    windows: Windows,
    braked: Sequence[Version] = (),
    looks_at: Callable[[Cause], bool] = lambda _: False,
) -> Gathered:
    """`braked` are the rules whose rejects a brake might stop; `looks_at` says of a report whether
    rules judge it."""
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
    reports = any(map(looks_at, causes))
    states = {cause.key: State() for cause in causes}
    await outcomes.load_digests(
        connection, states, {(cause.key, cause.event.id) for cause in causes}
    )
    for discussion in await comments.discussions(connection, states):
        states[discussion.key].discussion = discussion
    for comment in await comments.comments(connection, _named(causes)):
        states[comment.discussion].comments[comment.comment] = comment
    texts = _written(causes)
    if reports:
        texts |= {(key, comment) for key, comment, _ in _on(causes)}
    there = {(str(key), name) for key, state in states.items() for name in state.comments}
    await comments.load_bodies(connection, states, texts & there)
    await comments.load_reports(connection, states, _reported(causes))
    await outcomes.load_judged(connection, states, _scored(causes))
    await outcomes.load_verdicts(connection, states, _undone(causes))
    await comments.load_reporters(
        connection, states, _decided(causes) | (_on(causes) if reports else set())
    )
    history = await facts.history(
        connection, causes, windows, _looked_at(causes, states) if reports else ()
    )
    if reports:
        await facts.load_reporters(connection, history, _reporters(causes, states))
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


def _on(causes: Sequence[Cause]) -> set[tuple[str, str, int]]:
    """The revisions that readers report."""
    return {(key, comment, revision) for key, comment, revision, _ in _reported(causes)}


def _decided(causes: Sequence[Cause]) -> set[tuple[str, str, int]]:
    """The revisions that decisions are on, where they take effect."""
    return {
        (cause.key, event.data.comment, event.data.expected.revision)
        for cause in causes
        if isinstance(event := cause.event, DecisionMade)
    }


def _reporters(causes: Sequence[Cause], states: dict[DiscussionKey, State]) -> set[Author]:
    """(site, reader) of all whose reports weigh in this batch."""
    named = {(cause.event.site, name[3]) for cause in causes for name in _reported([cause])}
    for cause in causes:
        for key, comment, revision in _on([cause]):
            filed = states[DiscussionKey(key)].reporters.get((comment, revision), {})
            named |= {(cause.event.site, reporter) for reporter in filed}
    return named


def _looked_at(causes: Sequence[Cause], states: dict[DiscussionKey, State]) -> list[facts.Asked]:
    """The revisions that reports may have rules look at, as they are stored or come before."""
    written: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for cause in causes:
        event, name = cause.event, getattr(cause.event.data, "comment", "")
        if isinstance(event, CommentSubmitted | CommentEdited):
            written.setdefault((cause.key, name), set()).add((event.actor, event.data.body))
    asked = []
    for cause in causes:
        for key, name, revision in _on([cause]):
            state = states[cause.key]
            texts = set(written.get((key, name), ()))
            known, body = state.comments.get(name), state.bodies.get((name, revision))
            if known is not None and body is not None:
                texts.add((known.author, body))
            asked += [
                facts.Asked(cause.event.site, author, cause.key, name, read(text), cause.at)
                for author, text in sorted(texts)
            ]
    return asked


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
