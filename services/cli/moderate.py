"""`veche moderate`: judges a file of comments, one JSON object a line, with no server at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from services.cli import json_lines
from services.cli.json_lines import EPOCH, BadLine
from services.core.errors import Misconfigured
from services.core.events import DiscussionKey
from services.core.rules import Submission, judge, load, read
from services.core.rules.inflect import Language
from services.core.rules.listed import Source, lines_of
from services.core.rules.timeline import STATUS, Timeline
from services.core.rules.word_index import WordIndex
from services.core.settings import rules_dir, rules_texts

WORDS = "words"
"""The name of the rule that `--words` makes."""

_NAMES = ("author", "discussion", "thread_id", "site", "section", "language")
_WEIGHT = {"publish": 0, "hold": 1, "reject": 2}


class _Comment(NamedTuple):
    id: str | int
    body: str
    at: datetime
    stated: dict[str, str]
    """What else the line says, by name."""


class _Said(NamedTuple):
    """What one rule said of a comment."""

    rule: str
    verdict: str
    spans: list[tuple[int, int]]
    detail: dict[str, Any]


Judge = Callable[[Submission], Iterator[_Said]]


@click.command()
@click.option(
    "--words",
    "list_",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A plain list, one base form a line: rejected in all inflections and disguises.",
)
@click.option(
    "--rules",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A ruleset's folder. Without it `--words` is the only rule; without both, VECHE_RULES_DIR "
    "judges, by default the shipped ruleset.",
)
@click.option(
    "--lang", type=click.Choice(["ru", "en"]), help="The list's language; else by its letters."
)
def moderate(list_: Path | None, folder: Path | None, lang: Language | None) -> None:
    """Judge comments: JSON lines in, verdicts out.

    A comment has `id` and `text` (or `body`), and may have `author`, `at` (or `created_at`: ISO
    8601, or seconds since 1970), `discussion`, `site`, `section` and `language`. A verdict has
    `id`, `verdict` (publish, hold or reject), the `rules` that found anything, their `spans` in
    code points of the text, and `scores`: how often each rule found something.

    A line that is no comment is reported with its number, and the exit code is 1 at the end.
    """
    judges: list[Judge] = []
    if folder is not None:
        judges.append(_by_rules(folder))
    if list_ is not None:
        judges.append(_by_words(list_, lang))
    if not judges:
        judges.append(_by_rules(rules_dir()))
    bad = 0
    for number, line in enumerate(json_lines.without_mark(sys.stdin.buffer), 1):
        if not line.strip():
            continue
        try:
            comment = _comment(line)
        except BadLine as error:
            bad += 1
            click.echo(f"line {number}: {error}", err=True)
            continue
        sys.stdout.write(json.dumps(_verdict(comment, judges), ensure_ascii=False) + "\n")
    if bad:
        click.echo(f"veche: {bad} lines are no comments and got no verdict", err=True)
        sys.exit(1)


def _by_words(list_: Path, lang: Language | None) -> Judge:
    try:
        index = WordIndex([Source(list_.name, lines_of(list_.read_text("utf-8-sig")), lang)])
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{list_} is not UTF-8: {error}") from None
    except ValueError as error:
        raise Misconfigured(str(error)) from None
    if not index.entries:
        raise Misconfigured(f"{list_} lists no word")

    def said(comment: Submission) -> Iterator[_Said]:
        reading = comment.reading
        found = index.find(reading)
        if found:
            words = [{"entry": match.entry, "how": list(match.how)} for match in found]
            spans = [reading.span(match.start, match.end) for match in found]
            yield _Said(WORDS, "reject", spans, {"words": words})

    return said


def _by_rules(folder: Path) -> Judge:
    ruleset = load(rules_texts(folder))
    timeline = Timeline(ruleset.windows, edits=False)

    def said(comment: Submission) -> Iterator[_Said]:
        timed = comment.at != EPOCH
        facts = timeline.facts(comment, windows=timed)
        verdict_given = judge(comment, facts, ruleset)
        timeline.written(comment, STATUS[verdict_given.action], windows=timed)
        for finding in verdict_given.findings:
            if "unknown" in finding.detail and finding.action == "note":
                continue
            verdict = "publish" if finding.action == "note" else finding.action
            yield _Said(finding.rule, verdict, finding.spans, finding.detail)

    return said


def _comment(line: bytes) -> _Comment:
    row = json_lines.object_of(line)
    id_ = row.get("id")
    if not isinstance(id_, str | int) or isinstance(id_, bool):
        raise BadLine("`id` must be a string or a whole number")
    body = row.get("text", row.get("body"))
    if not isinstance(body, str):
        raise BadLine("`text` (or `body`) must be a string")
    stated = {name: _word(name, row[name]) for name in _NAMES if row.get(name) is not None}
    at = json_lines.time_of(row.get("at"), row.get("created_at"))
    return _Comment(id_, body, at, stated)


def _word(name: str, value: object) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise BadLine(f"`{name}` must be a string or a whole number")
    return str(value)


def _verdict(comment: _Comment, judges: list[Judge]) -> dict[str, Any]:
    stated = comment.stated
    site = stated.get("site", "file")
    discussion = stated.get("discussion") or stated.get("thread_id") or "comments"
    submission = Submission(
        discussion=DiscussionKey(f"{site}/{discussion}"),
        comment=str(comment.id),
        revision=1,
        site=site,
        author=stated.get("author") or f"author of {comment.id}",
        at=comment.at,
        reading=read(comment.body),
        section=stated.get("section", ""),
        language=stated.get("language", ""),
    )
    said = [one for each in judges for one in each(submission)]
    return {
        "id": comment.id,
        "verdict": max((one.verdict for one in said), key=_WEIGHT.__getitem__, default="publish"),
        "rules": [one.rule for one in said],
        "spans": sorted({(start, end) for one in said for start, end in one.spans}),
        "scores": {one.rule: max(1, len(one.spans)) for one in said},
        "words": [word for one in said for word in one.detail.get("words", ())],
    }
