from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.core import codec
from services.core.rules import Facts, History, Windows, judge
from services.core.rules.detect import DETECTORS, luhn
from services.core.rules.facts import Use
from services.core.rules.features import language
from services.core.rules.links import links_of
from services.core.rules.patterns import Patterns
from services.core.rules.reading import read
from tests.unit.rules.build import NOON, a_ruleset, a_submission


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("см. https://Example.com/a?b=1, ещё", ["example.com"]),
        ("http://user@www.site.org:80/x.", ["site.org"]),
        ("пиши на пример.рф или www.xn--e1afmkfd.xn--p1ai", ["пример.рф", "пример.рф"]),
        ("exam\u200bple.com", ["example.com"]),
        ("http://xn--ib9b.bit.ly/x", ["xn--ib9b.bit.ly"]),
        (f"http://xn--{'a' * 60}.com", [f"xn--{'a' * 60}.com"]),
        ("конец.Начало 3.14 т.е. ничего", []),
        ("a.company", []),
    ],
)  # fmt: skip
def test_links_are_found_by_host(text: str, hosts: list[str]) -> None:
    assert [host for host, _ in links_of(read(text))] == hosts


def test_many_links_are_held_and_excepted_domains_are_not_counted() -> None:
    rules = a_ruleset(
        "id: many\nthen: hold\nwhen: {links: {more_than: 1, except: [wikipedia.org]}}"
    )
    two = "https://a.com https://b.com https://ru.wikipedia.org/wiki/X"
    verdict = judge(a_submission(two), Facts(), rules)
    assert verdict.action == "hold"
    assert verdict.findings[0].detail == {"count": 2, "more_than": 1}
    one = "https://a.com https://ru.wikipedia.org/wiki/X"
    assert judge(a_submission(one), Facts(), rules).action == "publish"


def test_subdomain_of_a_denied_domain_is_rejected() -> None:
    rules = a_ruleset("id: bad\nthen: reject\nwhen: {domains: [spam.example]}")
    body = "вот https://www.best.spam.example/x"
    verdict = judge(a_submission(body), Facts(), rules)
    assert verdict.action == "reject"
    start, end = verdict.findings[0].spans[0]
    assert body[start:end] == "https://www.best.spam.example/x"
    assert judge(a_submission("https://notspam.example"), Facts(), rules).action == "publish"


SHORTENED = a_ruleset("id: short\nthen: hold\nwhen: {domains: [bit.ly]}")


@given(st.from_regex("[a-z0-9-]{1,12}", fullmatch=True))
@example("ib9b")
def test_a_verdict_on_a_host_in_punycode_can_be_stored(label: str) -> None:
    verdict = judge(a_submission(f"http://xn--{label}.bit.ly/x"), Facts(), SHORTENED)
    assert verdict.action == "hold"
    codec.encode(verdict)


def uses(
    count: int, *, author: str = "anna", apart: timedelta = timedelta(seconds=10)
) -> list[Use]:
    return [
        Use(NOON - apart * (count - n), "portal/d0", f"old{n}", author) for n in range(count)
    ]  # fmt: skip


def gathered(windows: Windows, recent: list[Use], copies: list[Use], body: str = "x") -> Facts:
    history = History(windows)
    submission = a_submission(body)
    history.found_recent(("portal", "anna"), recent)
    text = submission.reading.body_hash
    history.found_own_copies(("portal", "anna"), text, [u for u in copies if u.author == "anna"])
    history.found_site_copies(("portal", text), copies)
    return history.facts(submission, "publish_first")


def test_sixth_comment_within_the_window_is_a_flood() -> None:
    rules = a_ruleset(
        "id: flood\nthen: hold\nscope: {event: [submitted]}\nwhen: count(author, 1m) > 5"
    )
    few = gathered(rules.windows, uses(4), [])
    assert judge(a_submission("x"), few, rules).action == "publish"
    many = gathered(rules.windows, uses(5), [])
    verdict = judge(a_submission("x"), many, rules)
    assert verdict.findings[0].detail == {"count(author, 1m)": 6}
    assert judge(a_submission("x", revision=2), many, rules).action == "publish"
    slow = gathered(rules.windows, uses(5, apart=timedelta(seconds=15)), [])
    assert judge(a_submission("x"), slow, rules).action == "publish"


def test_text_repeated_by_its_author_and_by_several_authors() -> None:
    rules = a_ruleset(
        "id: own\nthen: hold\nwhen: copies(author, 10m) >= 2",
        "id: site\nthen: note\nwhen: authors(copies, 10m) >= 3",
    )
    own = judge(a_submission("x"), gathered(rules.windows, [], uses(2)), rules)
    assert [f.rule for f in own.findings] == ["own"]
    several = [*uses(1, author="boris"), *uses(1, author="clara")]
    site = judge(a_submission("x"), gathered(rules.windows, [], several), rules)
    assert [(f.rule, f.detail) for f in site.findings] == [
        ("site", {"authors(copies, 10m)": 3})
    ]  # fmt: skip


