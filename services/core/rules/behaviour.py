"""Rules on how an author behaves: repeats, floods, and authors nobody knows yet."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta

from services.core.events import FindingSeen
from services.core.rules.facts import Facts, Submission
from services.core.rules.rule import Check, Count, Minutes, Rule


class Repeats(Rule, frozen=True, kw_only=True, tag="repeats"):
    """The same text again: found where `at_least` other comments of the window have it."""

    scope: Literal["author", "site"]
    """Counts the author's own comments, or everybody's."""
    at_least: Count
    within_minutes: Minutes
    longer_than: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """Code points of the folded text: short words of thanks are no spam."""


class Floods(Rule, frozen=True, kw_only=True, tag="floods"):
    """Too many comments by one author: found where this one makes it more than `more_than`."""

    more_than: Count
    within_minutes: Minutes


class NewAuthors(Rule, frozen=True, kw_only=True, tag="new_authors"):
    """Found while fewer than this many comments of the author stand published on the site."""

    fewer_than: Count


def compile_repeats(rule: Repeats) -> Check:
    window = timedelta(minutes=rule.within_minutes)

    def check(comment: Submission, facts: Facts) -> FindingSeen | None:
        copies = facts.own_copies if rule.scope == "author" else facts.site_copies
        if len(copies) < rule.at_least or len(comment.reading.folded) <= rule.longer_than:
            return None
        inside = [copy for copy in copies if copy.at > comment.at - window]
        count = len({(copy.discussion, copy.comment) for copy in inside})
        if count < rule.at_least:
            return None
        return rule.finding(
            [],
            count=count,
            at_least=rule.at_least,
            authors=len({copy.author for copy in inside} | {comment.author}),
        )

    return check


def compile_floods(rule: Floods) -> Check:
    window = timedelta(minutes=rule.within_minutes)

    def check(comment: Submission, facts: Facts) -> FindingSeen | None:
        if comment.revision > 1 or len(facts.recent) < rule.more_than:
            return None
        count = 1 + sum(earlier.at > comment.at - window for earlier in facts.recent)
        if count <= rule.more_than:
            return None
        return rule.finding([], count=count, more_than=rule.more_than)

    return check


def compile_new_authors(rule: NewAuthors) -> Check:
    def check(comment: Submission, facts: Facts) -> FindingSeen | None:
        if facts.published >= rule.fewer_than:
            return None
        return rule.finding([], published=facts.published, fewer_than=rule.fewer_than)

    return check
