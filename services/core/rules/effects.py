"""What follows from a verdict beside its action: labels, notices, a limit on the author, a score.

Effects are data in the findings. A rule in the shadow has none; a brake takes away those that
ask something of people, where it makes a hold a note.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from services.core.events import FindingSeen, VerdictGiven
from services.core.rules.features import UNITS


def labels(verdict: VerdictGiven | None) -> tuple[str, ...]:
    """In alphabetical order, each once."""
    named = {label for _, effects in _applied(verdict) for label in effects.get("labels", ())}
    return tuple(sorted(named))


def notices(verdict: VerdictGiven | None) -> dict[str, str]:
    """Channel → the first rule that speaks to it."""
    told: dict[str, str] = {}
    for found, effects in _applied(verdict):
        for channel in effects.get("notify", ()):
            told.setdefault(channel, found.rule)
    return told


def limit(verdict: VerdictGiven | None) -> timedelta:
    """How long the author is slowed down: the longest that a rule says, or nothing."""
    stated = [effects["limit"] for _, effects in _applied(verdict) if effects.get("limit")]
    return max((_duration(text) for text in stated), default=timedelta())


def score(verdict: VerdictGiven | None) -> float:
    """The sum of what the rules give."""
    given: float = sum(effects.get("score", 0) for _, effects in _applied(verdict))
    return round(given, 6)


def _applied(verdict: VerdictGiven | None) -> Iterator[tuple[FindingSeen, dict[str, Any]]]:
    for found in verdict.findings if verdict is not None else ():
        if found.effects and not found.shadow:
            yield found, found.effects


def _duration(text: str) -> timedelta:
    return timedelta(seconds=int(text[:-1]) * UNITS[text[-1]])
