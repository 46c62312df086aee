"""What a run measured: figures, medians with their spread, and the shape of build/bench.json. Pure.

A figure is one row: what was measured, against what, and whether the target was reached.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Sample:
    """One measure of every run, in the order of the runs."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.values), max(self.values)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0–1) of all values do not exceed."""
    if not values:
        raise ValueError("no values were measured")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Figure:
    """`better` says whether a ratio (or, without `against`, the value) should be high or low."""

    name: str
    value: float
    unit: str
    target: float | None
    against: str = ""
    against_value: float | None = None
    better: str = "high"
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.value / self.against_value if self.against_value else None

    @property
    def reached(self) -> bool | None:
        """None where there is no target."""
        if self.target is None:
            return None
        judged = self.value if self.against_value is None else self.ratio
        if judged is None:
            return False
        return judged >= self.target if self.better == "high" else judged <= self.target

    def row(self) -> dict[str, Any]:
        """As it stands in build/bench.json."""
        return {
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "against": self.against or None,
            "against_value": rounded(self.against_value),
            "ratio": rounded(self.ratio),
            "target": self.target,
            "reached": self.reached,
            "better": self.better,
            **self.extra,
        }


def compared(
    name: str,
    unit: str,
    ours: Sample,
    against: str,
    theirs: Sample,
    target: float | None,
    **extra: Any,
) -> Figure:
    """The figure of two sides that ran in turns."""
    return Figure(
        name,
        ours.median,
        unit,
        target,
        against,
        theirs.median,
        extra={
            "spread": [rounded(value) for value in ours.spread],
            "against_spread": [rounded(value) for value in theirs.spread],
            "runs": len(ours.values),
            **extra,
        },
    )


def rounded(value: float | None) -> float | None:
    """Four digits that mean something."""
    if value is None or value == 0:
        return value
    return round(value, max(0, 3 - math.floor(math.log10(abs(value)))))


def merged(old: Sequence[Mapping[str, Any]], new: Sequence[Figure]) -> list[dict[str, Any]]:
    """Rows of an earlier run, with those that were measured again in their places."""
    rows = {row["name"]: dict(row) for row in old}
    rows |= {figure.name: figure.row() for figure in new}
    return list(rows.values())
