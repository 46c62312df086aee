"""Formulas of ranking: pure, and the only home of their constants."""

from __future__ import annotations

from datetime import UTC, datetime
from math import log10

HOT_SECONDS = 45_000
"""12.5 hours of age weigh as much as ten times the score."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def hot(score: int, opened_at: datetime) -> float:
    """sign(score) · log10(max(|score|, 1)) + seconds since 1970 at opening / 45,000.

    An order that needs no clock: a later opening adds what age would take away. Rounded to seven
    decimals, so that every platform ranks alike.
    """
    sign = (score > 0) - (score < 0)
    seconds = (opened_at - _EPOCH).total_seconds()
    return round(sign * log10(max(abs(score), 1)) + seconds / HOT_SECONDS, 7)
