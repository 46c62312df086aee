"""Laws of judging: what a tree answers, and what the order of rules and the batch do not change."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.core.rules import Facts, Submission, judge, load, replay
from services.core.rules.condition import Builder
from services.core.rules.context import Context
from services.core.rules.format import formatted
from services.core.rules.judge import RULE_ERROR
from services.core.rules.questions import rest
from services.core.rules.rule import Condition, Node
from services.core.rules.tree import Branch, Tree, misses
from tests.unit.rules.build import TEXTS, a_ruleset, a_submission

LEAVES = {
    "author.published > 1": lambda text, facts: _over(facts.get("author.published"), 1),
    "author.rejected > 0": lambda text, facts: _over(facts.get("author.rejected"), 0),
    "text.length > 5": lambda text, facts: len(text.strip()) > 5,
    "слон": lambda text, facts: "слон" in text.split(),
    "кит+": lambda text, facts: "кит" in text,
}


def _over(value: int | None, bound: int) -> bool | None:
    return None if value is None else value > bound


def leaf(name: str) -> Node:
    if name == "слон":
        return Condition(words=("=слон",))
    return Condition(patterns=(name,)) if name == "кит+" else name


def branch(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(
        st.sampled_from(["all", "any", "none", "not_"]), st.lists(below, min_size=1, max_size=3)
    )


SHAPES = st.recursive(st.sampled_from(sorted(LEAVES)), branch, max_leaves=8)
TEXT = st.lists(st.sampled_from(["слон", "кит", "а", "китт"]), max_size=4).map(" ".join)
FACTS = st.fixed_dictionaries(
    {}, optional={"author.published": st.integers(0, 3), "author.rejected": st.integers(0, 2)}
)


def node(shape: Any) -> Node:
    if isinstance(shape, str):
        return leaf(shape)
    kind, below = shape
    if kind == "not_":
        return Condition(not_=node(below[0]))
    return Condition(**{kind: tuple(map(node, below))})


def naive(shape: Any, text: str, facts: dict[str, int]) -> bool | None:
    """Kleene's logic, word for word."""
    if isinstance(shape, str):
        return LEAVES[shape](text, facts)
    kind, below = shape
    answers = [naive(one, text, facts) for one in (below[:1] if kind == "not_" else below)]
    if kind == "all":
        return False if False in answers else None if None in answers else True
    found = True if True in answers else None if None in answers else False
    return found if kind == "any" or found is None else not found


@settings(deadline=None, max_examples=60)
@given(SHAPES, TEXT, FACTS)
def test_tree_answers_as_a_naive_interpreter(shape: Any, text: str, facts: dict[str, int]) -> None:
    builder = Builder({})
    tree: Tree = builder.tree(node(shape))
    context = Context(a_submission(text), Facts(facts), builder.index())
    assert tree.test(context) is naive(shape, text, facts)
    if not tree.test(context) and not isinstance(tree, Branch):
        assert misses(tree, context) == [tree]


@settings(deadline=None, max_examples=200)
@given(SHAPES, TEXT, FACTS)
def test_what_is_left_of_a_tree_answers_with_the_facts_as_the_tree(
    shape: Any, text: str, facts: dict[str, int]
) -> None:
    builder = Builder({})
    tree: Tree = builder.tree(node(shape))
    index = builder.index()
    comparisons = [(each.key, each.test()) for each in builder.comparisons]
    numbered = {each.text: n for n, each in enumerate(builder.comparisons)}
    unknown = Context(a_submission(text), Facts(), index)
    if tree.test(unknown) is None:
        left = rest(tree, unknown, numbered)
        known = Context(a_submission(text), Facts(facts), index)
        assert replay.answer(left, facts, comparisons) is tree.test(known)


