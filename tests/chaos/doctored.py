"""Ways to break a clean run's logs, effects and evidence, and the invariant that must say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.chaos.evidence import Evidence, Published

Doctor = Callable[[Evidence], None]


def row(e: Evidence, table: str, **wanted: Any) -> Any:
    [found] = [r for r in e.rows(table) if all(r[name] == wanted[name] for name in wanted)]
    return found


def lose_a_record(e: Evidence) -> None:
    e.receipts.append(("e99", ("comments.v1", 0, 99)))


def lose_an_effect(e: Evidence) -> None:
    e.rows("outcomes").pop()


def lose_what_was_told(e: Evidence) -> None:
    e.told.pop()


def sent_by_nobody(e: Evidence) -> None:
    del e.invoked["e1"]


def failed_and_applied(e: Evidence) -> None:
    e.invoked["e1"] = "fail"


def a_comment_without_cause(e: Evidence) -> None:
    e.rows("comments").append({**e.rows("comments")[0], "comment": "c77"})


def a_range_twice(e: Evidence) -> None:
    step = e.rows("fence_steps")[0]
    e.rows("fence_steps").insert(1, {**step, "stood": step["stands"]})


def a_step_over_a_gap(e: Evidence) -> None:
    step = e.rows("fence_steps")[0]
    e.rows("fence_steps").insert(1, {**step, "stood": 90, "stands": 95})


def a_zombie_s_step(e: Evidence) -> None:
    step = {**e.rows("fence_steps")[0], "epoch_was": 2, "epoch_is": 2}
    late = {**step, "stood": step["stands"], "stands": step["stands"] + 1}
    e.tables["fence_steps"] = [step, {**late, "epoch_was": 1, "epoch_is": 1}]


def two_revisions_of_one_event(e: Evidence) -> None:
    e.rows("revisions").append(dict(e.rows("revisions")[0]))


def a_total_off_by_one(e: Evidence) -> None:
    row(e, "vote_totals", target="")["up"] += 1


def a_view_twice(e: Evidence) -> None:
    e.rows("view_totals")[0]["views"] += 1


def a_count_of_comments(e: Evidence) -> None:
    e.rows("discussions")[0]["visible_comments"] -= 1


def a_count_below(e: Evidence) -> None:
    row(e, "comments", comment="c1")["visible_descendants"] = 0


def an_authors_count(e: Evidence) -> None:
    e.rows("author_totals")[0]["published"] += 1


def a_report_that_counts_twice(e: Evidence) -> None:
    row(e, "reporter_totals", reporter="cat")["upheld"] += 1


def a_reporter_forgotten(e: Evidence) -> None:
    e.rows("reporter_totals").clear()


def an_old_vote(e: Evidence) -> None:
    row(e, "votes", voter="bob", target="")["value"] = 1


def a_vote_missing(e: Evidence) -> None:
    e.rows("votes").pop()


def a_vote_of_nobody(e: Evidence) -> None:
    e.rows("votes").append({**e.rows("votes")[0], "voter": "zoe"})


def another_outcome(e: Evidence) -> None:
    row(e, "outcomes", event_id="e3")["result"] = "published"


def another_status(e: Evidence) -> None:
    row(e, "comments", comment="c3")["published_revision"] = None


def another_text(e: Evidence) -> None:
    row(e, "revisions", comment="c1")["body"] = "good evening"


def told_out_of_order(e: Evidence) -> None:
    e.told.reverse()


def a_ruling_gone(e: Evidence) -> None:
    row(e, "comments", comment="c3")["ruling"] = None


def a_letter_missing(e: Evidence) -> None:
    e.poison["views.v1", 0, 7] = "not json"


def a_letter_twice(e: Evidence) -> None:
    place = ("views.v1", 0, 7)
    e.poison[place], e.poison_values[place] = "not json", b"{"
    e.letters, e.letters_put = [(place, b"{")], [place, place]


def a_good_record_dead(e: Evidence) -> None:
    e.letters = [(("views.v1", 0, 1), b"{}")]


def a_fence_behind(e: Evidence) -> None:
    e.rows("fences")[0]["next_offset"] -= 1


def a_strip_of_nothing(e: Evidence) -> None:
    one = e.strips[0]
    e.strips.append(Published("gazette/d9", one.version, {**one.data, "discussion": "d9"}, 0, 9))


def nobody_streamed(e: Evidence) -> None:
    e.streamed.clear()


def nobody_looked_at_their_own(e: Evidence) -> None:
    e.own.clear()


def a_thread_not_read(e: Evidence) -> None:
    e.threads.clear()


def no_watch_over_fences(e: Evidence) -> None:
    e.rows("fence_steps").clear()


def nothing_measured_of_a_process(e: Evidence) -> None:
    e.descriptors.clear()
    e.tasks.clear()


def healed_too_late(e: Evidence) -> None:
    e.recoveries = [("broker_kill", 60.0, 33.0)]


def work_left(e: Evidence) -> None:
    e.waiting = {"outbox": 3}


def a_transaction_left(e: Evidence) -> None:
    e.rows("connections")[0]["stuck"] = 1


def too_many_connections(e: Evidence) -> None:
    e.rows("connections")[0]["open"] = e.connections_allowed + 1


def descriptors_left(e: Evidence) -> None:
    e.descriptors = {"reader-1": 4_000}


def tasks_left(e: Evidence) -> None:
    e.tasks = {"reader-1": 4_000}


def another_database(e: Evidence) -> None:
    e.rebuild = "votes: line 7 differs"


def a_500(e: Evidence) -> None:
    e.broken = ["500 internal"]


DOCTORED: list[tuple[str, Doctor]] = [
    ("lost", lose_a_record),
    ("lost", lose_an_effect),
    ("lost", lose_what_was_told),
    ("phantom", sent_by_nobody),
    ("phantom", failed_and_applied),
    ("phantom", a_comment_without_cause),
    ("phantom", a_strip_of_nothing),
    ("duplicate_effect", a_range_twice),
    ("duplicate_effect", a_step_over_a_gap),
    ("duplicate_effect", a_zombie_s_step),
    ("duplicate_effect", two_revisions_of_one_event),
    ("counter_mismatch", a_total_off_by_one),
    ("counter_mismatch", a_view_twice),
    ("counter_mismatch", a_count_of_comments),
    ("counter_mismatch", a_count_below),
    ("counter_mismatch", an_authors_count),
    ("reporters_record", a_report_that_counts_twice),
    ("reporters_record", a_reporter_forgotten),
    ("vote_state", an_old_vote),
    ("vote_state", a_vote_missing),
    ("vote_state", a_vote_of_nobody),
    ("order", another_outcome),
    ("order", another_status),
    ("order", another_text),
    ("order", told_out_of_order),
    ("decision_overwritten", a_ruling_gone),
    ("dead_letter_conservation", a_letter_missing),
    ("dead_letter_conservation", a_letter_twice),
    ("dead_letter_conservation", a_good_record_dead),
    ("dead_letter_conservation", a_fence_behind),
    ("staleness", healed_too_late),
    ("staleness", work_left),
    ("leaks", a_transaction_left),
    ("leaks", too_many_connections),
    ("leaks", descriptors_left),
    ("leaks", tasks_left),
    ("rebuild_equality", another_database),
    ("unexplained_answers", a_500),
    ("unseen", nobody_streamed),
    ("unseen", nobody_looked_at_their_own),
    ("unseen", a_thread_not_read),
    ("unseen", no_watch_over_fences),
    ("unseen", nothing_measured_of_a_process),
]
