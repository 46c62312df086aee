"""Votes that are stored as they came end as the fold would have left them."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st

from services.core.consume import Record
from services.core.events import Vote, VoteCast
from services.core.store.votes import Ballot, Cast, Comment, Standing
from services.counters.apart import Name, Place, names_of, part
from services.counters.fold import PATIENCE, Facts, Fold

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TALK = "gazette/a1"


def a_vote(
    number: int, voter: str = "ada", comment: str | None = None, value: int = 1
) -> Record[VoteCast]:
    event = VoteCast(
        id=f"e{number}", source="/sites/gazette", site="gazette", actor=voter, time=NOON,
        data=Vote(discussion="a1", value=value, comment=comment),  # type: ignore[arg-type]
    )  # fmt: skip
    return Record(number, NOON + timedelta(seconds=number), event)


def a_cast(vote: Record[VoteCast]) -> Cast:
    event = vote.event
    ballot = Ballot(event.key, event.data.comment or "", event.actor)
    return Cast(ballot, event.data.value, event.id, event, vote.at, vote.recorded_at, vote.offset)


def odd_voters(*votes: Record[VoteCast], **comments: Comment) -> set[str]:
    known = {(TALK, name): comment for name, comment in comments.items()}
    return {voter for (_, _, voter), _ in parted(votes, known)[1]}


def parted(
    votes: Sequence[Record[VoteCast]],
    comments: Mapping[Place, Comment],
    waiting: Container[Place] = (),
) -> tuple[dict[Name, Record[VoteCast]], list[tuple[Name, Record[VoteCast]]]]:
    names = names_of(votes)
    return part(names, votes, {name[:2] for name in names if name[1]}, comments, waiting)


def test_a_first_vote_is_plain_on_the_discussion_and_on_a_comment_that_is_there() -> None:
    there = Comment("bob", NOON)
    assert odd_voters(a_vote(1), a_vote(2, "eve", "c1"), c1=there) == set()


def test_two_votes_of_one_ballot_are_folded() -> None:
    assert odd_voters(a_vote(1), a_vote(2, "eve"), a_vote(3, value=-1)) == {"ada"}


def test_votes_on_an_unknown_a_later_or_an_own_comment_are_folded() -> None:
    later = Comment("bob", NOON + PATIENCE + timedelta(minutes=5))
    votes = [a_vote(1, "ada", "c1"), a_vote(2, "eve", "c2"), a_vote(3, "bob", "c3")]
    votes += [a_vote(4, "kim", "c3")]
    assert odd_voters(*votes, c2=later, c3=Comment("bob", NOON)) == {"ada", "eve", "bob"}


def test_votes_of_who_waits_in_the_discussion_are_folded() -> None:
    votes = [a_vote(1, "ada"), a_vote(2, "eve")]
    first, rest = parted(votes, {}, {(TALK, "eve")})
    assert list(first) == [(TALK, "", "ada")]
    assert [name for name, _ in rest] == [(TALK, "", "eve")]


voters = st.sampled_from(["ada", "bob", "eve"])
places = st.sampled_from([None, "c1", "c2", "c3"])
votes_cast = st.lists(
    st.tuples(voters, places, st.sampled_from([-1, 0, 1])), min_size=1, max_size=8
)


@given(votes_cast, st.lists(st.tuples(voters, places), max_size=4), st.integers(0, 7))
def test_apart_or_together_the_votes_come_to_the_same(
    cast: list[tuple[str, str | None, int]], stood: list[tuple[str, str | None]], refused: int
) -> None:
    votes = [a_vote(n, voter, comment, value) for n, (voter, comment, value) in enumerate(cast)]
    comments = {
        (TALK, "c1"): Comment("bob", NOON),
        (TALK, "c2"): Comment("eve", NOON + 2 * PATIENCE),
    }
    standings = {
        Ballot(TALK, comment or "", voter): Standing(-1, ("e0:-1",), NOON)
        for voter, comment in stood
    }
    casts = [a_cast(vote) for vote in votes]
    once = {(TALK, c.event_id, c.digest) for c in casts[refused : refused + 1]}
    together = Fold(Facts(standings, comments, once))
    together.cast(casts)

    first, odd = parted(votes, comments)
    left = [
        name
        for name, vote in first.items()
        if Ballot(*name) in standings or (TALK, vote.event.id, a_cast(vote).digest) in once
    ]
    odd += [(name, first.pop(name)) for name in left]
    rest = Fold(Facts(standings, comments, once))
    rest.cast(sorted([a_cast(vote) for _, vote in odd], key=attrgetter("offset")))
    stored = {
        Ballot(*name): Standing(
            vote.event.data.value, (f"{vote.event.id}:{vote.event.data.value}",), vote.at
        )
        for name, vote in first.items()
    }
    assert stored | rest.standings == together.standings
    assert rest.refused == together.refused
    assert rest.parks == together.parks
    assert rest.repeats == together.repeats
