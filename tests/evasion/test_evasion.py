"""The floor under the fold: what docs/moderation.md says it finds and leaves alone."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.rules.inflect import forms
from services.core.rules.listed import Source
from services.core.rules.reading import read
from services.core.rules.word_index import WordIndex
from tests.evasion.measure import found, index_of, misses
from tests.evasion.suite import PARTS, disguised, innocent, words

LEAST_FOUND = {"first": 0.99, "later": 0.98, "fresh": 0.96, "blind": 0.98, "unseen": 0.95}
BOTH = index_of("ru", "en")


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("part", PARTS)
def test_disguised_words_are_found(language: str, part: str) -> None:
    count = len(list(disguised(language, part)))
    missed = misses(index_of(language), language, part)
    assert len(missed) <= (1 - LEAST_FOUND[part]) * count, missed


def test_no_innocent_comment_is_flagged() -> None:
    assert [comment for comment in innocent() if found(BOTH, comment)] == []


@pytest.mark.parametrize("item", list(disguised("ru", "first"))[::7])
def test_span_holds_what_was_written_and_nothing_before(item: tuple[str, str, str]) -> None:
    body = f"½ Ⅷ. {item[2]} ."
    reading = read(body)
    for match in BOTH.find(reading):
        start, end = reading.span(match.start, match.end)
        assert body[start].strip()
        assert start >= len("½ Ⅷ. ")
        assert end <= len(body) - len(" .")


@pytest.mark.parametrize(
    ("comment", "how"),
    [
        ("дурак", {"plain"}),
        ("дураками", {"inflected"}),
        ("дуpак", {"confusable"}),
        ("дур4к", {"leet"}),
        ("durak", {"transliterated"}),
        ("дурррак", {"repeated"}),
        ("д у р а к", {"spaced"}),
        ("д*рак", {"masked"}),
    ],
)
def test_match_says_how_the_word_was_disguised(comment: str, how: set[str]) -> None:
    (match,) = WordIndex([Source("ru", ["дурак"])]).find(read(comment))
    assert set(match.how) == how


def test_short_runs_of_letters_do_not_make_another_word() -> None:
    index = WordIndex([Source("en", ["=bot", "=god", "=met"])])
    assert found(index, "boot, goood, meet, goooooood morning") == []


def test_words_are_not_glued_together_across_spaces_and_stops() -> None:
    index = WordIndex([Source("ru", ["сука", "осел", "лохотрон"]), Source("en", ["therapist"])])
    assert found(index, "о сел. су ка. Лохо. Трон! да.Осы; the rapist") == []


def test_a_word_cut_by_one_space_is_found_where_a_piece_is_no_word() -> None:
    index = WordIndex([Source("ru", ["дурак", "лохотрон"])])
    assert [match.how for match in found(index, "ду рак, лохо трон, ло хо трон")] == [
        ("spaced",)
    ] * 3


MASKED = " ".join(
    form[:2] + "*" + form[4:]
    for word in words("ru")
    for form in sorted(forms(word))
    if len(form) > 6 and form.isalpha()
)[:10_000]
"""Different tokens, of which each fits a listed form that is a letter longer."""


@pytest.mark.parametrize(
    "body",
    [
        "1|!il" * 2_000,
        "}|{" * 3_000,
        "а.б." * 2_500,
        "*а" * 5_000,
        "i l " * 2_500,
        " ".join("|" * (99 + n) for n in range(62)),
        " ".join("с*а*аа," * (14 + n % 8) + "а" * n for n in range(60)),
        "shut up " * 1_250,
        MASKED,
    ],
)  # fmt: skip
def test_hostile_text_is_read_in_bounded_steps(body: str) -> None:
    began = process_time()
    found(BOTH, body)
    assert process_time() - began < 1


@given(st.text(alphabet=st.sampled_from("дуракdurak04*.|/\\(){} -_@$і​é́🤡"), max_size=60))
def test_matches_lie_within_the_text(text: str) -> None:
    reading = read(text)
    for match in BOTH.find(reading):
        start, end = reading.span(match.start, match.end)
        assert 0 <= start < end <= len(text)
