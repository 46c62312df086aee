from __future__ import annotations

import pytest

from services.core.errors import BadRuleset
from services.core.rules import Facts, judge
from services.core.rules.listed import Listed, Source
from services.core.rules.respelling import heard
from tests.unit.rules.build import a_ruleset, a_submission

RULES = a_ruleset(
    "id: listed\nthen: hold\nwhen: {lists: [words/ru.txt], words: [casino]}",
    ru="дурак\nидиот*\nпошёл вон  # фраза\n",
)


def spans(body: str) -> list[str]:
    verdict = judge(a_submission(body), Facts(), RULES)
    return [body[start:end] for finding in verdict.findings for start, end in finding.spans]


@pytest.mark.parametrize(
    ("body", "written"),
    [
        ("Ну ты и дурак!", "дурак"),
        ("ДУРАК", "дурак"),
        ("@дурак", "дурак"),
        ("дуpaк с латинскими буквами", "дуpaк"),
        ("дур\u200bак", "дур\u200bак"),
        ("дур@к", "дур@к"),
        ("cas1no", "cas1no"),
        ("саsіno", "саsіno"),
        ("какие идиотские новости", "идиотские"),
        ("Пошел, вон!", "Пошел, вон"),
        ("🙂🙂 ду\u0301рак 🙂", "ду\u0301рак"),
        ("с дураками спорить", "дураками"),
        ("casinos", "casinos"),
        ("шлите его, пошлите: пошлa вoн", "пошлa вoн"),
        ("½ ты д у р а к!", "д у р а к"),
        ("«д*рак»", "д*рак"),
    ],
)
def test_word_is_found_as_the_person_wrote_it(body: str, written: str) -> None:
    assert [found.casefold() for found in spans(body)] == [written.casefold()]


@pytest.mark.parametrize("body", ["дураковать", "придурак", "вон пошёл", "casinoro", "всё хорошо"])
def test_part_of_a_word_is_not_the_word(body: str) -> None:
    assert spans(body) == []


def test_finding_tells_entry_list_and_disguise() -> None:
    verdict = judge(a_submission("дураки и c@s1n0"), Facts(), RULES)
    assert verdict.findings[0].detail == {
        "words": [
            {"entry": "дурак", "how": ["inflected"], "list": "words/ru.txt"},
            {"entry": "casino", "how": ["leet"]},
        ],
    }


def test_a_word_in_a_rule_keeps_what_begins_a_comment_in_a_file() -> None:
    rules = a_ruleset("id: tagged\nthen: hold\nwhen: {words: ['#тег', 'раз #два']}")
    for body, entries in (("пиши #тег", ["#тег"]), ("раз", []), ("раз #два", ["раз #два"])):
        verdict = judge(a_submission(body), Facts(), rules)
        words = [word for found in verdict.findings for word in found.detail["words"]]
        assert [word["entry"] for word in words] == entries


def test_which_of_two_forms_that_sound_alike_is_named_hangs_on_no_order() -> None:
    forms = ["=болван", "=боллван", "=балвон"]
    one, other = (Listed([Source("a", lines)]) for lines in (forms, forms[::-1]))
    assert one.heard == other.heard == {heard("болван"): "боллван"}


def test_exact_entry_has_no_other_forms() -> None:
    rules = a_ruleset("id: exact\nthen: hold\nwhen: {words: ['=дура', '=get lost']}")
    assert judge(a_submission("дуру, got lost"), Facts(), rules).action == "publish"
    assert judge(a_submission("дуpа"), Facts(), rules).action == "hold"
    assert judge(a_submission("get lost!"), Facts(), rules).action == "hold"


def test_pattern_runs_on_the_folded_text_and_its_span_is_in_the_original() -> None:
    rules = a_ruleset("id: phones\nthen: hold\nwhen: {patterns: ['ёлка \\d+']}")
    body = "½ ЁЛКА 15"
    verdict = judge(a_submission(body), Facts(), rules)
    start, end = verdict.findings[0].spans[0]
    assert body[start:end] == "ЁЛКА 15"


def test_hostile_pattern_is_harmless() -> None:
    rules = a_ruleset("id: hostile\nthen: hold\nwhen: {patterns: ['(a+)+$']}")
    verdict = judge(a_submission("a" * 9_000 + "!"), Facts(), rules)
    assert verdict.action == "publish"


def test_pattern_that_is_not_re2_names_file_and_line() -> None:
    with pytest.raises(BadRuleset, match=r"test\.yml:3:19: .* is not RE2"):
        a_ruleset("id: bad\nthen: hold\nwhen: {patterns: ['(?=a)']}")


def test_missing_list_is_named_with_those_that_are_there() -> None:
    with pytest.raises(BadRuleset, match=r"words/de\.txt.*words/ru\.txt"):
        a_ruleset("id: bad\nthen: hold\nwhen: {lists: [words/de.txt]}", ru="а")
