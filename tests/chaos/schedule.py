"""In which order the faults come."""

from __future__ import annotations

import random

from tests.chaos import faults
from tests.chaos.kinds import KINDS, LIGHT

assert faults.__all__  # imported: every kind is known
__all__ = ["KINDS", "plan"]


AGAIN = dict.fromkeys(LIGHT, 1) | {"pause_consumer": 3}
"""Kinds that come more than once in a round: those that need no healing, and zombies."""


def plan(faults: int, seed: int) -> list[str]:
    """Rounds of every kind, shuffled."""
    chance = random.Random(seed + 3)
    names: list[str] = []
    while len(names) < faults:
        one_round = [name for name in sorted(KINDS) for _ in range(1 + AGAIN.get(name, 0))]
        chance.shuffle(one_round)
        names += one_round
    return names[:faults]
