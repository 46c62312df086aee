"""Distinct viewers: keyed, order-free, near."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core import viewers

key = viewers.viewer_key(b"k" * 32)


def some(count: int, first: int = 0) -> list[bytes]:
    return [key("gazette", f"reader-{n}") for n in range(first, first + count)]


def test_key_depends_on_secret_site_and_viewer() -> None:
    assert key("gazette", "ada") == key("gazette", "ada")
    assert len(key("gazette", "ada")) == viewers.KEY_BYTES
    others = {
        key("herald", "ada"),
        key("gazette", "bob"),
        viewers.viewer_key(b"x")("gazette", "ada"),
    }
    assert len(others | {key("gazette", "ada")}) == 4


def test_nobody_is_zero() -> None:
    assert viewers.estimate([]) == 0
    assert viewers.estimate([viewers.add(None, [])]) == 0


@given(st.sets(st.integers(0, 10**6), max_size=60))
def test_a_few_viewers_are_counted_exactly(numbers: set[int]) -> None:
    seen = [key("gazette", str(number)) for number in numbers]
    assert viewers.estimate([viewers.add(None, seen + seen)]) == len(numbers)


def test_the_same_viewer_in_two_slots_is_one() -> None:
    assert viewers.estimate([viewers.add(None, some(10)), viewers.add(None, some(15))]) == 15


@pytest.mark.parametrize("count", [1_000, 20_000])
def test_many_viewers_are_counted_within_three_standard_errors(count: int) -> None:
    sketches = [viewers.add(None, some(count // 5, n * count // 5)) for n in range(5)]
    error = viewers.estimate(sketches) / count - 1
    assert abs(error) < 3 * viewers.RELATIVE_STANDARD_ERROR


@given(seed=st.integers(), count=st.integers(0, 3_000), size=st.integers(1, 1_000))
def test_neither_order_nor_batching_changes_a_byte(seed: int, count: int, size: int) -> None:
    seen = some(count)
    at_once = viewers.add(None, seen)
    Random(seed).shuffle(seen)
    sketch: bytes | None = None
    for begin in range(0, count, size):
        sketch = viewers.add(sketch, seen[begin : begin + size])
    assert (sketch or viewers.add(None, [])) == at_once
