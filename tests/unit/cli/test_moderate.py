from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.moderate import moderate

SHIPPED = Path(__file__).parents[3] / "deploy" / "rules"


@pytest.fixture
def listed(tmp_path: Path) -> str:
    path = tmp_path / "list.txt"
    path.write_text("дурак\ncasino\n", "utf-8")
    return str(path)


def test_listed_word_is_rejected_in_its_forms_and_disguises_with_spans(listed: str) -> None:
    comments = [
        {"id": "a", "text": "добрый день"},
        {"id": "b", "text": "½ кругом дураки"},
        {"id": 3, "body": "best c@s1n0"},
    ]
    lines = "".join(json.dumps(comment) + "\n" for comment in comments)
    done = CliRunner().invoke(moderate, ["--words", listed], input=lines)
    assert done.exit_code == 0, done.output
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": "a", "verdict": "publish", "rules": [], "spans": [], "scores": {}, "words": []},
        {
            "id": "b", "verdict": "reject", "rules": ["words"], "spans": [[9, 15]],
            "scores": {"words": 1}, "words": [{"entry": "дурак", "how": ["inflected"]}],
        },
        {
            "id": 3, "verdict": "reject", "rules": ["words"], "spans": [[5, 11]],
            "scores": {"words": 1}, "words": [{"entry": "casino", "how": ["leet"]}],
        },
    ]  # fmt: skip


def test_bad_lines_are_named_and_the_others_get_verdicts(listed: str) -> None:
    lines = (
        b'{"id": "a", "text": "x"}\n{"id": "b"}\nno json\n\n\xff\n{"id": "c", "text": "y"}\n[]\n'
    )
    done = CliRunner().invoke(moderate, ["--words", listed], input=lines)
    assert done.exit_code == 1
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["a", "c"]
    reported = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in reported] == [
        "line 2", "line 3", "line 5", "line 7", "veche"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"id": "a\\ud800", "text": "x"}', "half of a surrogate pair is not a character at /id"),
        ('{"id": 1, "text": "\\ud800"}', "half of a surrogate pair is not a character at /text"),
        ('{"id": 1, "text": "x\\u0000"}', "a NUL character cannot be stored at /text"),
        ('{"id": 1, "text": "x", "text": "y"}', "an object names the member 'text' twice"),
        ('{"id": 1, "text": "x", "at": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "objects and arrays may nest 100 levels"),
        ("[1]", "this is no JSON object"),
        ("{", "not JSON: "),
        ('{"id": 1, "text": "x", "at": "0001-01-01T00:00:00+05:00"}', "`at` lies outside"),
        ('{"id": 1, "text": "x", "at": "9999-12-31T23:59:59-12:00"}', "`at` lies outside"),
        ('{"id": 1, "text": "x", "at": -62135596800}', "`at` lies outside"),
        ('{"id": 1, "text": "x", "at": "noon"}', "`at` is not a time in ISO 8601 or in seconds"),
        ('{"id": 1, "text": "x", "at": true}', "`at` is not a time in ISO 8601 or in seconds"),
        ('{"id": 1, "text": "x", "at": null, "created_at": "0001-01-01"}', "`at` lies outside"),
        ('{"id": 1, "text": "x", "site": []}', "`site` must be a string or a whole number"),
    ],
)
def test_hostile_line_is_named_and_ends_nothing(line: str, why: str) -> None:
    lines = f'{line}\n{{"id": "b", "text": "x \\ud83d\\ude00"}}\n'
    done = CliRunner().invoke(moderate, ["--rules", str(SHIPPED)], input=lines)
    assert done.exit_code == 1, done.exception
    assert done.stderr.startswith(f"line 1: {why}")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["b"]


def test_byte_order_mark_begins_a_file(listed: str) -> None:
    lines = b'\xef\xbb\xbf{"id": 1, "text": "x"}\n\xef\xbb\xbf{"id": 2, "text": "x"}\n'
    done = CliRunner().invoke(moderate, ["--words", listed], input=lines)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [1]
    assert done.stderr.startswith("line 2: not JSON: ")


def test_shipped_rules_judge_where_none_are_named() -> None:
    done = CliRunner().invoke(moderate, [], input='{"id": 1, "text": "вот дурак"}\n')
    assert done.exit_code == 0
    assert json.loads(done.stdout)["verdict"] == "hold"


def test_rules_look_at_what_the_line_says_of_its_place_and_author(tmp_path: Path) -> None:
    texts = "title: {ru: а, en: a}\nreason: {ru: а, en: a}\nthen: hold\n"
    (tmp_path / "a.yml").write_text(
        f"id: placed\nscope: {{site: [gazette], section: [news], language: [ru]}}\n{texts}"
        f"when: text.length > 0\n---\nid: known\n{texts}when: author.published >= 1\n",
        "utf-8",
    )
    placed = '"site": "gazette", "section": "news", "language": "ru"'
    lines = [
        f'{{"id": 1, "text": "a", {placed}}}',
        '{"id": 2, "text": "a", "site": "gazette"}',
        '{"id": 3, "text": "a", "author": 7}',
        '{"id": 4, "text": "a", "author": 7}',
        '{"id": 5, "text": "a"}',
        '{"id": 6, "text": "a"}',
    ]
    done = CliRunner().invoke(moderate, ["--rules", str(tmp_path)], input="\n".join(lines))
    assert [json.loads(line)["rules"] for line in done.stdout.splitlines()] == [
        ["placed"], [], [], ["known"], [], [],
    ]  # fmt: skip
