"""How the nemesis chooses: every combination in its turn, and every kind in every round."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

from tests.chaos.nemesis import Nemesis
from tests.chaos.schedule import KINDS, ROUND, plan


def a_nemesis(*only: str) -> Nemesis:
    nothing = cast(Any, SimpleNamespace(bootstrap="", prefix=""))
    made = Nemesis(nothing, nothing, nothing, seed=1)
    made.only = list(only)
    return made


def test_every_combination_has_its_turn() -> None:
    nemesis = a_nemesis()
    points, names = ("a", "b", "c"), ("x", "y", "z")
    seen = {nemesis.next_of("kill", points, names) for _ in range(9)}
    assert seen == {(point, name) for point in points for name in names}


def test_a_plan_may_name_what_to_strike() -> None:
    nemesis = a_nemesis("b", "z")
    assert {nemesis.next_of("kill", ("a", "b"), ("x", "z")) for _ in range(4)} == {("b", "z")}
    assert {nemesis.next_of("kill", ("a",), ("x", "z")) for _ in range(4)} == {("a", "z")}


def test_five_rounds_hold_five_of_every_kind_and_two_hundred_faults() -> None:
    times = Counter(plan(5 * len(ROUND), seed=7))
    assert times.keys() == KINDS.keys()
    assert min(times.values()) >= 5
    assert times.total() >= 200
