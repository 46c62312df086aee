"""Dead letters: what they say, and when they are too many."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.core import codec
from services.core.consume.batch import Record
from services.core.consume.letters import MAX_VALUE_BYTES, DeadLetter, Limit, Raw, letter
from services.core.errors import BadEvent

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_letter_says_where_why_and_what() -> None:
    raw = Raw(7, AT, b"key", b"\xff{")
    said = codec.decode(letter("votes.v1", 3, raw, BadEvent("bad_json", "odd", "$")), DeadLetter)
    assert said == DeadLetter("votes.v1", 3, 7, AT, "a2V5", "/3s=", 2, "bad_json", "odd", "$")


def test_a_letter_about_nothing_has_no_key_and_no_value() -> None:
    said = codec.decode(
        letter("votes.v1", 0, Raw(0, AT, None, None), BadEvent("no_value", "none")), DeadLetter
    )
    assert (said.key, said.value, said.value_bytes) == (None, None, 0)


def test_a_value_beyond_the_bound_is_measured_but_not_repeated() -> None:
    raw = Raw(0, AT, b"k", b"x" * (MAX_VALUE_BYTES + 1))
    said = codec.decode(letter("votes.v1", 0, raw, BadEvent("bad_json", "odd")), DeadLetter)
    assert (said.value, said.value_bytes) == (None, MAX_VALUE_BYTES + 1)


def test_a_reason_that_quotes_half_of_a_surrogate_pair_is_told_all_the_same() -> None:
    raw = Raw(0, AT, b"k", b"{")
    said = codec.decode(letter("votes.v1", 0, raw, BadEvent("odd", "a \ud800", "$")), DeadLetter)
    assert said.detail == "a ?"


def test_a_hundred_in_a_row_pass_and_the_next_stops() -> None:
    limit = Limit()
    assert limit.admit([True] * 150) == 100
    limit.note([True] * 100)
    assert limit.admit([True]) == 0
    assert limit.admit([False, True]) == 2


def test_a_good_record_ends_a_row() -> None:
    limit = Limit()
    limit.note([True] * 100 + [False])
    assert limit.admit([True] * 100) == 100


def test_one_percent_is_judged_from_a_thousand_records_on() -> None:
    limit = Limit()
    limit.note([False] * 989)
    assert limit.admit([True] * 10) == 10
    limit.note([True] * 10)
    assert limit.admit([True]) == 0  # the thousandth record is the eleventh bad one
    limit.note([False] * 101)
    assert limit.admit([True]) == 1


def test_only_the_last_ten_thousand_records_count() -> None:
    limit = Limit()
    limit.note(([True] + [False] * 99) * 100)
    assert limit.admit([True]) == 1  # it takes the place of the oldest, also bad
    limit.note([False] * 9_999)
    assert limit.admit([True] * 99 + [False]) == 100


def test_admitting_changes_nothing() -> None:
    limit = Limit()
    for _ in range(5):
        assert limit.admit([True] * 60) == 60


@given(st.lists(st.booleans(), max_size=400), st.integers(1, 50))
def test_what_is_admitted_does_not_depend_on_how_it_is_batched(bad: list[bool], size: int) -> None:
    whole = Limit().admit(bad)
    limit, admitted = Limit(), 0
    for start in range(0, len(bad), size):
        part = bad[start : start + size]
        taken = limit.admit(part)
        limit.note(part[:taken])
        admitted += taken
        if taken < len(part):
            break
    assert admitted == whole


def test_a_record_happened_when_it_was_stated_else_when_it_was_recorded() -> None:
    class Stated:
        occurredat = datetime(2020, 1, 1, tzinfo=UTC)

    assert Record(0, AT, Stated()).at == Stated.occurredat
    assert Record(0, AT, object()).at == AT
