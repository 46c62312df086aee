"""Formulas of ranking, against numbers worked out by hand and published ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.rating import HOT_SECONDS, hot, wilson_lower_bound

counts = st.integers(0, 10_000_000)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("up", "down", "bound"),
    [
        (1, 0, 0.2065),  # 1 / (1 + z²)
        (10, 0, 0.7225),  # 10 / (10 + z²)
        (1, 1, 0.0945),
        (90, 10, 0.8256),
        (600, 400, 0.5693),  # Miller's first example: ranks above 5,500 of 10,000 …
        (5_500, 4_500, 0.5402),  # … although that has the larger difference.
    ],
)
def test_wilson_bound_is_the_published_one(up: int, down: int, bound: float) -> None:
    assert wilson_lower_bound(up, down) == pytest.approx(bound, abs=0.00005)


@given(up=st.just(0), down=counts)
def test_without_upvotes_the_bound_is_zero(up: int, down: int) -> None:
    assert wilson_lower_bound(up, down) == 0.0


@given(up=st.integers(1, 10_000_000), down=counts)
def test_bound_is_below_the_share_of_upvotes(up: int, down: int) -> None:
    assert 0.0 <= wilson_lower_bound(up, down) < up / (up + down)


@given(up=counts, down=counts)
def test_one_more_upvote_never_ranks_lower_and_one_more_downvote_never_higher(
    up: int, down: int
) -> None:
    bound = wilson_lower_bound(up, down)
    assert wilson_lower_bound(up + 1, down) >= bound
    assert wilson_lower_bound(up, down + 1) <= bound


def test_hot_trades_ten_times_the_score_for_twelve_and_a_half_hours() -> None:
    later = NOON + timedelta(seconds=HOT_SECONDS)
    assert hot(100, NOON) == pytest.approx(hot(10, later), abs=1e-6)
    assert hot(10, NOON) == hot(1, later)


@given(score=st.integers(-10_000, 10_000), seconds=st.integers(0, 10**9))
def test_hot_grows_with_score_and_with_opening_time(score: int, seconds: int) -> None:
    opened_at = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert hot(score + 1, opened_at) >= hot(score, opened_at)
    assert hot(score, opened_at + timedelta(seconds=1)) > hot(score, opened_at)


def test_hot_of_no_votes_is_opening_time_alone() -> None:
    assert hot(0, datetime(1970, 1, 1, 12, 30, tzinfo=UTC)) == 1.0
