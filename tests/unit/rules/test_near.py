"""Nearly equal texts: what is alike, and that counting does not depend on order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import mean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.events import DiscussionKey
from services.core.rules import History, Submission, load, read
from services.core.rules.near import BITS, LONGEST, SHINGLE, alike, signature, signatures
from services.core.rules.timeline import Timeline

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFFER = "Зарабатывайте от ста тысяч в месяц не выходя из дома, подробности у нашего оператора"
RULES = """
- {id: own, when: "near(author, 1h) >= 3", then: note, TEXTS}
- {id: wave, when: "near(site, 1h) >= 3", then: hold, TEXTS}
- {id: many, when: "authors(near, 1h) >= 3", then: note, TEXTS}
""".replace("TEXTS", "title: {ru: а, en: a}, reason: {ru: а, en: a}")
WINDOWS = load({"near.yml": RULES}).windows


def said(text: str, n: int, *, by: str = "anna", at: datetime = NOON) -> Submission:
    return Submission(DiscussionKey("portal/d"), f"c{n}", 1, "portal", by, at, read(text))


def near(one: str, other: str) -> bool:
    a, b = signature(read(one)), signature(read(other))
    return bool(set(a.bands) & set(b.bands)) and alike(a.bits, b.bits)


@pytest.mark.parametrize(
    "other",
    [
        OFFER.upper() + "!!!",
        OFFER.replace("ста", "двухсот"),
        "Друзья! " + OFFER,
        OFFER + " 481516",
        OFFER.replace("оператора", "менеджера"),
    ],
)
def test_a_text_with_a_word_changed_or_added_is_nearly_equal(other: str) -> None:
    assert near(OFFER, other)


@pytest.mark.parametrize(
    "other",
    [
        "Зарабатывать честно трудно, подробности в статье",
        "Дом стоит сто тысяч в месяц, и оператор связи не выходит на связь с нашим домом",
        "",
    ],
)
def test_other_texts_are_not(other: str) -> None:
    assert not near(OFFER, other)


def test_short_texts_are_like_equal_ones_only() -> None:
    assert near("Спасибо за статью!", "спасибо, за статью")
    assert not near("Спасибо за статью!", "Спасибо за статьи!")


def estimate(one: str, other: str) -> float:
    bits = signature(read(one)).bits ^ signature(read(other)).bits
    return 1 - 2 * bits.bit_count() / BITS


def shared(one: str, other: str) -> float:
    a, b = (
        {said[n : n + SHINGLE] for n in range(len(said) - SHINGLE + 1)}
        for said in (read(one).said, read(other).said)
    )
    return len(a & b) / len(a | b)


def chosen(chance: Random, count: int) -> list[str]:
    return ["".join(chance.choices("абвгдежзиклмнопрсту", k=6)) for _ in range(count)]


def changed(chance: Random, words: Sequence[str], count: int) -> str:
    places = chance.sample(range(len(words)), count)
    other = dict(zip(places, chosen(chance, count), strict=True))
    return " ".join(other.get(n, word) for n, word in enumerate(words))


@pytest.mark.parametrize("length", [6, 12, 30, 250])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 1.0])
def test_the_estimate_is_as_exact_as_the_document_says(length: int, share: float) -> None:
    chance = Random(1)
    errors = []
    for _ in range(300):
        words = chosen(chance, length)
        other = changed(chance, words, round(length * share))
        errors.append(estimate(" ".join(words), other) - shared(" ".join(words), other))
    assert abs(mean(errors)) <= 0.015
    assert pstdev(errors) <= 0.1


@pytest.mark.parametrize(("length", "found"), [(8, 0.85), (12, 0.95), (30, 0.98)])
def test_texts_with_one_other_word_are_found(length: int, found: float) -> None:
    chance = Random(2)
    texts = [chosen(chance, length) for _ in range(300)]
    assert mean(near(" ".join(words), changed(chance, words, 1)) for words in texts) >= found


def test_texts_of_one_letter_are_alike_only_where_it_is_the_same() -> None:
    assert near("а" * 50, "а" * LONGEST)
    assert not near("а" * 50, "б" * 50)


@given(st.text(max_size=300))
def test_texts_that_read_the_same_have_one_signature(text: str) -> None:
    again = read(text + " ")
    assert again.body_hash == read(text).body_hash
    assert signature(again) == signature(read(text))


@given(st.lists(st.text(max_size=60), max_size=8))
def test_texts_signed_together_have_the_signatures_of_each(texts: list[str]) -> None:
    readings = [read(text) for text in texts]
    assert signatures(readings) == [signature(reading) for reading in readings]


def test_others_and_own_are_counted_apart_within_the_window() -> None:
    history = History(WINDOWS)
    for n in range(4):
        by = "anna" if n < 2 else f"reader{n}"
        history.written(said(f"{OFFER} {n}{n}{n}", n, by=by, at=NOON + timedelta(minutes=n)))
    history.written(said("Совсем другой комментарий о погоде в нашем городе", 5))
    asked = said(f"{OFFER} 777", 9, at=NOON + timedelta(minutes=10))
    values = history.facts(asked, "publish_first").values
    assert values["near(author, 1h)"] == 2
    assert values["near(site, 1h)"] == 4
    assert values["authors(near, 1h)"] == 3
    late = said(f"{OFFER} 777", 9, at=NOON + timedelta(minutes=62))
    assert history.facts(late, "publish_first").values["near(site, 1h)"] == 1


def test_an_edit_is_not_near_itself() -> None:
    history = History(WINDOWS)
    history.written(said(OFFER, 1))
    assert history.facts(said(OFFER + " да", 1), "publish_first").values["near(site, 1h)"] == 0


def test_a_timeline_forgets_what_no_window_reaches() -> None:
    timeline = Timeline(WINDOWS)
    for n in range(3_000):
        timeline.written(said(f"{OFFER} {n}", n, at=NOON + timedelta(minutes=n)), "published")
    assert sum(map(len, timeline._history._near.values())) < 4 * 2_000
    asked = said(OFFER, 5_000, at=NOON + timedelta(minutes=3_000))
    counted = timeline.facts(asked).values["near(site, 1h)"]
    assert counted == 10  # cut above what rules ask


def test_a_wave_of_others_hides_an_author_s_own_and_is_counted_itself() -> None:
    """As docs/rules.md says."""
    history = History(WINDOWS)
    for n in range(3):
        history.written(said(OFFER, n))
    for n in range(40):
        history.written(said(OFFER, 10 + n, by=f"r{n}", at=NOON + timedelta(minutes=1)))
    asked = said(OFFER, 99, at=NOON + timedelta(minutes=2))
    values = history.facts(asked, "publish_first").values
    assert values["near(author, 1h)"] == 0
    assert values["near(site, 1h)"] == WINDOWS.near_most > 3
