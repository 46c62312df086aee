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
        ('{"id": "a\\ud800", "text": "x"}', "`id` holds half of a surrogate pair"),
        ("[" * 100_000, "not JSON: nested too deep"),
        ('{"id": 1, "text": "x", "at": "0001-01-01T00:00:00+05:00"}', "`at` lies outside"),
        ('{"id": 1, "text": "x", "at": "9999-12-31T23:59:59-12:00"}', "`at` lies outside"),
        ('{"id": 1, "text": "x", "at": -62135596800}', "`at` lies outside"),
        ('{"id": 1, "text": "x", "at": "noon"}', "`at` is not a time in ISO 8601 or in seconds"),
    ],
)
def test_hostile_line_is_named_and_ends_nothing(line: str, why: str) -> None:
    lines = f'{line}\n{{"id": "b", "text": "x \\ud800"}}\n'
    done = CliRunner().invoke(moderate, ["--rules", str(SHIPPED)], input=lines)
    assert done.exit_code == 1, done.exception
    assert done.stderr.startswith(f"line 1: {why}")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["b"]


def test_neither_list_nor_rules_is_a_usage_error() -> None:
    assert CliRunner().invoke(moderate, [], input="").exit_code == 2
