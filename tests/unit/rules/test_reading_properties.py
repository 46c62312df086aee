from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.core.rules import Facts, judge, read
from tests.unit.rules.build import a_ruleset, a_submission

TRICKY = st.text(
    alphabet=st.one_of(
        st.sampled_from("абвёЁйЙabc ABC.,!@$_\n\u200b\u00ad\u0306\u0301\ufe0fﬁ½№Åß🙂İ"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)
RULES = a_ruleset("id: listed\nthen: hold\nwhen: {words: ['дурак', 'идиот*']}")


@given(TRICKY)
def test_origins_are_in_order_and_within_the_text(text: str) -> None:
    reading = read(text)
    if not reading.odd:
        assert len(reading.folded) == len(text)
    spans = [reading.span(at, at + 1) for at in range(len(reading.folded))]
    following = [*spans[1:], (len(text), 0)] if spans else []
    for (start, end), (later, _) in zip(spans, following, strict=True):
        assert 0 <= start < end <= len(text)
        assert start <= later


@given(TRICKY)
def test_fast_path_folds_as_the_long_way(text: str) -> None:
    marked = read(text + " ½")
    assert marked.folded.removesuffix(" 1⁄2") == read(text).folded


@given(TRICKY)
def test_what_is_said_are_the_words(text: str) -> None:
    assert read(text).said == " ".join(word.text for word in read(text).words)


@given(TRICKY, TRICKY)
def test_a_listed_word_is_found_wherever_it_stands(before: str, after: str) -> None:
    body = f"{before} дурак {after}"
    verdict = judge(a_submission(body), Facts(), RULES)
    assert (len(before) + 1, len(before) + 6) in [
        tuple(span) for finding in verdict.findings for span in finding.spans
    ]


@given(TRICKY)
def test_judging_is_pure(text: str) -> None:
    assert judge(a_submission(text), Facts(), RULES) == judge(a_submission(text), Facts(), RULES)
