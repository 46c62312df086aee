"""Votes folded in the log's order; see test_fold_properties.py for every order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.core.store.votes import Ballot, Cast, Comment, Standing
from services.counters.fold import MEMORY, PARKED_AT_MOST, Facts, Fold

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TALK = "gazette/a1"
ON_TALK = Ballot(TALK, "", "ada")
ON_COMMENT = Ballot(TALK, "c1", "ada")
BY_BOB = {(TALK, "c1"): Comment("bob", NOON)}


def a_vote(
    value: int, event_id: str, offset: int = 0, ballot: Ballot = ON_TALK, at: datetime = NOON
) -> Cast:
    digest = f"{event_id} {value} {ballot}".encode()
    return Cast(ballot, value, event_id, digest, at, at, offset)


def reasons(fold: Fold) -> dict[str, str]:
    return {refused.cast.event_id: refused.reason for refused in fold.refused.values()}


def folded(*votes: Cast, facts: Facts | None = None) -> Fold:
    fold = Fold(facts or Facts({}, {}))
    fold.cast(votes)
    return fold


def test_second_vote_by_same_reader_replaces_the_first() -> None:
    fold = folded(a_vote(1, "e1"), a_vote(-1, "e2"))
    assert fold.standings == {ON_TALK: Standing(-1, ("e2:-1", "e1:1"), NOON)}


def test_retracted_vote_stands_as_zero() -> None:
    assert folded(a_vote(1, "e1"), a_vote(0, "e2")).standings[ON_TALK].value == 0


def test_late_retry_does_not_bring_an_old_vote_back() -> None:
    stored = {ON_TALK: Standing(-1, ("e2:-1", "e1:1"), NOON)}
    fold = folded(a_vote(1, "e1"), facts=Facts(stored, {}))
    assert fold.standings == {}
    assert fold.repeats == 1


def test_id_used_again_with_another_value_is_refused() -> None:
    fold = folded(a_vote(1, "e1"), a_vote(-1, "e1"))
    assert fold.standings[ON_TALK].value == 1
    assert reasons(fold) == {"e1": "id_taken"}


def test_ids_with_colons_are_told_apart() -> None:
    fold = folded(a_vote(1, "e:1"), a_vote(-1, "e"), a_vote(1, "e:1"))
    assert fold.standings[ON_TALK].changes == ("e:-1", "e:1:1")


def test_the_last_eight_changes_are_remembered() -> None:
    fold = folded(*[a_vote(1, f"e{n}") for n in range(MEMORY + 1)])
    assert fold.standings[ON_TALK].changes == tuple(f"e{n}:1" for n in range(MEMORY, 0, -1))


def test_vote_on_own_comment_is_refused() -> None:
    facts = Facts({}, {(TALK, "c1"): Comment("ada", NOON)})
    fold = folded(a_vote(1, "e1", ballot=ON_COMMENT), facts=facts)
    assert fold.standings == {}
    assert reasons(fold) == {"e1": "own_vote"}


def test_refused_vote_stays_refused_when_it_is_sent_again() -> None:
    vote = a_vote(1, "e1")
    fold = folded(vote, facts=Facts({}, {}, refused={(TALK, "e1", vote.digest)}))
    assert (fold.standings, fold.refused, fold.repeats) == ({}, {}, 1)


def test_vote_on_unknown_comment_waits() -> None:
    vote = a_vote(1, "e1", ballot=ON_COMMENT)
    fold = folded(vote)
    assert fold.standings == {}
    assert fold.parks == [vote]


def test_repeat_of_a_waiting_vote_does_not_wait_twice() -> None:
    first, again = a_vote(1, "e1", 1, ON_COMMENT), a_vote(1, "e1", 2, ON_COMMENT)
    facts = Facts({}, {}, parked={(TALK, "ada"): [first]})
    assert folded(again, facts=facts).parks == []


def test_memory_of_waiting_votes_ends_where_that_of_counted_ones_does() -> None:
    waiting = [a_vote(1, f"e{n}", n, ON_COMMENT) for n in range(MEMORY + 1)]
    facts = Facts({}, {}, parked={(TALK, "ada"): waiting})
    fold = folded(a_vote(1, "e0", 20, ON_COMMENT), a_vote(1, "e1", 21, ON_COMMENT), facts=facts)
    assert [vote.event_id for vote in fold.parks] == ["e0", "e1"]
    fold = folded(a_vote(1, f"e{MEMORY}", 20, ON_COMMENT), facts=facts)
    assert fold.parks == []


def test_waiting_votes_are_counted_before_a_newer_one() -> None:
    waiting = [a_vote(1, "e1", 1, ON_COMMENT), a_vote(-1, "e2", 2, ON_COMMENT)]
    facts = Facts({}, BY_BOB, parked={(TALK, "ada"): waiting})
    fold = folded(a_vote(0, "e3", 3, ON_COMMENT), facts=facts)
    assert fold.standings[ON_COMMENT].changes == ("e3:0", "e2:-1", "e1:1")
    assert fold.unparks == waiting


def test_one_voter_parks_at_most_fifty_votes_in_a_discussion() -> None:
    waiting = [a_vote(1, f"e{n}", n, Ballot(TALK, f"c{n}", "ada")) for n in range(PARKED_AT_MOST)]
    facts = Facts({}, {}, parked={(TALK, "ada"): waiting})
    fold = folded(a_vote(1, "more", 99, Ballot(TALK, "other", "ada")), facts=facts)
    assert fold.parks == []
    assert reasons(fold) == {"more": "vote_parked_too_many"}


def test_comment_that_comes_a_day_later_is_too_late() -> None:
    early = NOON - timedelta(hours=24)
    waiting = [
        a_vote(1, "e1", 1, ON_COMMENT, at=early - timedelta(microseconds=1)),
        a_vote(-1, "e2", 2, ON_COMMENT, at=early),
    ]
    fold = Fold(Facts({}, BY_BOB, parked={(TALK, "ada"): waiting}))
    fold.settle(ON_COMMENT)
    assert fold.standings[ON_COMMENT].value == -1
    assert fold.standings[ON_COMMENT].changes == ("e2:-1", "e1:1"), "an expired vote keeps its id"
    assert reasons(fold) == {"e1": "vote_expired"}


def test_overdue_vote_is_refused_and_leaves_the_others_waiting() -> None:
    waiting = [a_vote(1, "e1", 1, ON_COMMENT), a_vote(-1, "e2", 2, ON_COMMENT)]
    fold = Fold(Facts({}, {}, parked={(TALK, "ada"): waiting}))
    fold.expire([(ON_COMMENT, 1)])
    assert reasons(fold) == {"e1": "vote_expired"}
    assert fold.unparks == waiting[:1]


def test_rebuild_honours_a_recorded_refusal() -> None:
    vote = a_vote(1, "e1", ballot=ON_COMMENT)
    fold = Fold(Facts({}, BY_BOB), recorded=lambda *name: "vote_parked_too_many")
    fold.cast([vote])
    assert fold.standings == {}
    assert reasons(fold) == {"e1": "vote_parked_too_many"}
