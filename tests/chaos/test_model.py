"""The reference model against values worked out by hand, and its laws."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.build import ABOUT, DESCRIBED, D, Log, a_log
from tests.chaos.model import Model, Record, verdict


def results(log: Log) -> list[tuple[str, str]]:
    return [(one.result, one.reason) for one in Model().fold(log.records).outcomes]


def test_verdicts_are_two_word_lists() -> None:
    assert [verdict(text) for text in ("hm", "you Zhdun!", "заждун", "Отвергун zhdun")] == [
        "publish", "hold", "hold", "reject",
    ]  # fmt: skip


def test_a_discussion_by_hand() -> None:
    model = Model().fold(a_log().records)
    d = model.discussions[D]
    assert [c.id for c in d.visible] == ["c1", "c2", "c3"]
    assert model.up_down(D) == (1, 1)
    assert model.views == {D: 2}
    assert d.comments["c3"].ruled_by == "mod"
    assert d.prefixes[-1].comments == 3


def test_an_id_used_again_with_other_content_is_refused() -> None:
    log = a_log()
    log.put("comment.deleted", {**ABOUT, "comment": "c1"}, "ann", id="e1")
    assert results(log)[-1] == ("refused", "id_taken")


def test_reports_hide_what_nobody_approved() -> None:
    log = a_log()
    for reader in ("x", "y", "y", "z"):
        log.put("report.filed", {**ABOUT, "comment": "c1", "revision": 1}, reader)
    assert results(log)[-4:] == [("applied", "")] * 3 + [("held", "report")]
    log.put("comment.edited", {**ABOUT, "comment": "c1", "body": "better"}, "ann")
    assert results(log)[-1] == ("held", "report")


def test_a_decision_on_what_is_no_more_is_a_conflict() -> None:
    log = a_log()
    seen = {"expected": {"revision": 1, "status": "pending"}, "ruling": "reject"}
    log.put("decision.made", {**ABOUT, "comment": "c3", **seen}, "mod")
    assert results(log)[-1] == ("refused", "conflict")


def test_a_retry_of_an_old_vote_does_not_bring_it_back() -> None:
    log = a_log()
    old = next(r for r in log.records if r.event["type"] == "veche.vote.cast.v1")
    log.put("vote.cast", {**ABOUT, "value": -1}, "ann", partition=1)
    log.records.append(Record(old.topic, 1, 50, old.at, old.event))
    assert Model().fold(log.records).votes[D, "", "ann"].value == -1


def test_views_are_told_apart_by_half_an_hour_of_their_own_clock_held_to_the_brokers() -> None:
    log = Log()
    log.put("discussion.opened", DESCRIBED)
    for minutes in (1, 29, 31):
        log.put("discussion.viewed", ABOUT, "ann", after=timedelta(minutes=minutes))
    log.put("discussion.viewed", ABOUT, "ann", time="2020-01-01T00:00:00+00:00")
    assert Model().fold(log.records).views == {D: 3}


@given(st.permutations(range(5)))
def test_topics_may_be_read_in_any_order(order: list[int]) -> None:
    records = a_log().records
    chunks = [records[n::5] for n in order]
    mixed = [record for chunk in chunks for record in chunk]
    one, other = Model().fold(records), Model().fold(mixed)
    assert one.votes == other.votes
    assert one.views == other.views
    assert one.outcomes == other.outcomes


@given(st.lists(st.integers(0, 13), max_size=30))
def test_repeats_further_on_change_nothing(again: list[int]) -> None:
    records = a_log().records
    repeated = records + [
        Record(records[n].topic, records[n].partition, 100 + place, records[n].at, records[n].event)
        for place, n in enumerate(again)
    ]
    one, other = Model().fold(records), Model().fold(repeated)
    assert {key: ballot.value for key, ballot in one.votes.items()} == {
        key: ballot.value for key, ballot in other.votes.items()
    }
    assert one.outcomes == other.outcomes
    assert one.views == other.views
