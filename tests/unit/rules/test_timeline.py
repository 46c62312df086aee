"""Facts computed anew from comments in order: each comment counts once, whatever its edits."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest

from services.core.rules.facts import Windows
from services.core.rules.timeline import Timeline
from tests.unit.rules.build import NOON, a_ruleset, a_submission


def counted(*written: tuple[str, int, str]) -> tuple[object, object, object]:
    """(published and rejected of the author, visible in the discussion) after (comment, revision,
    status) each."""
    timeline = Timeline(Windows(discussion=True, standing=True))
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


STREAM = a_ruleset(
    "id: flood\nthen: hold\nwhen: 'count(author, 10m) > 5'",
    "id: here\nthen: hold\nwhen: 'discussions(author, 1h) > 5'",
    "id: copies\nthen: hold\nwhen: 'copies(site, 30m) > 2'",
    "id: own\nthen: hold\nwhen: 'copies(author, 1h) > 2'",
    "id: near\nthen: hold\nwhen: 'near(site, 10m) > 2'",
)
SAID = "Все говорят одно и то же, и каждый немного по-своему, в который уже раз"


def test_a_long_stream_takes_no_more_memory_than_its_longest_window() -> None:
    """Every minute somebody else, with a text of their own or one that many share."""

    def size(comments: int, *, timed: bool = True) -> int:
        timeline = Timeline(STREAM.windows, edits=False)
        for n in range(comments):
            comment = a_submission(
                SAID if n % 3 else f"{SAID} {n}", comment=f"c{n}", author=f"a{n}",
                discussion=f"portal/d{n}", at=NOON + n * timedelta(minutes=1),
            )  # fmt: skip
            timeline.facts(comment, windows=timed)
            timeline.written(comment, "published", windows=timed)
        return len(pickle.dumps(timeline))

    assert size(4_500) < 1.2 * size(1_500)
    assert size(4_500, timed=False) < 1.2 * size(1_500, timed=False)


def test_what_a_window_reaches_is_counted_after_forgetting() -> None:
    timeline = Timeline(STREAM.windows, edits=False)
    for n in range(2_000):
        comment = a_submission(
            SAID, comment=f"c{n}", author="anna", at=NOON + n * timedelta(minutes=1)
        )
        timeline.written(comment, "published")
    now = NOON + 2_000 * timedelta(minutes=1)
    values = timeline.facts(a_submission(SAID, comment="c", author="anna", at=now)).values
    assert values["count(author, 10m)"] == 10
    assert values["copies(site, 30m)"] == 3  # cut above what the rule asks
    assert values["near(site, 10m)"] == 8
