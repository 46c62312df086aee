from __future__ import annotations

from tests.unit.discussion.build import an_open_table


def test_verdict_decides_the_status() -> None:
    table = an_open_table()
    assert table.say("c1").result == "published"
    held = table.say("c2", "hold this")
    assert (held.result, held.reason, held.status) == ("held", "rule", "pending")
    assert table.say("c3", "reject this").status == "rejected"
    assert table.visible == 1
    assert table.comment("c2").held_revision == 1
    assert table.effects[1].changed == ("c1",)
    assert table.effects[2].changed == ()


def test_id_used_again_by_another_author_or_with_another_body_is_taken() -> None:
    table = an_open_table()
    table.say("c1", "text")
    assert table.say("c1", "text").result == "applied"
    assert table.say("c1", "other").reason == "id_taken"
    assert table.say("c1", "text", by="boris").reason == "id_taken"
    assert table.visible == 1


def test_event_id_used_again_is_taken_and_the_same_event_has_one_outcome() -> None:
    table = an_open_table()
    table.say("c1", id="same")
    assert table.say("c2", id="same").reason == "id_taken"
    assert "c2" not in table.state.comments


def test_replies_count_for_every_ancestor() -> None:
    table = an_open_table()
    table.say("a")
    table.say("b", to="a")
    table.say("c", to="b")
    assert table.comment("c").path == ("a", "b")
    assert (table.comment("a").visible_descendants, table.comment("b").visible_descendants) == (
        2,
        1,
    )
    table.delete("c")
    assert (table.comment("a").visible_descendants, table.comment("b").visible_descendants) == (
        1,
        0,
    )
    assert table.say("x", to="nobody").reason == "parent_unknown"


def test_reply_deeper_than_32_hangs_beside_its_parent() -> None:
    table = an_open_table()
    table.say("c0")
    for n in range(1, 40):
        table.say(f"c{n}", to=f"c{n - 1}")
    assert len(table.comment("c32").path) == 32
    assert table.comment("c39").path == table.comment("c32").path
    assert table.comment("c39").parent == "c38"
    assert table.comment("c0").visible_descendants == 39


def test_tombstone_changes_in_view_when_its_last_reply_goes() -> None:
    table = an_open_table()
    table.say("a")
    table.say("b", to="a", by="boris")
    table.delete("a")
    table.say("c", to="b")
    assert table.effects[-1].changed == ("c",)
    table.delete("c")
    table.delete("b", by="boris")
    assert table.effects[-1].changed == ("b", "a")
    assert table.visible == 0


def test_only_the_author_edits_and_deletes() -> None:
    table = an_open_table()
    table.say("c1")
    assert table.edit("c1", "new", by="boris").reason == "not_the_author"
    assert table.delete("c1", by="boris").reason == "not_the_author"
    assert table.edit("nobody", "new").reason == "comment_unknown"
    assert table.delete("c1").result == "applied"
    assert table.delete("c1").result == "applied"
    assert table.edit("c1", "new").reason == "comment_deleted"


def test_held_edit_leaves_the_published_revision_in_view() -> None:
    table = an_open_table()
    table.say("c1")
    held = table.edit("c1", "hold this")
    assert (held.result, held.status, held.revision) == ("held", "published", 2)
    comment = table.comment("c1")
    assert (comment.published_revision, comment.held_revision, table.visible) == (1, 2, 1)
    assert table.effects[-1].changed == ()


def test_held_edit_is_hidden_where_the_site_says_so() -> None:
    table = an_open_table(edit_hold="hide")
    table.say("c1")
    assert table.edit("c1", "hold this").status == "pending"
    assert table.visible == 0
    assert table.edit("c1", "clean again").status == "published"
    assert table.comment("c1").published_revision == 3


def test_rejected_edit_leaves_the_old_revision_in_view() -> None:
    table = an_open_table()
    table.say("c1")
    rejected = table.edit("c1", "reject this")
    assert (rejected.result, rejected.status) == ("rejected", "published")
    assert table.comment("c1").published_revision == 1


def test_edit_with_the_same_text_is_no_revision() -> None:
    table = an_open_table()
    table.say("c1", "text")
    assert table.edit("c1", "text").result == "applied"
    assert table.comment("c1").revision == 1


def test_edit_in_view_is_a_change() -> None:
    table = an_open_table()
    table.say("c1")
    table.edit("c1", "better")
    assert table.effects[-1].changed == ("c1",)
    assert table.visible == 1
