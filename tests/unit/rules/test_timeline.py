"""Facts computed anew from comments in order: each comment counts once, whatever its edits."""

from __future__ import annotations

import pytest

from services.core.rules.facts import Windows
from services.core.rules.timeline import Timeline
from tests.unit.rules.build import a_submission


def counted(*written: tuple[str, int, str]) -> tuple[object, object, object]:
    """(published and rejected of the author, visible in the discussion) after (comment, revision,
    status) each."""
    timeline = Timeline(Windows(discussion=True))
    for comment, revision, status in written:
        timeline.written(a_submission(f"{revision}", comment=comment, revision=revision), status)
    values = timeline.facts(a_submission("new", comment="new")).values
    return tuple(  # type: ignore[return-value]
        values[name] for name in ("author.published", "author.rejected", "discussion.comments")
    )


def test_an_edit_does_not_count_its_comment_again() -> None:
    edits = [("c1", n, "published") for n in (1, 2, 3)]
    assert counted(*edits, ("c2", 1, "published")) == (2, 0, 2)
    assert counted(*[("c1", n, "rejected") for n in (1, 2, 3)]) == (0, 1, 0)


@pytest.mark.parametrize("then", ["pending", "rejected"])
def test_an_edit_that_is_stopped_leaves_the_published_revision_in_view(then: str) -> None:
    assert counted(("c1", 1, "published"), ("c1", 2, then), ("c1", 3, "published")) == (1, 0, 1)


def test_an_edit_moves_what_was_not_published() -> None:
    assert counted(("c1", 1, "rejected"), ("c1", 2, "published")) == (1, 0, 1)
    assert counted(("c1", 1, "rejected"), ("c1", 2, "pending")) == (0, 0, 0)


def test_an_edit_of_a_comment_that_was_not_seen_counts_it() -> None:
    assert counted(("c1", 2, "published"), ("c1", 3, "published")) == (1, 0, 1)


def test_lines_without_an_id_are_comments_of_their_own() -> None:
    assert counted(*[("", 1, "published")] * 3) == (3, 0, 3)
