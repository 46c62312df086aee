from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.problems import Problem
from services.reader.cursor import AfterComment, AfterRank, Cursors

CURSORS = Cursors(b"k" * 32)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    st.integers(0, 2**52).map(lambda us: EPOCH + timedelta(microseconds=us)),
    st.from_regex(r"[A-Za-z0-9._~-]{1,64}", fullmatch=True),
)
def test_a_cursor_comes_back_to_the_microsecond(at: datetime, comment: str) -> None:
    sealed = CURSORS.seal("comments s/d newest", AfterComment.behind(at, comment))
    opened = CURSORS.open("comments s/d newest", sealed, AfterComment)
    assert opened.place == (at, comment)


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_a_rank_comes_back_exactly(score: float, position: int) -> None:
    rank = AfterRank("order", position, -score, 5, "c")
    assert CURSORS.open("l", CURSORS.seal("l", rank), AfterRank) == rank


@given(st.integers(0, 40), st.sampled_from("ABCxyz012-_"))
def test_an_altered_cursor_is_refused_by_name(place: int, letter: str) -> None:
    sealed = CURSORS.seal("l", AfterComment(1, "c" * 20))
    altered = sealed[:place] + letter + sealed[place + 1 :]
    if altered == sealed:
        return
    with pytest.raises(Problem) as refused:
        CURSORS.open("l", altered, AfterComment)
    assert (refused.value.status, refused.value.members) == (400, {"parameter": "cursor"})


@pytest.mark.parametrize("cursor", ["x", "é", "=", "a" * 2_000, "////"])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Problem):
        CURSORS.open("l", cursor, AfterComment)


@pytest.mark.parametrize("more", ["!!", "=", "\n", "=AAAA"])
def test_a_cursor_with_more_behind_it_is_refused(more: str) -> None:
    with pytest.raises(Problem):
        CURSORS.open("l", CURSORS.seal("l", AfterComment(1, "cc")) + more, AfterComment)


def test_a_cursor_fits_only_its_own_listing_and_key() -> None:
    sealed = CURSORS.seal("comments s/d newest", AfterComment(1, "c"))
    with pytest.raises(Problem):
        CURSORS.open("comments s/d oldest", sealed, AfterComment)
    with pytest.raises(Problem):
        Cursors(b"other" * 8).open("comments s/d newest", sealed, AfterComment)


def test_times_in_a_cursor_order_as_they_do() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    earlier = AfterComment.behind(at, "c")
    later = AfterComment.behind(at + timedelta(microseconds=1), "c")
    assert later.submitted_us - earlier.submitted_us == 1
