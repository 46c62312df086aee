"""What a changed ruleset says differently of comments that were judged before."""

from __future__ import annotations

from services.core.rules.change import Replayed, changed, effect, newly_rejecting, reach
from tests.unit.rules.build import a_ruleset, a_submission

MILD = "id: long\nthen: hold\nwhen: text.length > 20"
BEFORE = a_ruleset(MILD)
TEXTS = ("short", "neither short nor very long", "this one is so long that nobody reads it all")


def comments(**facts: int) -> list[Replayed]:
    return [Replayed(a_submission(text), dict(facts)) for text in TEXTS]


def test_moves_are_counted_in_all_and_by_rule_with_samples() -> None:
    after = a_ruleset(
        "id: long\nthen: hold\nwhen: text.length > 30",
        "id: longest\nthen: reject\nwhen: text.length > 40",
    )
    told = effect(BEFORE, after, comments())
    moves = {one["move"]: one["comments"] for one in told["moves"]}
    assert moves == {"hold -> publish": 1, "hold -> reject": 1}
    rules = {(one["rule"], one["move"]) for one in told["rules"]}
    assert rules == {("long", "hold -> publish"), ("longest", "hold -> reject")}
    assert all(len(one["samples"]) == 1 for one in told["moves"])
    assert changed(BEFORE, after) == {"long": "changed", "longest": "added"}


def test_the_same_rules_move_nothing() -> None:
    told = effect(BEFORE, a_ruleset(MILD), comments())
    assert (told["comments"], told["moves"], told["rules"]) == (3, [], [])
    assert changed(BEFORE, a_ruleset(MILD)) == {}


def test_recorded_facts_win_over_those_computed_anew() -> None:
    after = a_ruleset(MILD, "id: new\nthen: reject\nwhen: author.published < 3")
    known = effect(BEFORE, after, comments(**{"author.published": 9}))
    assert (known["moves"], known["facts"]) == ([], {"recorded": 3, "anew": 0})
    anew = effect(BEFORE, after, comments())
    assert sum(one["comments"] for one in anew["moves"]) == 3
    assert anew["facts"] == {"recorded": 0, "anew": 3}


def test_only_live_rejects_that_are_new_or_changed_need_a_second_person() -> None:
    reject = "id: a\nthen: reject\nwhen: text.length > 5"
    assert newly_rejecting(BEFORE, a_ruleset(MILD, reject)) == ["a"]
    assert newly_rejecting(a_ruleset(reject), a_ruleset(reject, MILD)) == []
    assert newly_rejecting(a_ruleset(reject), a_ruleset(reject.replace("> 5", "> 4"))) == ["a"]
    shadow = f"{reject}\nstatus: shadow"
    assert newly_rejecting(BEFORE, a_ruleset(shadow)) == []
    assert newly_rejecting(a_ruleset(shadow), a_ruleset(reject)) == ["a"]
    assert newly_rejecting(a_ruleset(reject), BEFORE) == []


def test_a_change_of_spelling_alone_counts_each_comment_once_and_moves_nothing() -> None:
    rule = "id: regular\nthen: hold\nwhen: author.published > 2"
    before, after = a_ruleset(rule), a_ruleset(f"# Why.\n{rule}")
    assert before.hash == after.hash
    few = [Replayed(a_submission("one", comment=f"c{n}"), {}) for n in range(5)]
    assert effect(before, after, few)["moves"] == []


def test_a_change_reaches_the_sites_of_rules_that_differ_as_they_were_and_as_they_are() -> None:
    of_gazette = "id: a\nthen: hold\nwhen: text.length > 5\nscope: {site: [gazette]}"
    stricter = of_gazette.replace("> 5", "> 4")
    assert reach(BEFORE, a_ruleset(MILD, of_gazette)) == ["gazette"]
    assert reach(a_ruleset(MILD, of_gazette), a_ruleset(MILD, stricter)) == ["gazette"]
    moved = of_gazette.replace("[gazette]", "[herald]")
    assert reach(a_ruleset(of_gazette), a_ruleset(moved)) == ["gazette", "herald"]
    assert reach(a_ruleset(of_gazette), a_ruleset()) == ["gazette"]
    everywhere = of_gazette.replace("scope: {site: [gazette]}", "")
    assert reach(a_ruleset(of_gazette), a_ruleset(everywhere)) == ["*", "gazette"]
    paused = MILD + "\nstatus: paused"
    assert reach(BEFORE, a_ruleset(paused)) == ["*"]
    tested = MILD + "\ntests: {must_match: ['something quite long enough']}"
    assert reach(BEFORE, a_ruleset(tested)) == []
