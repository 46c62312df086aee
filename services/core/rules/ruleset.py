"""The ruleset, a value: rules, compiled, one index over all of them, and the hash that names it.

Loaded from texts (the process's `__main__` reads the files). A mistake is a BadRuleset that names
the file, the line, the column and the nearest valid name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

from services.core.errors import BadRuleset
from services.core.rules.condition import Builder, Misplaced
from services.core.rules.context import Context, Index
from services.core.rules.detect import DETECTORS
from services.core.rules.document import Stated, stated_rules
from services.core.rules.expression import Comparison, Holds, subject
from services.core.rules.facts import Submission, Windows
from services.core.rules.features import OF_REPORTS
from services.core.rules.reading import read
from services.core.rules.rule import Case, Rule
from services.core.rules.tree import Test, Tree, guard, leaves, triggers
from services.core.rules.windows import most_counted, windows_of

RESERVED = frozenset({"policy", "rule_error", "limited", "report", "rejected_before", "score"})
"""Names that findings and reasons of the machinery have."""


@dataclass(frozen=True, slots=True)
class Compiled:
    rule: Rule
    tree: Tree
    version: str
    """Twelve hex digits over the rule, its tests left out, and the lists that it names."""
    in_scope: Callable[[Submission], bool]


@dataclass(frozen=True)
class Ruleset:
    rules: tuple[Rule, ...]
    """All of them, drafts and paused ones too, in the order of files and lines."""
    compiled: tuple[Compiled, ...]
    """Those that run, the highest priority first, then by id."""
    idle: tuple[Compiled, ...]
    """Drafts and paused ones: they are tested and explained, and do not run."""
    index: Index
    """Of all rules: a test or an explanation of an idle one looks there too."""
    windows: Windows
    """What those that run look back on; for an idle one nothing is gathered."""
    scores: frozenset[str]
    """The classifiers that they ask."""
    comparisons: tuple[Comparison, ...]
    numbered: Mapping[str, int]
    """Their places, by how they are written."""
    tests: tuple[tuple[str, Holds], ...]
    """For each the value that it asks, and whether one holds."""
    hash: str
    """Hex SHA-256 of the content: rules by id, and the lists that they name."""
    always: tuple[int, ...] = ()
    guarded: tuple[tuple[Test, tuple[int, ...]], ...] = ()
    """Rules that need the same thing of the text: asked once for all of them."""
    by_trigger: Mapping[int, tuple[int, ...]] | None = None
    off: frozenset[str] = frozenset()
    """Rules switched off since: see `without`."""

    @property
    def name(self) -> str:
        """What verdicts are signed with."""
        return self.hash if not self.off else f"{self.hash}-{'-'.join(sorted(self.off))}"

    def rule(self, id: str) -> Rule | None:
        return self._by_id.get(id)

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        return {rule.id: rule for rule in self.rules}

    def without(self, ids: Iterable[str]) -> Ruleset:
        """The same with these rules switched off: how the live side parts with one that fails."""
        return replace(self, off=self.off | frozenset(ids))

    def candidates(self, context: Context) -> Iterable[Compiled]:
        """The rules that this comment might match: those whose words are not there are skipped."""
        return [self.compiled[n] for n in self.numbers(context)]

    def numbers(self, context: Context) -> Iterable[int]:
        """Of the candidates, in `compiled`."""
        numbers: Iterable[int] = self.always
        more: set[int] = set()
        for may_hold, guarded in self.guarded:
            try:
                if not may_hold(context):
                    continue
            except Exception:  # noqa: BLE001, S110 - whose rule it is will be told there
                pass
            more.update(guarded)
        if self.by_trigger is not None and (context.words or context.patterns):
            for trigger in (*context.words, *context.patterns):
                more.update(self.by_trigger.get(trigger, ()))
        if more:
            numbers = sorted(more.union(self.always))
        if not self.off:
            return numbers
        return [n for n in numbers if self.compiled[n].rule.id not in self.off]


def load(texts: Mapping[str, str]) -> Ruleset:
    """A ruleset from a folder's texts by file name: `*.yml`, and the lists `*/*.txt`.

    Raises BadRuleset.
    """
    lists = {name: text for name, text in texts.items() if name.endswith(".txt")}
    builder = Builder(lists)
    rules: list[Rule] = []
    compiled: list[Compiled] = []
    versions: dict[str, str] = {}
    for stated in stated_rules(texts):
        rule = stated.rule
        if rule.id in RESERVED or rule.id in versions:
            raise stated.at(("id",), f"the id {rule.id!r} is taken")
        compiled.append(_compile(stated, builder, lists))
        rules.append(rule)
        versions[rule.id] = compiled[-1].version
    # RE2 builds its automatons at their first use: not at the first comment.
    for detector in DETECTORS.values():
        detector(read("http://a.example/b, www.a.com: a@b.example @name_here +7 912 345-67-89"))
    return _assemble(rules, compiled, versions, builder)


def _compile(stated: Stated, builder: Builder, lists: Mapping[str, str]) -> Compiled:
    """Raises BadRuleset."""
    rule = stated.rule
    before, used = len(builder.comparisons), len(builder.lists_used)
    try:
        tree = builder.tree(rule.when)
    except Misplaced as error:
        raise stated.at(error.path, str(error)) from None
    asked = builder.comparisons[before:]
    if rule.scope.event != ("reported",):
        for each in asked:
            if each.key in OF_REPORTS:
                raise stated.at(
                    ("when",),
                    f"`{each.text}` is known only when a reader reports the comment: "
                    "state `scope: {event: [reported]}`, and no other event",
                )
    for each in asked:
        most = most_counted(each.query) if each.query else 0
        if each.query and isinstance(each.bound, int | float) and each.bound >= most:
            raise stated.at(
                ("when",),
                f"`{each.text}`: counts over windows end at {most}, compare with less",
            )
    if rule.on_missing is None and (may_miss := [c.text for c in asked if c.may_miss]):
        raise stated.at(
            ("when",),
            f"`{may_miss[0]}` may be unknown: state `on_missing` as match, skip or hold",
        )
    effect = rule.effect
    if rule.limits != type(rule.limits)() and not (
        effect.action in ("hold", "reject") or effect.notify or effect.limit
    ):
        raise stated.at(
            ("limits",),
            "limits count rejects, holds, notices and limits on authors: `then` does none of them",
        )
    if rule.expires:
        try:
            date.fromisoformat(rule.expires)
        except ValueError:
            raise stated.at(("expires",), f"there is no day {rule.expires}") from None
    _check_facts(stated)
    content = {key: value for key, value in stated.value.items() if key != "tests"}
    named = {name: lists[name] for name in builder.lists_used[used:]}
    return Compiled(rule, tree, _hash([content, named])[:12], _scope(rule))


def _check_facts(stated: Stated) -> None:
    """Of the tests beside a rule. Raises BadRuleset."""
    for kind in ("must_match", "must_not_match", "evasions"):
        for n, case in enumerate(getattr(stated.rule.tests, kind)):
            for key, value in case.facts.items() if isinstance(case, Case) else ():
                path = ("tests", kind, n, "facts", key)
                if isinstance(value, str | bool):
                    said = f"{key} is a number, or null where it is unknown, not {value!r}"
                    raise stated.at_key(path, said)
                try:
                    subject(key)
                except BadRuleset as error:
                    raise stated.at_key(path, str(error)) from None


def _assemble(
    rules: list[Rule], compiled: list[Compiled], versions: Mapping[str, str], builder: Builder
) -> Ruleset:
    running = [each for each in compiled if each.rule.status in ("live", "shadow")]
    running.sort(key=lambda each: (-each.rule.priority, each.rule.id))
    always: list[int] = []
    guards: dict[str, tuple[Test, list[int]]] = {}
    by_trigger: dict[int, list[int]] = {}
    for n, each in enumerate(running):
        needed = triggers(each.tree)
        if needed is None:
            shared = guard(each.tree)
            if shared is None:
                always.append(n)
            else:
                guards.setdefault(shared.name, (shared.test, []))[1].append(n)
        for trigger in needed or ():
            by_trigger.setdefault(trigger, []).append(n)
    asked = [leaf.comparison for each in running for leaf in leaves(each.tree)]
    comparisons = tuple(dict.fromkeys(each for each in asked if each is not None))
    return Ruleset(
        rules=tuple(rules),
        compiled=tuple(running),
        idle=tuple(each for each in compiled if each.rule.status not in ("live", "shadow")),
        index=builder.index(),
        windows=windows_of(comparisons, any("reported" in c.rule.scope.event for c in running)),
        scores=frozenset(each.score for each in comparisons if each.score),
        comparisons=comparisons,
        numbered={each.text: n for n, each in enumerate(comparisons)},
        tests=tuple((each.key, each.test()) for each in comparisons),
        hash=_hash(sorted(versions.items())),
        always=tuple(always),
        guarded=tuple((test, tuple(numbers)) for test, numbers in guards.values()),
        by_trigger={trigger: tuple(numbers) for trigger, numbers in by_trigger.items()},
    )


def expiring(ruleset: Ruleset) -> list[tuple[str, date]]:
    """(rule, first day on which it looks no more) of the rules that run, the soonest first."""
    ends = [
        (date.fromisoformat(each.rule.expires), each.rule.id)
        for each in ruleset.compiled
        if each.rule.expires
    ]
    return [(rule, day) for day, rule in sorted(ends)]


def everywhere(comment: Submission) -> bool:
    return True


def _scope(rule: Rule) -> Callable[[Submission], bool]:
    scope = rule.scope
    events = scope.event or ("submitted", "edited")
    ends = date.fromisoformat(rule.expires) if rule.expires else None
    if scope == type(scope)() and ends is None:
        return everywhere

    def in_scope(comment: Submission) -> bool:
        if comment.reported:
            event = "reported"
        else:
            event = "submitted" if comment.revision == 1 else "edited"
        return (
            (not scope.site or comment.site in scope.site)
            and (not scope.section or comment.section in scope.section)
            and (not scope.language or comment.language in scope.language)
            and event in events
            and (ends is None or comment.at.date() < ends)
        )

    return in_scope


def _hash(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


__all__ = ["BadRuleset", "Compiled", "Ruleset", "everywhere", "load"]
