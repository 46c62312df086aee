"""How many records the next transaction takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.core.consume.timing import Timing

TIMING = Timing()


def test_a_full_and_quick_batch_grows() -> None:
    assert TIMING.next_size(500, 500, 0.01) == 750


def test_a_batch_that_was_not_full_does_not_grow() -> None:
    assert TIMING.next_size(500, 499, 0.01) == 500


def test_a_batch_that_takes_too_long_halves_at_most() -> None:
    assert TIMING.next_size(2_000, 2_000, 0.125) == 1_600
    assert TIMING.next_size(2_000, 2_000, 5.0) == 1_000


def test_a_slow_database_does_not_shrink_batches_for_ever() -> None:
    size = 2_000
    for _ in range(20):
        size = TIMING.next_size(size, size, 1.0)
    assert size == TIMING.min_records


def test_a_slow_trickle_leaves_the_size_as_it_is() -> None:
    assert TIMING.next_size(500, 3, 0.2) == 500


@given(st.integers(500, 2_000), st.integers(1, 2_000), st.floats(0.0001, 30))
def test_the_size_stays_within_its_bounds(size: int, count: int, seconds: float) -> None:
    count = min(count, size)
    assert TIMING.min_records <= TIMING.next_size(size, count, seconds) <= TIMING.max_records