RULES = [
    "id: word\nthen: hold\nwhen: {words: [слон]}",
    "id: both\nthen: reject\npriority: 3\nwhen: {all: [{patterns: [кит+]}, author.published < 2]}",
    "id: long\nthen: note\nstatus: shadow\nwhen: text.length > 5",
    "id: risky\nthen: reject\non_missing: hold\nwhen: {any: [score(x) > 0.5, text.words > 3]}",
    "id: calm\nthen: publish\nwhen: {none: [{words: [кит]}, author.rejected > 0]}",
]


@settings(deadline=None, max_examples=25)
@given(st.permutations(RULES), TEXT, FACTS)
def test_order_of_rules_does_not_matter(order: list[str], text: str, facts: dict[str, int]) -> None:
    given_ = judge(a_submission(text), Facts(facts), a_ruleset(*order))
    assert given_ == judge(a_submission(text), Facts(facts), ORDERED)


@settings(deadline=None, max_examples=100)
@given(TEXT, FACTS, st.sampled_from([None, 0.2, 0.9]))
def test_a_backtest_gives_the_verdict_of_judge(
    text: str, facts: dict[str, Any], score: float | None
) -> None:
    comment = a_submission(text)
    known = Facts(facts if score is None else facts | {"score(x)": score})
    for rules in (REPLAY, replay.Replay(ORDERED)):  # with what it remembers, and without
        seen, verdict = rules.settle(rules.look(comment), known)
        judged = judge(comment, known, ORDERED)
        assert verdict == judged.action
        ids = [ORDERED.compiled[n].rule.id for n in seen.hits]
        assert ids == [each.rule for each in judged.findings if "unknown" not in each.detail]


def test_a_backtest_holds_for_a_rule_that_fails_at_some_texts_only() -> None:
    def broken(comment: Submission) -> bool:
        if comment.section == "broken":
            raise RuntimeError
        return True

    rules = tuple(replace(rule, in_scope=broken) for rule in ORDERED.compiled)
    failing = replace(ORDERED, compiled=rules)
    replayed = replay.Replay(failing)
    known = Facts({"author.published": 5, "score(x)": 0.1})
    for section in ("", "broken", "", "broken"):  # what is remembered hides no failure
        comment = a_submission("а", section=section)
        seen, verdict = replayed.settle(replayed.look(comment), known)
        judged = judge(comment, known, failing)
        assert verdict == judged.action == ("hold" if section else "publish")
        assert [ORDERED.compiled[n].rule.id for n in seen.failed] == [
            each.detail["rule"] for each in judged.findings if each.rule == RULE_ERROR
        ]


def test_a_rule_in_the_shadow_that_fails_holds_nothing_in_a_backtest() -> None:
    rule = "id: odd\nthen: hold\nwhen: author.published > 1\nstatus: {}"
    comment, known = a_submission("а"), Facts({"author.published": "many"})
    for status, action in (("live", "hold"), ("shadow", "publish")):
        rules = a_ruleset(rule.format(status))
        replayed = replay.Replay(rules)
        seen, verdict = replayed.settle(replayed.look(comment), known)
        assert (seen.failed, verdict) == ((0,), action)
        assert judge(comment, known, rules).action == action


def test_a_backtest_leaves_out_rules_that_are_switched_off() -> None:
    off = replay.Replay(ORDERED.without(["word"]))
    assert off.look(a_submission("слон")).hits == ()
    assert REPLAY.look(a_submission("слон")).hits != ()


ORDERED = a_ruleset(*RULES)
REPLAY = replay.Replay(ORDERED)
WRITTEN = st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF, exclude_characters="\0")


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(WRITTEN, min_size=1, max_size=40), max_size=4))
def test_formatting_is_idempotent_and_keeps_every_text(texts: list[str]) -> None:
    stated = "\n".join(f"    - {json.dumps(text)}" for text in texts) or "    []"
    rule = f"{RULES[1]}\n{TEXTS}tests:\n  must_match:\n{stated}\n"
    once = formatted("a.yml", rule)
    assert formatted("a.yml", once) == once
    assert list(load({"a.yml": once}).rules[0].tests.must_match) == texts
