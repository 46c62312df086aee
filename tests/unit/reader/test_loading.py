"""While a reader reads the snapshots from their beginning, none of them is shown.

Postgres answers for strips meanwhile, ahead of the topic as it may be: nobody is sent back later.
"""

from __future__ import annotations

from datetime import timedelta

from services.core.events import Version
from services.reader.shelf import MAX_AHEAD, Feeds, KeptStrip, Strips
from tests.unit.reader.build import T0, a_feed, a_strip


def test_what_was_read_so_far_is_shown_to_nobody_until_the_topic_was_read_to_its_end() -> None:
    read = False
    feeds, strips = Feeds(lambda: read), Strips(10, lambda: read)
    feeds.put("key", a_feed(1), T0)
    strips.put("key", a_strip(1), T0)
    assert feeds.get("key") is None
    assert strips.get("key") is None
    assert feeds.newest("key") is not None
    assert strips.newest("key") is not None
    read = True
    assert feeds.get("key") is not None
    assert strips.get("key") is not None


def test_what_was_read_once_stays() -> None:
    answers = iter([True])
    strips = Strips(10, lambda: next(answers))
    strips.put("key", a_strip(1), T0)
    assert strips.get("key") is not None
    assert strips.get("key") is not None


def from_postgres(number: int) -> KeptStrip:
    return KeptStrip(a_strip(number), T0)


def shown(strips: Strips, key: str = "key") -> int | None:
    kept = strips.get(key)
    return kept.version.number if kept else None


def test_what_postgres_answered_is_shown_until_the_topic_brings_as_much() -> None:
    read = False
    strips = Strips(10, lambda: read)
    strips.put("key", a_strip(8), T0)
    assert strips.answered("key", from_postgres(10)).version.number == 10
    assert shown(strips) is None, "Postgres is asked again: it may be further by now"
    strips.put("key", a_strip(9), T0)
    read = True
    assert shown(strips) == 10
    newest = strips.newest("key")
    assert newest is not None
    assert newest.version.number == 9, "streams go by what was published"
    assert strips.put("key", a_strip(10), T0), "and are told of it when it comes"
    assert shown(strips) == 10
    strips.put("key", a_strip(11), T0)
    assert shown(strips) == 11


def test_a_discussion_that_the_topic_did_not_bring_yet_is_not_forgotten() -> None:
    strips = Strips(10)
    strips.answered("key", from_postgres(2))
    assert shown(strips) == 2
    strips.put("key", a_strip(1), T0)
    assert shown(strips) == 2


def test_a_late_answer_of_postgres_takes_nobody_back() -> None:
    strips = Strips(10)
    strips.answered("key", from_postgres(4))
    assert strips.answered("key", from_postgres(3)).version.number == 4
    strips.put("key", a_strip(6), T0)
    assert strips.answered("key", from_postgres(5)).version.number == 6
    assert shown(strips) == 6


def test_a_new_incarnation_is_ahead_of_any_number() -> None:
    strips = Strips(10)
    strips.answered("key", from_postgres(10))
    strips.put("key", a_strip(version=Version(2, 1)), T0)
    assert shown(strips) == 1


def test_what_left_the_topic_is_not_shown_from_postgres_either() -> None:
    strips = Strips(10)
    strips.put("key", a_strip(1), T0)
    strips.answered("key", from_postgres(2))
    strips.drop("key")
    assert shown(strips) is None


def test_what_is_ahead_outlives_an_eviction() -> None:
    strips = Strips(1)
    strips.put("key", a_strip(1), T0)
    strips.answered("key", from_postgres(2))
    for number in range(9):
        strips.put(f"newer{number}", a_strip(1), T0 + timedelta(seconds=1))
    assert strips.newest("key") is None
    assert shown(strips) == 2


def test_the_last_answers_stay_where_there_are_too_many() -> None:
    strips, kept = Strips(10), from_postgres(2)
    for number in range(MAX_AHEAD):
        strips.answered(f"k{number}", kept)
    strips.answered("k0", from_postgres(3))
    strips.answered("one more", kept)
    assert shown(strips, "k0") == 3
    assert shown(strips, "k1") is None
    assert shown(strips, "k2") == 2
