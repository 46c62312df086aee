from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.core.model.features import MAX_CODE_POINTS, counted, located

TEXTS = st.text(max_size=60)


def test_every_ngram_of_a_short_text_is_counted() -> None:
    grams = located("Да, нет", 20)
    spans = {"Да, нет"[start:end] for start, end in zip(grams.starts, grams.ends, strict=True)}
    assert {"Да", ",", "нет", "Да,", ", нет", "а, н"} <= spans
    assert set(counted("Да, нет", 20)[0]) == set(grams.bins)


def test_case_and_kind_of_space_do_not_matter() -> None:
    assert np.array_equal(counted("ДОБРЫЙ\nдень", 20)[0], counted("добрый день", 20)[0])


def test_a_repeated_word_counts_by_its_logarithm() -> None:
    _, once = counted("ура", 20)
    _, thrice = counted("ура ура ура", 20)
    assert not np.isclose(once, 1 + np.log(3)).any()
    assert np.isclose(thrice, 1 + np.log(3)).any()


def test_a_text_beyond_the_limit_is_read_up_to_it() -> None:
    bins, _ = counted("а" * MAX_CODE_POINTS * 3, 18)
    assert len(bins) > 0


@given(TEXTS)
def test_spans_lie_within_the_text(text: str) -> None:
    grams = located(text, 18)
    assert (grams.starts <= grams.ends).all()
    assert (grams.starts >= 0).all()
    assert (grams.ends <= len(text)).all()


@given(TEXTS, st.integers(min_value=0, max_value=20))
def test_an_ngram_hashes_alike_wherever_it_stands(text: str, shift: int) -> None:
    alone = set(counted(f"x {text} x", 24)[0])
    moved = set(counted("x" * shift + f"x {text} x", 24)[0])
    missing = alone - moved
    # Only n-grams that touch the first word or the front differ.
    assert len(missing) <= 9


@given(st.text(alphabet="ABİßǅабЁ", max_size=12))
def test_letters_that_grow_when_lowered_keep_spans_in_place(text: str) -> None:
    grams = located(text, 18)
    assert len(grams.bins) == len(grams.starts) == len(grams.ends)
    assert (grams.ends <= len(text)).all()
