"""Problem documents: one shape, one table of codes, and the page that lists them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.core import codec
from services.core.problems import TITLES, Problem, away, of_body

ROOT = Path(__file__).parents[3]


def test_a_document_names_its_code_and_the_field_within_the_batch() -> None:
    problem = Problem(422, "bad_schema", "no", "/data/body", current=3)
    assert problem.document("/events/1") == {
        "type": "urn:veche:problem:bad_schema",
        "title": "The body does not fit the schema",
        "status": 422,
        "detail": "no",
        "code": "bad_schema",
        "current": 3,
        "field": "/events/1/data/body",
    }


def test_without_a_field_there_is_no_such_member() -> None:
    assert b"field" not in Problem(404, "not_found", "no").encoded()
    assert codec.encode(Problem(404, "not_found", "no").document())


def test_who_shows_no_token_is_challenged() -> None:
    problem = Problem(401, "unauthorized", "send a token")
    assert problem.headers == {"www-authenticate": 'Bearer realm="veche"'}


def test_who_is_refused_for_now_is_told_when_to_return() -> None:
    seen = {int(away("later", seconds=(1, 3)).headers["retry-after"]) for _ in range(200)}
    assert seen == {1, 2, 3}


@pytest.mark.parametrize(("code", "status"), [("too_deep", 400), ("bad_schema", 422)])
def test_text_that_is_no_json_is_400_and_what_it_says_wrong_422(code: str, status: int) -> None:
    assert of_body(code, "no", "").status == status


def test_the_page_lists_every_code_and_no_other() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    table = page.partition("<!-- problems: begin -->")[2].partition("<!-- problems: end -->")[0]
    rows = [line.split("|") for line in table.splitlines() if re.match(r"\| [45]", line)]
    listed = [code for row in rows for code in re.findall(r"`([a-z0-9_]+)`", row[2])]
    assert set(listed) == set(TITLES)
