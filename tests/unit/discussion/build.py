"""A discussion for tests: events by short names, a verdict that the body itself states."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.core import codec, events
from services.core.discussion import (
    Cause,
    Comment,
    Effect,
    Judgement,
    State,
    apply,
    facts_with,
)
from services.core.discussion.comments import VerdictOf
from services.core.events import FindingSeen, Outcome, Policy, SitePolicy, VerdictGiven
from services.core.rules import Submission, fold, read

VERSION = "0123456789ab"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def verdict_of(submission: Submission, policy: Policy) -> Judgement:
    """`hold …` is held and `reject …` rejected by a rule named `stated`; `ask …` needs scores."""
    return stated(submission, policy, {})


def stated(submission: Submission, policy: Policy, facts: dict[str, Any]) -> Judgement:
    first = submission.reading.original.split()[0]
    if first == "ask":
        return Judgement(asking(facts), facts)
    action: Any = first if first in ("hold", "reject") else "publish"
    findings = []
    if action != "publish":
        findings.append(FindingSeen(rule="stated", action=action, version=VERSION))
    for word in submission.reading.original.split()[1:]:  # `hold also:reject`: of another rule
        if word.startswith("also:"):
            other: Any = word.removeprefix("also:")
            findings.append(FindingSeen(rule="other", action=other, version=VERSION))
            action = "reject" if "reject" in (action, other) else other
    if policy == "hold_first":
        findings.append(FindingSeen(rule="policy", action="hold"))
        action = "hold" if action == "publish" else action
    return Judgement(VerdictGiven(action=action, ruleset="test", findings=findings), {})


def asking(facts: dict[str, Any]) -> VerdictGiven:
    """As two rules would: `score(rude) > 0.5` holds, `score(spam) > 0.5` rejects."""
    findings = []
    for name, action in (("rude", "hold"), ("spam", "reject")):
        value = facts.get(f"score({name})")
        if value is None:
            unknown = {"unknown": [f"score({name}) > 0.5"]}
            findings.append(FindingSeen(rule=name, action="note", detail=unknown))
        elif value > 0.5:
            detail = {f"score({name})": value}
            findings.append(FindingSeen(rule=name, action=action, detail=detail))  # type: ignore[arg-type]
    return fold(findings, "test")


def an_event(kind: type[Any], data: Any, *, actor: str = "anna", id: str = "", **more: Any) -> Any:
    return kind(
        id=id, source="/sites/portal", site="portal", actor=actor, time=NOON, data=data, **more
    )


@dataclass
class Table:
    """One discussion and its events: every method sends one event and returns its outcome."""

    state: State = field(default_factory=State)
    policy: SitePolicy = field(default_factory=SitePolicy)
    discussion: str = "d1"
    sent: int = 0
    later: timedelta = timedelta()
    """What is sent from now on is recorded so much later."""
    effects: list[Effect] = field(default_factory=list)
    report_verdict_of: VerdictOf | None = None

    def send(self, event: events.CommentsEvent) -> Outcome | None:
        self.sent += 1
        at = NOON + timedelta(seconds=self.sent) + self.later
        body = getattr(event.data, "body", None)
        cause = Cause(event, event.key, codec.digest(event), at, at, read(body) if body else None)

        def judged(submission: Submission, policy: Policy) -> Judgement:
            known = isinstance(event, events.ScoreGiven)
            facts = dict(facts_with(self.state, event).values) if known else {}  # type: ignore[arg-type]
            return stated(submission, policy, facts)

        effect = apply(self.state, cause, self.policy, judged, self.report_verdict_of)
        self.state.absorb(cause, effect)
        self.effects.append(effect)
        return effect.outcome

    def _named(self, kind: type[Any], data: Any, actor: str, id: str, **more: Any) -> Outcome:
        event = an_event(kind, data, actor=actor, id=id or f"e{self.sent}", **more)
        outcome = self.send(event)
        assert outcome is not None
        return outcome

    def open(
        self, revision: int = 1, *, kind: Any = events.DiscussionOpened, **more: Any
    ) -> Outcome:
        data = {"url": "https://a.example/1", "title": "T", "language": "ru", "section": "s"} | more
        described = events.DiscussionDescribed(
            discussion=self.discussion, revision=revision, **data
        )
        return self._named(kind, described, "portal", "")

    def say(
        self,
        comment: str,
        body: str = "text",
        *,
        by: str = "anna",
        to: str | None = None,
        id: str = "",
    ) -> Outcome:
        data = events.CommentBody(discussion=self.discussion, comment=comment, body=body, parent=to)
        return self._named(events.CommentSubmitted, data, by, id)

    def edit(self, comment: str, body: str, *, by: str = "anna") -> Outcome:
        data = events.CommentRewrite(discussion=self.discussion, comment=comment, body=body)
        return self._named(events.CommentEdited, data, by, "")

    def delete(self, comment: str, *, by: str = "anna") -> Outcome:
        data = events.CommentRef(discussion=self.discussion, comment=comment)
        return self._named(events.CommentDeleted, data, by, "")

    def report(self, comment: str, *, by: str, revision: int = 1) -> Outcome:
        data = events.ReportOnComment(
            discussion=self.discussion, comment=comment, revision=revision, reason="spam"
        )
        return self._named(events.ReportFiled, data, by, "")

    def decide(
        self, comment: str, ruling: Any, revision: int = 1, status: Any = "pending"
    ) -> Outcome:
        data = events.DecisionOnComment(
            discussion=self.discussion,
            comment=comment,
            ruling=ruling,
            expected=events.Expected(revision=revision, status=status),
            reason="because",
        )
        return self._named(events.DecisionMade, data, "moderator", "", signature="")

    def score(self, comment: str, name: str, value: float, revision: int = 1) -> Outcome:
        data = events.ScoreOfComment(self.discussion, comment, revision, name, value)
        return self._named(events.ScoreGiven, data, "scorer", "", signature="")

    def undo(
        self, comment: str, rule: str = "stated", revision: int = 1, version: str = VERSION
    ) -> Outcome:
        data = events.UndoOnComment(self.discussion, comment, revision, rule, version, "mistaken")
        return self._named(events.RuleUndone, data, "admin", "", signature="")

    def comment(self, name: str) -> Comment:
        return self.state.comments[name]

    @property
    def visible(self) -> int:
        assert self.state.discussion is not None
        return self.state.discussion.visible_comments


def an_open_table(**policy: Any) -> Table:
    table = Table(policy=SitePolicy(**policy))
    table.open()
    return table
