"""What every rule has: a name, an action, and what people are told, in Russian and English."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from services.core.events import FindingSeen
from services.core.rules.facts import Facts, Submission
from services.core.rules.reading import Span

Action = Literal["note", "hold", "reject"]
RuleId = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Sentence = Annotated[str, Meta(min_length=1, max_length=500)]
Count = Annotated[int, Meta(ge=1, le=100)]
Minutes = Annotated[int, Meta(ge=1, le=7 * 24 * 60)]

MAX_SPANS = 20


class Texts(Struct, frozen=True, forbid_unknown_fields=True):
    ru: Sentence
    en: Sentence


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family"):
    """`title` is what moderators read, `reason` what the author of the comment is told."""

    id: RuleId
    action: Action
    title: Texts
    reason: Texts

    def finding(self, spans: list[Span], **detail: Any) -> FindingSeen:
        return FindingSeen(rule=self.id, action=self.action, spans=spans[:MAX_SPANS], detail=detail)


Check: TypeAlias = Callable[[Submission, Facts], FindingSeen | None]
"""A rule, compiled: says what it found in one comment, or None."""

Lists: TypeAlias = Mapping[str, str]
"""The texts of the word lists by their file names, such as `words/ru.txt`."""
