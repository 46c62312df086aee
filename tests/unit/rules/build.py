"""Builders: a submission and a ruleset with only what a test is about."""

from __future__ import annotations

from datetime import UTC, datetime

from services.core.events import DiscussionKey
from services.core.rules import Ruleset, Submission, load, read

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEXTS = "title: {ru: а, en: a}\nreason: {ru: а, en: a}\n"


def a_submission(
    body: str,
    *,
    author: str = "anna",
    comment: str = "c1",
    discussion: str = "portal/d1",
    revision: int = 1,
    at: datetime = NOON,
    section: str = "",
    language: str = "",
) -> Submission:
    return Submission(
        discussion=DiscussionKey(discussion),
        comment=comment,
        revision=revision,
        site="portal",
        author=author,
        at=at,
        reading=read(body),
        section=section,
        language=language,
    )


def a_ruleset(*rules: str, **lists: str) -> Ruleset:
    """Each rule is its own members in YAML, without title and reason."""
    text = "---\n".join(f"{rule.strip()}\n{TEXTS}" for rule in rules)
    return load({"test.yml": text} | {f"words/{name}.txt": list_ for name, list_ in lists.items()})
