from __future__ import annotations

from datetime import timedelta

import pytest

from services.core.errors import BadRuleset
from services.core.rules import Facts, judge
from services.core.rules.facts import Use
from services.core.rules.links import links_of
from services.core.rules.reading import read
from tests.unit.rules.build import NOON, a_ruleset, a_submission


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("см. https://Example.com/a?b=1, ещё", ["example.com"]),
        ("http://user@www.site.org:80/x.", ["site.org"]),
        ("пиши на пример.рф или www.xn--e1afmkfd.xn--p1ai", ["пример.рф", "пример.рф"]),
        ("exam\u200bple.com", ["example.com"]),
        ("конец.Начало 3.14 т.е. ничего", []),
        ("a.company", []),
    ],
)  # fmt: skip
def test_links_are_found_by_host(text: str, hosts: list[str]) -> None:
    assert [host for host, _ in links_of(read(text))] == hosts


def test_many_links_are_held_and_allowed_domains_are_not_counted() -> None:
    rules = a_ruleset(
        "id: many\nfamily: links\naction: hold\nmore_than: 1\nallowed_domains: [wikipedia.org]"
    )
    two = "https://a.com https://b.com https://ru.wikipedia.org/wiki/X"
    verdict = judge(a_submission(two), Facts(), rules)
    assert verdict.action == "hold"
    assert verdict.findings[0].detail == {"count": 2, "more_than": 1}
    one = "https://a.com https://ru.wikipedia.org/wiki/X"
    assert judge(a_submission(one), Facts(), rules).action == "publish"


def test_subdomain_of_a_denied_domain_is_rejected() -> None:
    rules = a_ruleset("id: bad\nfamily: links\naction: reject\ndenied_domains: [spam.example]")
    body = "вот https://www.best.spam.example/x"
    verdict = judge(a_submission(body), Facts(), rules)
    assert verdict.action == "reject"
    start, end = verdict.findings[0].spans[0]
    assert body[start:end] == "https://www.best.spam.example/x"
    assert judge(a_submission("https://notspam.example"), Facts(), rules).action == "publish"


def uses(
    count: int, *, author: str = "anna", apart: timedelta = timedelta(seconds=10)
) -> tuple[Use, ...]:
    return tuple(
        Use(NOON - apart * (count - n), "portal/d0", f"old{n}", author) for n in range(count)
    )


def test_sixth_comment_within_the_window_is_a_flood() -> None:
    rules = a_ruleset("id: flood\nfamily: floods\naction: hold\nmore_than: 5\nwithin_minutes: 1")
    assert judge(a_submission("x"), Facts(recent=uses(4)), rules).action == "publish"
    verdict = judge(a_submission("x"), Facts(recent=uses(5)), rules)
    assert verdict.findings[0].detail == {"count": 6, "more_than": 5}
    slow = Facts(recent=uses(5, apart=timedelta(seconds=15)))
    assert judge(a_submission("x"), slow, rules).action == "publish"


def test_edit_is_no_flood() -> None:
    rules = a_ruleset("id: flood\nfamily: floods\naction: hold\nmore_than: 1\nwithin_minutes: 1")
    assert judge(a_submission("x", revision=2), Facts(recent=uses(1)), rules).action == "publish"


def test_text_repeated_by_its_author_and_across_authors() -> None:
    own = a_ruleset(
        "id: own\nfamily: repeats\naction: hold\nscope: author\nat_least: 2\nwithin_minutes: 10"
    )
    site = a_ruleset(
        "id: site\nfamily: repeats\naction: reject\nscope: site\nat_least: 2\nwithin_minutes: 10"
    )
    facts = Facts(own_copies=uses(2), site_copies=uses(1, author="boris"))
    assert judge(a_submission("купите слона"), facts, own).action == "hold"
    assert judge(a_submission("купите слона"), facts, site).action == "publish"
    facts = Facts(site_copies=uses(2, author="boris"))
    verdict = judge(a_submission("купите слона"), facts, site)
    assert verdict.findings[0].detail == {"count": 2, "at_least": 2, "authors": 2}


def test_texts_that_read_the_same_have_one_hash() -> None:
    assert read("Купите  СЛОНА!").body_hash == read("купите сло\u200bна").body_hash
    assert read("купите слона").body_hash != read("слона купите").body_hash
    assert read("👍").body_hash != read("👎").body_hash


def test_shouting_counts_letters_that_have_a_case() -> None:
    rules = a_ruleset("id: loud\nfamily: shouting\naction: hold\nshare: 0.7\nletters_at_least: 10")
    assert judge(a_submission("ПОЧЕМУ ТАК ДОРОГО?!"), Facts(), rules).action == "hold"
    assert judge(a_submission("США и НАТО"), Facts(), rules).action == "publish"
    assert judge(a_submission("Почему так дорого, ТАСС?"), Facts(), rules).action == "publish"


def test_new_author_is_held_until_enough_is_published() -> None:
    rules = a_ruleset("id: newcomer\nfamily: new_authors\naction: hold\nfewer_than: 2")
    assert judge(a_submission("x"), Facts(published=1), rules).action == "hold"
    assert judge(a_submission("x"), Facts(published=2), rules).action == "publish"


def test_length_counts_the_folded_text() -> None:
    rules = a_ruleset("id: size\nfamily: length\naction: hold\nlonger_than: 5\nshorter_than: 2")
    assert judge(a_submission("abcdef"), Facts(), rules).action == "hold"
    assert judge(a_submission("  abcde  "), Facts(), rules).action == "publish"
    assert judge(a_submission("a"), Facts(), rules).action == "hold"


@pytest.mark.parametrize("rule", ["family: links", "family: length"])
def test_rule_that_can_find_nothing_is_refused(rule: str) -> None:
    with pytest.raises(BadRuleset, match="state `"):
        a_ruleset(f"id: idle\naction: hold\n{rule}")


def test_policy_that_holds_first_adds_a_finding_and_reject_outweighs_it() -> None:
    rules = a_ruleset("id: short\nfamily: length\naction: reject\nshorter_than: 2")
    facts = Facts(policy="hold_first")
    verdict = judge(a_submission("ab"), facts, rules)
    assert (verdict.action, [f.rule for f in verdict.findings]) == ("hold", ["policy"])
    verdict = judge(a_submission("a"), facts, rules)
    assert (verdict.action, [f.rule for f in verdict.findings]) == ("reject", ["short", "policy"])


def test_note_changes_nothing() -> None:
    rules = a_ruleset("id: short\nfamily: length\naction: note\nshorter_than: 2")
    verdict = judge(a_submission("a"), Facts(), rules)
    assert (verdict.action, len(verdict.findings)) == ("publish", 1)
