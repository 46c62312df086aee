from __future__ import annotations

from services.core import events
from tests.unit.discussion.build import Table, an_open_table


def test_higher_revision_wins_and_a_lower_one_is_stale() -> None:
    table = an_open_table()
    assert table.open(3, title="New", kind=events.DiscussionChanged).result == "applied"
    late = table.open(2, title="Late", kind=events.DiscussionChanged)
    assert (late.result, late.reason) == ("refused", "revision_stale")
    assert table.state.discussion is not None
    assert table.state.discussion.title == "New"


def test_same_revision_with_the_same_content_is_a_repeat_and_with_another_is_refused() -> None:
    table = an_open_table()
    assert table.open(1).result == "applied"
    assert table.open(1, title="Other").reason == "revision_stale"


def test_first_event_opens_and_gives_the_opening_time() -> None:
    table = Table()
    table.open(2, kind=events.DiscussionClosed)
    assert table.state.discussion is not None
    opened_at = table.state.discussion.opened_at
    table.open(3)
    assert table.state.discussion.state == "open"
    assert table.state.discussion.opened_at == opened_at


def test_comment_needs_an_open_discussion() -> None:
    table = Table()
    assert table.say("c1").reason == "discussion_unknown"
    table.open()
    table.open(2, kind=events.DiscussionClosed)
    assert table.say("c1").reason == "discussion_closed"
    table.open(3, kind=events.DiscussionChanged, state="removed")
    assert table.say("c1").reason == "discussion_closed"
    assert table.state.comments == {}


def test_discussion_policy_outranks_the_site_policy() -> None:
    table = an_open_table(policy="closed")
    refused = table.say("c1")
    assert refused.reason == "discussion_closed"
    assert refused.facts["site_policy"]["policy"] == "closed"
    table.open(2, policy="hold_first")
    held = table.say("c1")
    assert (held.result, held.reason, held.status) == ("held", "policy", "pending")
    table.open(3, policy="publish_first")
    assert table.say("c2").result == "published"
