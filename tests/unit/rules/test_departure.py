"""A hit rate that departs from its history, and what is no departure."""

from __future__ import annotations

import random

from services.core.rules.departure import ALARM, Hour, departure

STEADY = [Hour(2 + n % 3, 100 + n) for n in range(100)]


def test_many_more_hits_and_none_at_all_depart_in_their_directions() -> None:
    assert departure(STEADY, Hour(30, 100)) > ALARM
    assert departure(STEADY, Hour(0, 1_500)) < -ALARM
    assert abs(departure(STEADY, Hour(4, 100))) < ALARM


def test_too_little_to_tell_by_is_no_departure() -> None:
    assert departure(STEADY, Hour(40, 49)) == 0.0
    assert departure(STEADY[:23], Hour(100, 100)) == 0.0
    assert departure([Hour(0, 10)] * 49, Hour(100, 100)) == 0.0
    assert departure([Hour(0, 0)] * 400, Hour(100, 100)) == 0.0
    assert departure([Hour(0, 1_000)] * 100, Hour(9, 100)) == 0.0
    assert departure([Hour(0, 1_000)] * 100, Hour(11, 100)) > ALARM


def test_a_burst_in_the_history_does_not_hide_the_next() -> None:
    quiet = departure(STEADY, Hour(40, 100))
    after_one = departure([*STEADY, Hour(40, 100)], Hour(40, 100))
    assert after_one > ALARM
    assert after_one > quiet / 2


def test_a_rule_that_always_hits_in_bursts_is_let_burst() -> None:
    chance = random.Random(3)
    bursting = [Hour(chance.choice([0, 0, 20, 40]), 200) for _ in range(200)]
    assert abs(departure(bursting, Hour(40, 200))) < ALARM
    assert departure([Hour(15, 200)] * 200, Hour(40, 200)) > ALARM


def test_chance_alone_hardly_ever_alarms() -> None:
    chance = random.Random(5)

    def hour() -> Hour:
        return Hour(sum(chance.random() < 0.03 for _ in range(300)), 300)

    history = [hour() for _ in range(100)]
    assert all(abs(departure(history, hour())) < ALARM for _ in range(200))
