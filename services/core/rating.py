"""Formulas of ranking: pure, and the only home of their constants.

Sources:
- Wilson, E. B. (1927), "Probable inference, the law of succession, and statistical inference",
  Journal of the American Statistical Association 22 (158), 209–212: the interval;
  Miller, E. (2009), "How Not To Sort By Average Rating": its lower bound as an order.
- Reddit's `r2/lib/db/_sorts.pyx` (public until 2017): `hot` as the score's logarithm plus time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import log10, sqrt

CONFIDENCE_Z = 1.96
"""Two-sided 95 %."""

HOT_SECONDS = 45_000
"""12.5 hours of age weigh as much as ten times the score."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wilson_lower_bound(up: int, down: int) -> float:
    """Lower end of the 95 % interval of the share of upvotes, in [0, 1); 0.0 without any.

    With n = up + down, p = up / n and z = 1.96:

        (p + z²/2n − z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)

    Few votes are trusted little: 1 of 1 gives 0.207, 10 of 10 gives 0.722, 90 of 100 gives 0.826.
    """
    if up <= 0:
        return 0.0  # The formula gives exactly zero; its floats may not.
    n = up + down
    p = up / n
    z2 = CONFIDENCE_Z * CONFIDENCE_Z
    spread = CONFIDENCE_Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, (p + z2 / (2 * n) - spread) / (1 + z2 / n))


def wilson_interval(agreed: int, of: int) -> tuple[float, float]:
    """Both ends of the 95 % interval of a share, by the formula above; (0.0, 1.0) of none."""
    if of <= 0:
        return 0.0, 1.0
    return wilson_lower_bound(agreed, of - agreed), 1.0 - wilson_lower_bound(of - agreed, agreed)


def hot(score: int, opened_at: datetime) -> float:
    """sign(score) · log10(max(|score|, 1)) + seconds since 1970 at opening / 45,000.

    An order that needs no clock: a later opening adds what age would take away. Rounded to seven
    decimals, so that every platform ranks alike.
    """
    sign = (score > 0) - (score < 0)
    seconds = (opened_at - _EPOCH).total_seconds()
    return round(sign * log10(max(abs(score), 1)) + seconds / HOT_SECONDS, 7)
