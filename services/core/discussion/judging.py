"""Who judges: the rules, or what was recorded when they judged before.

Site policies come through control.v1, so which one a comment met depends on how topics interleaved.
Both the verdict and the policy are therefore recorded with the outcome, and a rebuild takes them
from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.core.discussion.state import Cause
from services.core.events import Outcome, SitePolicy, VerdictGiven
from services.core.rules import Facts, Submission


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: VerdictGiven
    facts: dict[str, Any]
    """As recorded with the outcome."""


class Judge(Protocol):
    def policy(self, cause: Cause, current: SitePolicy) -> SitePolicy:
        """The site's policy that this event meets."""
        ...

    def judge(self, cause: Cause, submission: Submission, facts: Facts) -> Judgement:
        """Must not raise: if rules cannot run, the verdict is hold."""
        ...

    def told(self, cause: Cause) -> bool:
        """Whether outcomes.v1 has this event's outcome already."""
        ...

    def judged(self, cause: Cause) -> bool | None:
        """Whether rules judged this event when it was recorded; None where nothing was."""
        ...


@dataclass(frozen=True)
class LiveJudge:
    rules: Callable[[Submission, Facts], VerdictGiven]

    def policy(self, cause: Cause, current: SitePolicy) -> SitePolicy:
        return current

    def judge(self, cause: Cause, submission: Submission, facts: Facts) -> Judgement:
        return Judgement(self.rules(submission, facts), facts.seen())

    def told(self, cause: Cause) -> bool:
        return False

    def judged(self, cause: Cause) -> bool | None:
        return None


Recorded = Mapping[tuple[str, str, str], Outcome]
"""(discussion, event id, hex digest) → the first recorded outcome."""


@dataclass(frozen=True)
class RecordedJudge:
    """What was recorded first; judges only what has no record. For a rebuild."""

    recorded: Recorded
    otherwise: Judge

    def policy(self, cause: Cause, current: SitePolicy) -> SitePolicy:
        outcome = self._outcome(cause)
        if outcome is None or "site_policy" not in outcome.facts:
            return self.otherwise.policy(cause, current)
        return SitePolicy(**outcome.facts["site_policy"])

    def judge(self, cause: Cause, submission: Submission, facts: Facts) -> Judgement:
        outcome = self._outcome(cause)
        if outcome is None or outcome.verdict is None:
            return self.otherwise.judge(cause, submission, facts)
        recorded = {name: fact for name, fact in outcome.facts.items() if name != "site_policy"}
        return Judgement(outcome.verdict, recorded)

    def told(self, cause: Cause) -> bool:
        return self._outcome(cause) is not None

    def judged(self, cause: Cause) -> bool | None:
        outcome = self._outcome(cause)
        return None if outcome is None else outcome.verdict is not None

    def _outcome(self, cause: Cause) -> Outcome | None:
        return self.recorded.get((cause.key, cause.event.id, cause.digest.hex()))
