"""Rules on the shape of a text: shouting and length."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from services.core.errors import BadRuleset
from services.core.events import FindingSeen
from services.core.rules.facts import Facts, Submission
from services.core.rules.rule import Check, Rule


class Shouting(Rule, frozen=True, kw_only=True, tag="shouting"):
    """Found where at least this share of the letters that have a case are upper case."""

    share: Annotated[float, Meta(gt=0, le=1)]
    letters_at_least: Annotated[int, Meta(ge=1, le=10_000)] = 20


class Length(Rule, frozen=True, kw_only=True, tag="length"):
    """Counts code points of the text as read: folded, without white space at its ends."""

    longer_than: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    shorter_than: Annotated[int, Meta(ge=1, le=10_000)] | None = None


def compile_shouting(rule: Shouting) -> Check:
    def check(comment: Submission, facts: Facts) -> FindingSeen | None:
        text = comment.reading.original
        if len(text) < rule.letters_at_least:
            return None
        upper = sum(map(str.isupper, text))
        if upper < rule.share * rule.letters_at_least:
            return None
        letters = upper + sum(map(str.islower, text))
        if letters < rule.letters_at_least or upper < rule.share * letters:
            return None
        return rule.finding([], upper=upper, letters=letters, share=rule.share)

    return check


def compile_length(rule: Length) -> Check:
    """Raises BadRuleset where the rule could never find anything."""
    if rule.longer_than is None and rule.shorter_than is None:
        raise BadRuleset(f"rule {rule.id}: state `longer_than` or `shorter_than`")

    def check(comment: Submission, facts: Facts) -> FindingSeen | None:
        length = len(comment.reading.folded.strip())
        if rule.longer_than is not None and length > rule.longer_than:
            return rule.finding([], length=length, longer_than=rule.longer_than)
        if rule.shorter_than is not None and length < rule.shorter_than:
            return rule.finding([], length=length, shorter_than=rule.shorter_than)
        return None

    return check
