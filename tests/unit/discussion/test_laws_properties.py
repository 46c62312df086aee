"""Laws that hold for any sequence of events."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.core import events
from services.core.events import SitePolicy
from tests.unit.discussion.build import Table, an_event

NAMES = st.sampled_from(["a", "b", "c", "d"])
READERS = st.sampled_from(["anna", "boris", "clara", "dan", "eva"])
BODIES = st.sampled_from(["text", "other", "hold this", "reject this", "ask this", "ask that"])
STATUSES = st.sampled_from(["pending", "published", "rejected"])
REVISIONS = st.integers(1, 3)


@st.composite
def an_order(draw: st.DrawFn, discussion: str = "d1") -> Any:
    """One event of a small world; ids are given by the caller's position unless they collide."""
    id = f"e{draw(st.integers(0, 60))}"
    named = {"discussion": discussion, "comment": draw(NAMES)}
    kind = draw(
        st.sampled_from(["open", "say", "say", "edit", "delete", "report", "decide", "score"])
    )
    match kind:
        case "open":
            data: Any = events.DiscussionDescribed(
                discussion=discussion,
                revision=draw(REVISIONS),
                url="https://a.example",
                title="T",
                language="ru",
                section="s",
                policy=draw(st.sampled_from([None, "hold_first"])),
            )
            kinds = [events.DiscussionOpened, events.DiscussionChanged, events.DiscussionClosed]
            return an_event(draw(st.sampled_from(kinds)), data, id=id, actor="portal")
        case "say":
            parent = draw(st.one_of(st.none(), NAMES))
            data = events.CommentBody(**named, body=draw(BODIES), parent=parent)
            return an_event(events.CommentSubmitted, data, id=id, actor=draw(READERS))
        case "edit":
            data = events.CommentRewrite(**named, body=draw(BODIES))
            return an_event(events.CommentEdited, data, id=id, actor=draw(READERS))
        case "delete":
            data = events.CommentRef(**named)
            return an_event(events.CommentDeleted, data, id=id, actor=draw(READERS))
        case "report":
            data = events.ReportOnComment(**named, revision=draw(REVISIONS), reason="spam")
            return an_event(events.ReportFiled, data, id=id, actor=draw(READERS))
        case "score":
            name, value = draw(st.sampled_from(["rude", "spam"])), draw(st.sampled_from([0.1, 0.9]))
            data = events.ScoreOfComment(**named, revision=draw(REVISIONS), name=name, value=value)
            return an_event(events.ScoreGiven, data, id=id, actor="scorer", signature="")
    data = events.DecisionOnComment(
        **named,
        ruling=draw(st.sampled_from(["approve", "reject", "restore"])),
        expected=events.Expected(revision=draw(REVISIONS), status=draw(STATUSES)),
        reason="r",
    )
    return an_event(events.DecisionMade, data, id=id, actor="mod", signature="")


POLICIES = st.builds(
    SitePolicy,
    policy=st.sampled_from(["publish_first", "hold_first"]),
    report_threshold=st.integers(1, 3),
    edit_hold=st.sampled_from(["keep", "hide"]),
    late_scores=st.sampled_from(["publish", "hold"]),
)


def a_table(policy: SitePolicy, discussion: str = "d1") -> Table:
    table = Table(policy=policy, discussion=discussion)
    table.open()
    return table


def check_counts(table: Table) -> None:
    comments = table.state.comments
    assert table.state.discussion is not None
    assert table.state.discussion.visible_comments == sum(c.visible for c in comments.values())
    for comment in comments.values():
        under = [c for c in comments.values() if comment.comment in c.path and c.visible]
        assert comment.visible_descendants == len(under)
        assert comment.status != "published" or comment.published_revision is not None
        assert (comment.held_revision is None) == (comment.held_reason is None)
        assert comment.held_revision in (None, comment.revision)
        assert comment.held_revision is None or comment.deleted_at is None
        assert comment.status != "pending" or comment.held_revision or comment.deleted_at


@given(POLICIES, st.lists(an_order(), max_size=40))
def test_counts_are_what_a_recount_gives(policy: SitePolicy, orders: list[Any]) -> None:
    table = a_table(policy)
    for order in orders:
        table.send(order)
        check_counts(table)


@given(POLICIES, st.lists(an_order(), max_size=25), st.randoms(use_true_random=False))
def test_any_event_twice_is_any_event_once(
    policy: SitePolicy, orders: list[Any], chance: Any
) -> None:
    table = a_table(policy)
    for number, order in enumerate(orders):
        table.send(order)
        before = deepcopy(table.state)
        # The same record again, at once and of any time before.
        assert table.send(order) is None
        assert table.send(chance.choice(orders[: number + 1])) is None
        assert table.state == before


@given(POLICIES, st.lists(an_order(), max_size=40))
def test_no_event_brings_a_deleted_comment_back(policy: SitePolicy, orders: list[Any]) -> None:
    table = a_table(policy)
    gone: set[str] = set()
    for order in orders:
        table.send(order)
        gone |= {c.comment for c in table.state.comments.values() if c.deleted_at}
        assert not any(table.state.comments[name].visible for name in gone)


@given(POLICIES, st.lists(an_order(), max_size=40))
def test_a_decision_stands_until_the_author_writes_or_readers_report(
    policy: SitePolicy, orders: list[Any]
) -> None:
    table = a_table(policy)
    for order in orders:
        before = dict(table.state.comments)
        table.send(order)
        for name, old in before.items():
            new = table.state.comments[name]
            if old.ruling and new.status != old.status and new.revision == old.revision:
                assert isinstance(order, events.DecisionMade)


@given(
    POLICIES,
    st.lists(an_order("d1"), max_size=15),
    st.lists(an_order("d2"), max_size=15),
    st.data(),
)
def test_different_discussions_do_not_touch_each_other(
    policy: SitePolicy, first: list[Any], second: list[Any], data: st.DataObject
) -> None:
    def run(orders: list[Any]) -> dict[str, Any]:
        tables = {name: a_table(policy, name) for name in ("d1", "d2")}
        outcomes: dict[str, list[Any]] = {"d1": [], "d2": []}
        for order in orders:
            outcomes[order.data.discussion].append(tables[order.data.discussion].send(order))
        return {name: (_timeless(table), outcomes[name]) for name, table in tables.items()}

    mixed = data.draw(st.permutations([0] * len(first) + [1] * len(second)))
    queues = [iter(first), iter(second)]
    assert run(first + second) == run([next(queues[which]) for which in mixed])


def _timeless(table: Table) -> Any:
    return sorted(
        (c.comment, c.status, c.revision, c.published_revision, c.held_revision, c.reports)
        for c in table.state.comments.values()
    )
