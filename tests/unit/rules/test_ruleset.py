from __future__ import annotations

from pathlib import Path

import pytest

from services.core import settings
from services.core.errors import BadRuleset
from services.core.rules import Facts, judge, load
from services.core.rules.trial import trials
from tests.unit.rules.build import a_submission

GOOD = """\
id: long_text
title: {ru: Длинный, en: Long}
reason: {ru: Длинный, en: no}
scope: {event: [submitted]}
when:
  all:
    - text.length > 10
    - count(author, 10m) > 5
then: hold
---
- id: listed
  title: {ru: а, en: a}
  reason: {ru: а, en: a}
  when:
    lists: [words/a.txt]
    patterns: ['a+b']
  then: {action: reject, labels: [spam]}
  tests:
    must_match: [{text: слон ab, facts: {author.published: 0}}]
"""
LISTS = {"words/a.txt": "слон  # зверь\n"}
SHIPPED = Path(__file__).parents[3] / "deploy" / "rules"


def test_shipped_ruleset_loads_and_every_rule_passes_its_tests() -> None:
    ruleset = load(settings.rules_texts(SHIPPED))
    assert [trial for trial in trials(ruleset) if not trial.passed] == []
    verdict = judge(a_submission("Ну ты и идиот"), Facts(), ruleset)
    assert verdict.action == "hold"
    assert verdict.ruleset == ruleset.hash


@pytest.mark.parametrize(("length", "found"), [(5_000, False), (5_001, True)])
def test_shipped_rule_notes_a_very_long_comment(length: int, found: bool) -> None:
    ruleset = load(settings.rules_texts(SHIPPED))
    verdict = judge(a_submission("слово " * 833 + "да" + "!" * (length - 5_000)), Facts(), ruleset)
    assert ("very_long" in {finding.rule for finding in verdict.findings}) is found


