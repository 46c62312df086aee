"""Medians, percentiles, ratios, and the shape of build/bench.json."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import chart, document, peers
from bench.__main__ import chosen
from bench.figures import Figure, Sample, compared, merged, percentile, rounded

MEMBERS = {"name", "value", "unit", "against", "against_value", "ratio", "target", "reached"}


def votes(ours: float, ceiling: float) -> Figure:
    return compared("votes", "votes/s", Sample([ours]), "ceiling", Sample([ceiling]), 0.8)


def test_a_sample_is_its_median_and_its_spread() -> None:
    sample = Sample([30.0, 10.0, 20.0])
    assert (sample.median, sample.spread) == (20.0, (10.0, 30.0))


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.99) == 7


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1.0))
def test_at_least_the_share_does_not_exceed_a_percentile(values: list[float], share: float) -> None:
    cut = percentile(values, share)
    assert sum(value <= cut for value in values) >= share * len(values) - 1e-6


def test_nothing_measured_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.99)


def test_a_ratio_reaches_its_target_or_does_not() -> None:
    assert votes(800, 1_000).reached is True
    assert votes(799, 1_000).reached is False


def test_a_latency_reaches_its_target_from_below() -> None:
    assert Figure("latency", 0.2, "s", 0.25, better="low").reached is True
    assert Figure("latency", 0.3, "s", 0.25, better="low").reached is False


def test_without_a_target_nothing_is_reached_or_missed() -> None:
    assert Figure("note", 1.0, "s", None).reached is None


def test_a_row_has_the_documented_members() -> None:
    row = votes(800, 1_000).row()
    assert row.keys() >= MEMBERS
    assert (row["ratio"], row["target"], row["reached"]) == (0.8, 0.8, True)
    assert Figure("latency", 0.2, "s", 0.25, better="low").row()["against"] is None


@pytest.mark.parametrize(
    ("value", "said"), [(41_234.5, 41_234), (0.123456, 0.1235), (1.5, 1.5), (0, 0), (None, None)]
)
def test_figures_are_rounded_to_four_digits(value: float | None, said: float | None) -> None:
    assert rounded(value) == said


def test_a_row_measured_again_takes_its_place() -> None:
    old = [{"name": "votes", "value": 1}, {"name": "views", "value": 2}]
    rows = merged(old, [votes(800, 1_000)])
    assert [row["name"] for row in rows] == ["votes", "views"]
    assert rows[0]["value"] == 800


def test_the_chart_is_well_formed_and_names_every_row_with_a_target() -> None:
    rows = merged([], [votes(800, 1_000), Figure("latency", 0.5, "s <p99>", 0.25, better="low")])
    drawing = chart.svg(rows)
    ElementTree.fromstring(drawing)
    assert ">votes<" in drawing
    assert chart.share(rows[1]) == 0.5


def test_the_document_takes_figures_between_its_marks_only() -> None:
    page = f"before\n{document.BEGIN}\nold\n{document.END}\nafter\n"
    written = document.put(page, merged([], [votes(800, 1_000)]))
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
    assert "| `votes` | 800 votes/s |" in written
    assert "old" not in written
    assert document.put(written, merged([], [votes(800, 1_000)])) == written


@pytest.mark.parametrize(
    ("asked", "measured"),
    [
        ("votes", ["votes"]),
        ("votes_naive,views", ["votes", "views"]),
        ("feed_read_304", ["feed"]),
        ("feed_latency", ["feed_latency"]),
        ("latency_sse,feed_read", ["feed", "latency"]),
        ("growth_discussions", ["growth"]),
        ("peers_isso_vote,peers", ["peers"]),
        ("judge_p99,hostile", ["judge"]),
    ],
)
def test_rows_are_chosen_by_the_names_of_their_figures(asked: str, measured: list[str]) -> None:
    assert chosen(asked) == measured


@pytest.mark.parametrize("asked", ["vote", "votesx", "nothing", "votes,lateness"])
def test_a_row_that_is_not_there_is_named(asked: str) -> None:
    with pytest.raises(SystemExit, match=asked.rpartition(",")[2]):
        chosen(asked)


def test_peers_are_as_good_as_the_weakest_comparison() -> None:
    def beside(name: str, ours: float, target: float) -> Figure:
        return compared(name, "/s", Sample([ours]), "isso", Sample([100.0]), target)

    many = [beside("peers_isso_create", 900, 10), beside("peers_isso_latest", 400, 3)]
    assert peers.weakest(many).row() | {"weakest": "peers_isso_create"} == peers.weakest(many).row()
    assert peers.weakest(many).name == "peers"
    assert peers.weakest(many).reached is False
    assert peers.weakest(many[1:]).reached is True


def test_a_row_that_was_measured_again_is_published_in_its_place() -> None:
    published = [{"name": "votes", "value": 1}, {"name": "views", "value": 2}]
    measured = [{"name": "new", "value": 4}, {"name": "votes", "value": 3}]
    assert [(row["name"], row["value"]) for row in document.together(published, measured)] == [
        ("votes", 3), ("views", 2), ("new", 4),
    ]  # fmt: skip
