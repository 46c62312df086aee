"""In which order the faults come."""

from __future__ import annotations

import random

from tests.chaos import faults
from tests.chaos.kinds import KINDS, LIGHT

assert faults.__all__  # imported: every kind is known
__all__ = ["KINDS", "ROUND", "plan"]

AGAIN = dict.fromkeys(LIGHT, 1) | {
    "pause_consumer": 3, "kill_in_transaction": 2, "kill_in_produce": 1, "produce_error": 1,
}  # fmt: skip
"""Kinds that come more than once in a round: those that need no healing, zombies, and those that
six rounds would else not lead through all their points."""
ROUND = [name for name in sorted(KINDS) for _ in range(1 + AGAIN.get(name, 0))]


def plan(faults: int, seed: int) -> list[str]:
    """Rounds of every kind, each shuffled."""
    chance = random.Random(seed + 3)
    names: list[str] = []
    while len(names) < faults:
        names += chance.sample(ROUND, k=len(ROUND))
    return names[:faults]