def test_files_of_documents_and_of_lists_load() -> None:
    ruleset = load({"a.yml": GOOD, **LISTS})
    assert [rule.id for rule in ruleset.rules] == ["long_text", "listed"]
    assert ruleset.rules[0].reason.en == "no"
    assert [trial.passed for trial in trials(ruleset)] == [True]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("then: hold", "than: hold", "9:1: 'than' is not known here; did you mean 'then'?"),
        ("{event: [submitted]}", "{events: [submitted]}",
         "4:9: 'events' is not known here; did you mean 'event'?"),
        ("lists: [words", "list: [words", "15:5: 'list' is not known here; did you mean 'lists'?"),
        ("text.length > 10", "text.lenght > 10",
         "7:7: there is no feature 'text.lenght'; did you mean 'text.length'?"),
        ("text.length > 10", "text.length > ten",
         "7:7: text.length is a number: compare it with one, not with 'ten'"),
        ("text.length > 10", "text.language > 10",
         "7:7: text.language is a text: compare it by ==, != or in, not >"),
        ("text.length > 10", "text is long",
         "7:7: 'text is long' is no comparison; write one such as `author.published < 3` or "
         "`count(author, 10m) > 5`"),
        ("count(author, 10m)", "count(authors, 10m)",
         "8:7: there is no feature 'count(authors)'; did you mean 'count(author)'?"),
        ("count(author, 10m)", "count(author, 10 min)",
         "8:7: count(author, …) takes a window such as 10m, 2h or 1d, not '10 min'"),
        ("count(author, 10m)", "count(author, 90d)", "8:7: the window 90d is longer than 7d"),
        ("count(author, 10m) > 5", "score(toxicity) > 0.5",
         "5:1: `score(toxicity) > 0.5` may be unknown: state `on_missing` as match, skip or hold"),
        ("then: hold", "then: ban",
         "9:7: then cannot be 'ban'; known: note, publish, hold, reject"),
        ("then: hold", "then: {action: rejct}",
         "9:16: then.action cannot be 'rejct'; did you mean 'reject'?"),
        ("event: [submitted]", "event: [edited, submited]",
         "4:25: scope.event.1 cannot be 'submited'; did you mean 'submitted'?"),
        ("text.length > 10", "text.upper > 70",
         "7:7: text.upper runs from 0 to 1, or to 100 %: 70 is never reached"),
        ("text.length > 10", "text.length > " + 400 * "9",
         "7:7: text.length is a number: compare it with one, not with '999"),
        ("count(author, 10m) > 5", "count(author, 1d) > 500",
         "5:1: `count(author, 1d) > 500`: counts over windows end at 500, compare with less"),
        ("count(author, 10m) > 5", "near(site, 1d) > 125",
         "5:1: `near(site, 1d) > 125`: counts over windows end at 125, compare with less"),
        ("then: hold", "priority: " + 5_000 * "9" + "\nthen: hold",
         "9:11: priority must be a whole number, not a text"),
        ("count(author, 10m) > 5", 50 * "{all: [" + "text.length > 1" + 50 * "]}",
         "8:139: mappings and lists nest 40 deep at most"),
        ("then: hold", "then: hold\nthen: reject", "10:1: the key 'then' stands here twice"),
        ("id: long_text", "id: Long-Text",
         "1:5: id must be small Latin letters, digits and _, 64 at most, a letter first"),
        ("id: long_text", "id: policy", "1:5: the id 'policy' is taken"),
        ("id: listed", "id: long_text", "11:7: the id 'long_text' is taken"),
        ("title: {ru: Длинный, en: Long}\n", "",
         "1:1: `title` is missing"),
        ("ru: Длинный, en: Long", "ru: Длинный, en: 7",
         "2:26: title.en must be a text, not a whole number"),
        ("scope: {event: [submitted]}", "scope: {site: gazette}",
         "4:15: scope.site must be a list, such as [a, b], not a text"),
        ("scope: {event: [submitted]}", "scope: [submitted]",
         "4:1: scope must be a mapping, such as {key: value}, not a list"),
        ("then: hold", "then: {action: hold, limit: 10 minutes}",
         "9:29: then.limit must be a time such as 30s, 10m, 2h or 1d"),
        ("then: hold", "priority: 2000\nthen: hold", "9:11: priority must be 1000 at most"),
        ("ru: Длинный, en: Long", "ru: Длинный, en: ''",
         "2:26: title.en must have 1 character at least"),
        ("words/a.txt", "words/b.txt",
         "15:5: there is no list 'words/b.txt'; did you mean 'words/a.txt'?"),
        ("'a+b'", "'(?=a)'", "16:16: pattern '(?=a)' is not RE2: invalid perl operator: (?="),
        ("then: hold", "then: &a hold", "9:7: anchors and aliases, and tags, are not used here"),
        ("then: hold", "then: !!str hold", "9:7: anchors and aliases, and tags, are not used here"),
        ("  all:", "  every:", "6:3: 'every' is not known here"),
        ("lists: [words/a.txt]", "finds: [fone]",
         "15:13: there is no detector 'fone'; did you mean 'phone'?"),
        ("  when:\n    lists: [words/a.txt]\n    patterns: ['a+b']", "  when: {all: []}",
         "14:10: `all` is empty"),
        ("then: hold", "expires: 2026-02-31\nthen: hold", "9:10: there is no day 2026-02-31"),
        ("lists: [words/a.txt]", "words: []", "15:5: `words` is empty"),
        ("lists: [words/a.txt]", "words: [слон, '<b>']", "15:19: '<b>' has no word in it"),
        ("lists: [words/a.txt]", "words: [' ']", "15:13: ' ' has no word in it"),
        ("lists: [words/a.txt]", "domains: []", "15:5: `domains` is empty"),
        ("lists: [words/a.txt]", "domains: [spam.example, 'http://']",
         "15:29: 'http://' names no domain; write one such as spam.example"),
        ("lists: [words/a.txt]", "links: {except: ['*.wikipedia.org']}",
         "15:5: '*.wikipedia.org' names no domain; write one such as spam.example"),
        ("text.length > 10", "score > 0.9",
         "7:7: score takes a classifier's name, such as score(toxicity)"),
        ("text.length > 10", "text.language in ru, eng",
         "7:7: text.language is never 'eng'; known: ru, uk, be, kk, en"),
        ("then: hold", 'then: hold\nowner: "a\\0b"', "10:8: NUL is no character of a text"),
        ("then: hold", "then: hold\nowner: a\0b", "10:9: the character U+0000 is not allowed"),
        ("author.published: 0", "author.charm: 0",
         "19:42: there is no feature 'author.charm'; did you mean"),
        ("author.published: 0", "author.published: few",
         "19:42: author.published is a number, or null where it is unknown, not 'few'"),
    ],
)  # fmt: skip
def test_mistake_names_file_line_column_and_the_nearest_name(
    old: str, new: str, message: str
) -> None:
    assert old in GOOD
    with pytest.raises(BadRuleset) as raised:
        load({"a.yml": GOOD.replace(old, new, 1), **LISTS})
    assert str(raised.value).startswith(f"a.yml:{message}")


