"""Whether a rule hits more, or less, often than it used to: a robust test on counts by hour.

A rule's rate in its history is p = hits / comments. In an hour of n comments, n·p hits are to be
expected with the binomial variance n·p·(1 − p), and the estimate's own error adds n/N of that
where N comments made the history. Hits come in bursts (a topic, a spammer), so the variance is
larger by a dispersion φ, as McCullagh and Nelder have it for quasi-likelihood (Generalized Linear
Models, 2nd ed., §4.5). There φ is the mean of the squared Pearson residuals of the hours; here
their median over that of χ² with one degree of freedom (0.4549), at least 1: so the very hours
that an alarm is for, once in the history, do not hide the next ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import median
from typing import NamedTuple

LEAST_COMMENTS = 50
"""In the hour."""
LEAST_HISTORY = 500
"""Comments in the history."""
LEAST_HOURS = 24
"""Hours with comments in the history."""
LEAST_DIFFERENCE = 10.0
"""Hits more or fewer than expected: fewer tell nothing, however unlikely."""
ALARM = 5.0
"""Deviations; of a normal variable, once in 1.7 million hours."""

_MEDIAN_OF_CHI_SQUARED = 0.4549


class Hour(NamedTuple):
    hits: int
    comments: int


def departure(history: Sequence[Hour], now: Hour) -> float:
    """By how many standard deviations the hour departs, above zero for more hits than expected.

    0.0 where there is too little to tell by. Hours without comments say nothing.
    """
    past = [hour for hour in history if hour.comments]
    comments = sum(hour.comments for hour in past)
    if (
        now.comments < LEAST_COMMENTS
        or comments < LEAST_HISTORY
        or len(past) < LEAST_HOURS
    ):  # fmt: skip
        return 0.0
    # Half a hit more on either side (Jeffreys), so that a rate of 0 or 1 has a variance too.
    p = (sum(hour.hits for hour in past) + 0.5) / (comments + 1)
    expected = now.comments * p
    if abs(now.hits - expected) < LEAST_DIFFERENCE:
        return 0.0
    residuals = [
        (hour.hits - hour.comments * p) ** 2 / (hour.comments * p * (1 - p)) for hour in past
    ]
    dispersion = max(1.0, median(residuals) / _MEDIAN_OF_CHI_SQUARED)
    variance = expected * (1 - p) * (1 + now.comments / comments) * dispersion
    return (now.hits - expected) / sqrt(variance)
