from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.cli.rules import rules
from services.core.errors import BadRuleset, Misconfigured
from services.core.rules import format as format_module
from services.core.rules import load
from services.core.rules.format import formatted

RULES = """\
# Words.
id: listed   # the first
title: {ru: а, en: a}
reason: {ru: а, en: a}
then: reject
when: {words: [слон]}
tests: {must_match: [слон], must_not_match: [кит]}
---
id: flood
title: {ru: а, en: a}
reason: {ru: а, en: a}
when: count(author, 1m) > 2
then: hold
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yml").write_text(RULES)
    return tmp_path / "rules"


def run(*arguments: object, code: int = 0, text: str | None = None) -> str:
    result = CliRunner().invoke(rules, [str(one) for one in arguments], input=text)
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout


def comments(tmp_path: Path) -> Path:
    file = tmp_path / "comments.jsonl.gz"
    rows: list[dict[str, Any]] = [
        {"id": f"c{n}", "text": "слон" if n == 3 else "кит", "author": "anna",
         "at": f"2026-03-01T12:00:{9 - n:02}Z", "labels": {"spam": int(n in (1, 3))}}
        for n in range(4)
    ]  # fmt: skip
    lines = [json.dumps(row) for row in rows] + ["{not json"]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    return file


def test_check_tells_the_rules_and_a_mistake_ends_with_a_code(folder: Path) -> None:
    told = json.loads(run("check", folder, "--json"))
    assert told["ok"]
    assert told["rules"]["live"] == 2
    assert told["untested"] == ["flood"]
    (folder / "a.yml").write_text(RULES.replace("words:", "wrods:"))
    told = json.loads(run("check", folder, "--json", code=1))
    assert told["error"].startswith("a.yml:6:8: 'wrods' is not known here")


@pytest.mark.parametrize("text", ["just words\n", "id: a\n\twhen: x\n", "id: a\0b\n"])
def test_format_names_the_place_of_what_is_no_rule(folder: Path, text: str) -> None:
    (folder / "a.yml").write_text(text)
    result = CliRunner().invoke(rules, ["format", str(folder)])
    assert isinstance(result.exception, BadRuleset)
    assert str(result.exception).startswith("a.yml:")
    assert (folder / "a.yml").read_text() == text


def test_format_writes_a_whole_file_or_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "a.yml"
    before = file.read_text()
    file.chmod(0o640)
    (folder / "b.yml").write_text("id: [")
    assert isinstance(CliRunner().invoke(rules, ["format", str(folder)]).exception, BadRuleset)
    assert file.read_text() == before  # no file is written where one is none
    (folder / "b.yml").unlink()

    def full(self: Path, text: str, *rest: object) -> None:
        with self.open("w") as opened:
            opened.write(text[:9])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        result = CliRunner().invoke(rules, ["format", str(folder)])
    assert isinstance(result.exception, Misconfigured)
    assert file.read_text() == before
    run("format", folder)
    assert file.read_text() != before
    assert file.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in folder.iterdir() if one.name.startswith(".")] == []


def test_format_leaves_a_file_whose_comments_it_would_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format_module, "_taken", lambda comments, _: comments.clear() or [])
    with pytest.raises(BadRuleset, match="would be lost"):
        formatted("a.yml", RULES)


@pytest.mark.parametrize("spoilt", ["cut", "corrupt"])
def test_file_that_is_no_whole_gzip_is_named(folder: Path, tmp_path: Path, spoilt: str) -> None:
    file = comments(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[:-9] if spoilt == "cut" else whole[:12] + b"\xff" * 9 + whole[21:])
    for arguments in (["backtest", file, "--rules", folder], ["diff", folder, folder, file]):
        result = CliRunner().invoke(rules, [str(one) for one in arguments])
        assert isinstance(result.exception, Misconfigured)
        assert str(result.exception).startswith(f"{file} cannot be read: ")


def test_file_without_any_comment_ends_with_a_code(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text('{"id": 1}\n{not json\n')
    for arguments in (["backtest", file, "--rules", folder], ["diff", folder, folder, file]):
        result = CliRunner().invoke(rules, [str(one) for one in arguments])
        assert isinstance(result.exception, Misconfigured)
        assert str(result.exception).endswith(
            ": 2 of 2 lines are no comments, the first of them: `text` (or `body`) is missing"
        )
        assert result.stdout == ""


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", "many", ""])
def test_fact_that_is_no_number_is_refused(folder: Path, value: str) -> None:
    run("explain", folder, "--text", "кит", "--fact", f"author.published={value}", code=2)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('"at": "0001-01-01T00:00:00+05:00"', "`at` lies outside of 1970 to 2200"),
        ('"at": -62135596800', "`at` lies outside of 1970 to 2200"),
        ('"at": 1e300', "`at` is not a time in ISO 8601 or in seconds: 1e+300"),
        ('"at": "9999-12-31T23:59:59-12:00"', "`at` lies outside of 1970 to 2200"),
        ('"at": true', "`at` is not a time in ISO 8601 or in seconds: True"),
        ('"at": null, "created_at": "noon"', "`at` is not a time in ISO 8601 or in seconds"),
        ('"labels": {"spam": "0"}', "the label spam must be 0 or 1, not '0'"),
        ('"labels": {"spam": 2}', "the label spam must be 0 or 1, not 2"),
        ('"labels": {"spam": 0, "spam": 1}', "an object names the member 'spam' twice"),
        ('"text": "кит"', "an object names the member 'text' twice"),
        ('"site" : "a", "text" : "кит"', "an object names the member 'text' twice"),
        ('"more": [{"a": {"b": 1, "b": 2}}]', "an object names the member 'b' twice"),
        ('"author": "\\u0000"', "a NUL character cannot be stored at /author"),
        ('"author": "\\ud800"', "half of a surrogate pair is not a character at /author"),
        ('"site": 5', "Expected `str`, got `int` at /site"),
    ],
)
def test_line_that_cannot_be_trusted_is_no_comment(
    folder: Path, tmp_path: Path, line: str, why: str
) -> None:
    file = tmp_path / "odd.jsonl"
    good = ['{"id": 1, "text": "слон"}', '{"id": 2, "text": "кит", "labels": {"spam": true}}']
    file.write_text("\n".join([good[0], f'{{"id": 3, "text": "слон", {line}}}', good[1]]))
    told = json.loads(run("backtest", file, "--rules", folder, "--label", "spam", "--json"))
    assert (told["comments"], told["labelled"], told["not_comments"]) == (2, 1, 1)
    assert told["first_not_comment"].startswith(why)


def test_line_may_hold_what_no_rule_asks(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "rich.jsonl"
    lines = [
        '{"id": 1, "text": "слон \\"x\\": 5", "more": [{"a": {"b": 1}}, {"a": {"b": 2}}]}',
        '{"id" : 2, "text" : "слон", "at": "", "created_at": 1700000000}',
    ]
    file.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode())
    told = json.loads(run("backtest", file, "--rules", folder, "--json"))
    assert (told["comments"], told["not_comments"], told["first_not_comment"]) == (2, 0, "")
    assert "unknown on 1 lines without `at`" in told["facts"]


def test_diff_compares_a_comment_with_itself_where_one_ruleset_asks_no_facts(
    folder: Path, tmp_path: Path
) -> None:
    file, plain = comments(tmp_path), tmp_path / "plain"
    plain.mkdir()
    (plain / "a.yml").write_text(RULES.partition("---")[0])
    told = json.loads(run("diff", plain, folder, file, "--json"))
    assert told["moves"] == [{"move": "publish -> hold", "comments": 2, "samples": ["c1", "c0"]}]
    told = json.loads(run("diff", folder, plain, file, "--json"))
    assert told["moves"] == [{"move": "hold -> publish", "comments": 2, "samples": ["c1", "c0"]}]


def test_failing_test_is_named_with_what_it_misses(folder: Path) -> None:
    assert "2 of 2 tests passed" in run("test", folder)
    (folder / "a.yml").write_text(RULES.replace("must_match: [слон]", "must_match: [белка]"))
    told = json.loads(run("test", folder, "--json", code=1))
    assert [(one["rule"], one["why"]) for one in told["failed"]] == [
        ("listed", "`words: слон` with None")
    ]


def test_explain_tells_spans_and_the_nearest_miss(folder: Path) -> None:
    told = json.loads(run("explain", folder, "--json", text="Вот слон"))
    assert told["verdict"] == "reject"
    assert told["findings"][0]["spans"] == [[4, 8]]
    told = json.loads(
        run("explain", folder, "--text", "кит", "--fact", "count(author, 1m)=3", "--json")
    )
    assert told["verdict"] == "hold"
    assert told["rules"][-1]["misses"][0]["matcher"] == "words: слон"


def test_explain_judges_where_it_is_told_to_and_names_rules_out_of_scope(folder: Path) -> None:
    scoped = RULES.replace("then: reject", "then: reject\nscope: {section: [sport], site: [x]}", 1)
    (folder / "a.yml").write_text(scoped)
    told = run("explain", folder, "--text", "слон", "--section", "news")
    assert told.startswith("publish")
    assert "listed misses" not in told
    assert told.endswith("out of scope:\n  listed: site x; section sport\n")
    there = run("explain", folder, "--text", "слон", "--section", "sport", "--site", "x")
    assert there.startswith("reject")
    assert "out of scope" not in there


def test_what_is_told_fits_a_terminal_of_80_columns(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    named = [f"a_rather_long_name_of_a_rule_{n:02}" for n in range(9)]
    texts = "title: {ru: а, en: a}\nreason: {ru: а, en: a}\nthen: hold\n"
    rule = (
        "id: {}\n" + texts.replace("{ru", "{{ru").replace("a}", "a}}") + "when: text.words > {}\n"
    )
    (folder / "a.yml").write_text(
        "---\n".join(rule.format(name, n) for n, name in enumerate(named))
    )
    file = tmp_path / "comments.jsonl"
    rows = [
        {"id": f"gazette/an-article-with-a-name/{n:040}", "text": "один два", "decision": "reject"}
        for n in range(9)
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.yml").write_text(rule.format("b", 9))
    for told in (
        run("backtest", file, "--rules", folder, "--workers", 1),
        run("diff", folder, tmp_path / "other", file, "--workers", 1),
    ):
        assert max(map(len, told.splitlines())) <= 80
        assert "rules alone, without hold_first of sites and discussions" in told
    helps = run("agreement", "--help") + run("--help")
    assert max(map(len, helps.splitlines())) <= 80
    assert "..." not in run("--help").partition("Commands:")[2]


def test_backtest_computes_facts_in_event_time_order(folder: Path, tmp_path: Path) -> None:
    file = comments(tmp_path)
    told = json.loads(
        run("backtest", file, "--rules", folder, "--label", "spam", "--json", "--workers", 1)
    )
    assert told["comments"] == 4
    assert told["not_comments"] == 1
    assert told["verdicts"] == {"publish": 1, "hold": 2, "reject": 1}
    by_rule = {one["rule"]: one for one in told["rules"]}
    # The lines stand newest first: the third and the fourth in time are c1 and c0.
    assert by_rule["flood"]["samples"] == ["c1", "c0"]
    assert by_rule["listed"]["precision"] == 1
    assert told["recall"] == 1
    assert "event-time order" in told["facts"]


def test_backtest_counts_nearly_equal_texts_within_the_window(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "near.yml").write_text(
        "{id: wave, when: 'authors(near, 10m) >= 3', then: hold, title: {ru: а, en: a},"
        " reason: {ru: а, en: a}}"
    )
    offer = "Зарабатывайте от ста тысяч в месяц не выходя из дома, подробности у оператора"
    rows = [
        {"id": f"c{n}", "text": f"{offer} {n}{n}{n}", "author": f"a{n}",
         "at": f"2026-03-01T12:{n * 4:02}:00Z"}
        for n in range(6)
    ]  # fmt: skip
    file = tmp_path / "comments.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in [*rows[3:], *rows[:3]]))
    told = json.loads(run("backtest", file, "--rules", folder, "--json"))
    # Four minutes apart, so of each the two before are within ten minutes.
    assert [(one["rule"], one["samples"]) for one in told["rules"]] == [
        ("wave", ["c2", "c3", "c4", "c5"])
    ]


def test_backtest_tells_which_rules_failed(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "comments.jsonl"
    facts = ['{"count(author, 1m)": "many"}', "{}", '{"count(author, 1m)": "few"}']
    file.write_text(
        "".join(f'{{"id": {n}, "text": "кит", "facts": {each}}}\n' for n, each in enumerate(facts))
    )
    told = json.loads(run("backtest", file, "--rules", folder, "--json"))
    assert told["verdicts"] == {"publish": 1, "hold": 2, "reject": 0}
    (flood,) = told["rules"]
    assert (flood["rule"], flood["hits"], flood["failed"]) == ("flood", 0, 2)
    assert (flood["samples"], flood["failed_samples"]) == ([], ["0", "2"])
    assert told["silent"] == ["listed"]
    shown = run("backtest", file, "--rules", folder)
    assert "failed on 2, e.g. 0, 2" in shown


def test_diff_tells_which_verdicts_move(folder: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    (new / "a.yml").write_text(RULES.replace("then: reject", "then: hold"))
    told = json.loads(run("diff", folder, new, comments(tmp_path), "--json", "--workers", 1))
    assert told["changed_rules"] == ["listed"]
    assert told["moves"] == [{"move": "reject -> hold", "comments": 1, "samples": ["c3"]}]


def test_format_orders_keys_keeps_comments_and_changes_no_meaning(folder: Path) -> None:
    assert "a.yml differs" in run("format", folder, "--check", code=1)
    run("format", folder)
    text = (folder / "a.yml").read_text()
    assert text.startswith("# Words.\n# the first\nid: listed\n")
    assert "when: {words: [слон]}\nthen: reject\n" in text
    assert formatted("a.yml", text) == text
    assert load({"a.yml": text}).hash == load({"a.yml": RULES}).hash
    run("format", folder, "--check")