def test_list_without_a_word_in_a_line_is_refused() -> None:
    with pytest.raises(BadRuleset, match=r"words/a\.txt:2: '!!' has no word in it"):
        load({"a.yml": GOOD, "words/a.txt": "слон\n!!\n"})


@pytest.mark.parametrize(
    ("entry", "why"),
    [("a\0b", "NUL is no character of a text"),
     ("a" * 201, "an entry has 200 characters at most"),
     ("<b>", "'<b>' has no word in it"),
     ("&nbsp;", "'&nbsp;' has no word in it"),
     ("&amp;", "'&amp;' has no word in it"),
     ("\u3164", "'\u3164' has no word in it")],
)  # fmt: skip
def test_entry_of_a_list_that_cannot_be_is_refused(entry: str, why: str) -> None:
    with pytest.raises(BadRuleset) as raised:
        load({"a.yml": GOOD, "words/a.txt": f"слон\n{entry}\n"})
    assert str(raised.value) == f"a.yml:15:5: words/a.txt:2: {why}"


def test_line_of_a_list_that_names_no_domain_is_refused() -> None:
    text = GOOD.replace("lists: [words/a.txt]", "domain_lists: [lists/a.txt]")
    with pytest.raises(BadRuleset, match=r"lists/a\.txt:2: 'http://' names no domain"):
        load({"a.yml": text, "lists/a.txt": "spam.example # known\nhttp://\n"})


def test_file_of_rules_that_nobody_can_load_in_time_is_refused() -> None:
    with pytest.raises(BadRuleset, match=r"^a\.yml:1:1: a file of rules has 1,000,000 charac"):
        load({"a.yml": GOOD + "#" * 1_000_000, **LISTS})


def test_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(GOOD.encode("cp1251"))
    with pytest.raises(BadRuleset, match=r"a\.yml:2:1: this is not UTF-8"):
        settings.rules_texts(tmp_path)


def test_byte_order_mark_is_no_part_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.txt").write_text("# звери\nслон\n", "utf-8-sig")
    (tmp_path / "a.yml").write_text(GOOD, "utf-8-sig")
    assert load(settings.rules_texts(tmp_path)).hash == load(
        {"a.yml": GOOD, "words/a.txt": "# звери\nслон\n"}
    ).hash  # fmt: skip


def test_hash_names_the_content_not_the_spelling_or_the_order() -> None:
    spelled = GOOD.replace("then: hold", "then:   hold   # wait")
    one = load({"a.yml": GOOD, **LISTS})
    assert one.hash == load({"b.yml": spelled, **LISTS}).hash
    first, second = GOOD.split("---\n")
    assert one.hash == load({"a.yml": second, "b.yml": first, **LISTS}).hash
    assert one.hash != load({"a.yml": GOOD.replace("> 10", "> 11"), **LISTS}).hash
    assert len(one.hash) == 64


def test_every_sign_of_a_list_counts_in_the_hash_and_no_test_does() -> None:
    one = load({"a.yml": GOOD, **LISTS})
    commented = {name: f"# why\n{text}" for name, text in LISTS.items()}
    assert one.hash != load({"a.yml": GOOD, **commented}).hash
    tested = GOOD.replace("text: слон ab", "text: слон aab")
    assert one.hash == load({"a.yml": tested, **LISTS}).hash