def test_discussions_of_an_author_are_counted_apart() -> None:
    rules = a_ruleset(
        "id: wide\nthen: note\nwhen: discussions(author, 10m) >= 2",
        "id: here\nthen: note\nwhen: count(author_here, 10m) >= 2",
    )
    verdict = judge(a_submission("x"), gathered(rules.windows, uses(3), []), rules)
    assert [f.detail for f in verdict.findings] == [{"discussions(author, 10m)": 2}]


def test_age_is_since_the_first_comment_on_the_site() -> None:
    rules = a_ruleset("id: young\nthen: hold\nwhen: author.age_days < 2")
    history = History(rules.windows)
    first = history.facts(a_submission("x"), "publish_first")
    assert first.values["author.age_days"] == 0
    history.found_first(("portal", "anna"), NOON - timedelta(days=3))
    later = history.facts(a_submission("x"), "publish_first")
    assert later.values["author.age_days"] == 3
    assert judge(a_submission("x"), first, rules).action == "hold"
    assert judge(a_submission("x"), later, rules).action == "publish"


def test_recorded_facts_give_the_same_verdict_again() -> None:
    rules = a_ruleset("id: flood\nthen: hold\nwhen: count(author, 1m) > 2")
    facts = gathered(rules.windows, uses(3), [])
    again = Facts(facts.seen(), facts.policy)
    assert judge(a_submission("x"), again, rules) == judge(a_submission("x"), facts, rules)


def test_texts_that_read_the_same_have_one_hash() -> None:
    assert read("Купите  СЛОНА!").body_hash == read("купите сло\u200bна").body_hash
    assert read("купите слона").body_hash != read("слона купите").body_hash
    assert read("👍").body_hash != read("👎").body_hash


@pytest.mark.parametrize(
    ("when", "found", "not_found"),
    [
        ("{all: [text.upper >= 70%, text.letters >= 10]}", "ПОЧЕМУ ТАК ДОРОГО?!", "США и НАТО"),
        ("text.length > 5", "abcdef", "  abcde  "),
        ("text.digits > 0.5", "12345 а", "в 12 часов"),
        ("text.longest_run >= 5", "ааааа", "аа аа аа"),
        ("text.mixed_words > 0", "дуpaк", "C-300 и iPhone'ом"),
        ("text.invisible > 0", "сло\u200bво", "слово"),
        ("text.language == uk", "Це дуже гарна стаття, її читають", "Это хорошая статья"),
        ("text.language in en, kk", "A fine story", "Хорошая история"),
        ("{not: text.words > 1}", "раз", "раз два"),
        ("{none: [text.words > 1, text.links > 0]}", "раз", "www.a.com"),
    ],
)
def test_comparison_holds_and_does_not(when: str, found: str, not_found: str) -> None:
    rules = a_ruleset(f"id: shape\nthen: hold\nwhen: {when}")
    assert judge(a_submission(found), Facts(), rules).action == "hold"
    assert judge(a_submission(not_found), Facts(), rules).action == "publish"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Привет, мир", "ru"), ("Қазақстан жаңалықтары", "kk"), ("Hello", "en"), ("👍 12", "")],
)
def test_language_is_told_by_letters(text: str, expected: str) -> None:
    assert language(a_submission(text)) == expected


@pytest.mark.parametrize(
    ("detector", "found", "not_found"),
    [
        ("phone", "звоните +7 912 345-67-89", "в 2026 году 345 раз"),
        ("card", "карта 4111-1111-1111-1111", "номер 4111 1111 1111 1112"),
        ("email", "почта ivan@mail.example", "@ivan и 2@3"),
        ("handle", "пишите @ivan_petrov", "ivan@mail.example"),
        ("link", "www.a.com", "а.б"),
    ],
)
def test_detector_finds_its_shape(detector: str, found: str, not_found: str) -> None:
    (start, end), *_ = DETECTORS[detector](read(found))
    assert found[start:end].strip()
    assert DETECTORS[detector](read(not_found)) == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("СКИДКА", "скидка"), ("Ещё", "ещё"), ("[А-ЯЁ]{4}", "ЁЛКИ"), (r"\bSale\b", "SALE")],
)
def test_pattern_is_read_as_the_folded_text_is(pattern: str, text: str) -> None:
    assert Patterns([(pattern, 1)]).find(read(text).folded) == {1}
    assert Patterns([(pattern, 1)]).spans(1, read(text)) == [(0, len(text))]


def test_check_digit_of_a_card() -> None:
    assert luhn([int(c) for c in "79927398713"])
    assert not luhn([int(c) for c in "79927398710"])
    assert not luhn([0] * 16)
