"""No order of arrival, no batching and no repeat changes what the votes come to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from services.core.store.votes import Ballot, Cast, Comment, Standing
from services.counters.fold import Facts, Fold

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TALK = "gazette/a1"
AUTHORS = {"c1": "ada", "c2": "bob", "c3": "eve"}


class Postgres:
    """What the store keeps, in memory; the real one passes tests/integration/test_counters*.py."""

    def __init__(self) -> None:
        self.votes: dict[Ballot, Standing] = {}
        self.comments: dict[tuple[str, str], Comment] = {}
        self.parked: dict[int, Cast] = {}
        self.refused: dict[tuple[str, str, bytes], str] = {}

    def facts(self) -> Facts:
        parked: dict[tuple[str, str], list[Cast]] = {}
        for _, cast in sorted(self.parked.items()):
            parked.setdefault((cast.ballot.discussion, cast.ballot.voter), []).append(cast)
        return Facts(dict(self.votes), dict(self.comments), set(self.refused), parked)

    def handle(self, batch: list[Cast]) -> None:
        fold = Fold(self.facts())
        fold.cast(batch)
        self.write(fold)

    def sweep(self) -> None:
        fold = Fold(self.facts())
        for ballot in {cast.ballot for cast in self.parked.values()}:
            if (ballot.discussion, ballot.target) in self.comments:
                fold.settle(ballot)
        self.write(fold)

    def write(self, fold: Fold) -> None:
        self.votes |= fold.standings
        for cast in fold.unparks:
            del self.parked[cast.offset]
        self.parked |= {cast.offset: cast for cast in fold.parks}
        for name, refused in fold.refused.items():
            self.refused.setdefault(name, refused.reason)


class Spoken(NamedTuple):
    voter: str
    target: str
    value: int
    event: int


# Few voters, targets and ids, so that repeats, flips and taken ids abound.
spoken = st.builds(
    Spoken,
    st.sampled_from(["ada", "bob"]),
    st.sampled_from(["", *AUTHORS]),
    st.sampled_from([-1, 0, 1]),
    st.integers(0, 12),
)
# One reader who cannot decide, so that ids leave the memory.
wavering = st.builds(
    Spoken, st.just("ada"), st.just("c2"), st.sampled_from([-1, 1]), st.integers(0, 12)
)
logs = st.lists(spoken, max_size=40) | st.lists(wavering, max_size=40)


def recorded(log: list[Spoken], hours: int = 0) -> list[Cast]:
    return [
        Cast(
            Ballot(TALK, vote.target, vote.voter),
            vote.value,
            f"e{vote.event}",
            f"{vote}".encode(),
            NOON + timedelta(hours=hours * offset),
            NOON + timedelta(hours=hours * offset),
            offset,
        )
        for offset, vote in enumerate(log)
    ]


@given(
    log=logs,
    hours=st.sampled_from([0, 2]),
    steps=st.lists(st.sampled_from([*AUTHORS, "vote", "votes", "sweep"]), max_size=60),
    born=st.integers(0, 60),
)
def test_comments_may_come_before_between_or_after_their_votes(
    log: list[Spoken], hours: int, steps: list[str], born: int
) -> None:
    casts = recorded(log, hours)
    comments = {
        (TALK, name): Comment(author, NOON + timedelta(hours=born))
        for name, author in AUTHORS.items()
    }
    first = Postgres()
    first.comments = comments
    for cast in casts:
        first.handle([cast])

    late = Postgres()
    waiting = list(casts)
    for step in steps:
        if step in AUTHORS:
            late.comments[TALK, step] = comments[TALK, step]
        elif step == "sweep":
            late.sweep()
        else:
            taken = 1 if step == "vote" else 7
            late.handle(waiting[:taken])
            waiting = waiting[taken:]
    late.handle(waiting)
    late.comments = comments
    late.sweep()

    assert late.votes == first.votes
    assert late.parked == {}
    # What refuses a vote may differ where two reasons do: its id was taken, and it is the author's.
    assert set(late.refused) == set(first.refused)


@given(log=logs, seams=st.lists(st.integers(0, 40)))
def test_batches_of_any_size_come_to_the_same(log: list[Spoken], seams: list[int]) -> None:
    casts = recorded(log)
    one = Postgres()
    one.handle(casts)
    many = Postgres()
    for begin, end in zip([0, *sorted(seams)], [*sorted(seams), len(casts)], strict=True):
        many.handle(casts[begin:end])
    assert (many.votes, many.parked, many.refused) == (one.votes, one.parked, one.refused)


@given(log=logs, again=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 7))))
def test_repeats_within_memory_change_nothing(
    log: list[Spoken], again: list[tuple[int, int]]
) -> None:
    """Every vote has an id of its own here; a repeat comes at most seven records later."""
    unique = [vote._replace(event=number) for number, vote in enumerate(log)]
    noisy = list(enumerate(unique))
    for number, delay in again:
        if number < len(unique):
            noisy.append((number + delay, unique[number]))
    noisy.sort(key=lambda pair: pair[0])  # Stable: a repeat never comes before its first.
    once, twice = Postgres(), Postgres()
    once.comments = twice.comments = {(TALK, "c2"): Comment("bob", NOON)}
    once.handle(recorded(unique))
    twice.handle(recorded([vote for _, vote in noisy]))
    assert twice.votes == once.votes
    assert twice.refused == once.refused
