"""What rules cannot tell before a classifier of the portal's has answered."""

from __future__ import annotations

import re
from datetime import timedelta

from services.core.events import FindingSeen, VerdictGiven

SCORE = "score"
"""Why a comment waits that only a score can tell."""

WAIT = timedelta(seconds=30)
"""From the comment's own record on; a score that comes later is late."""

OURS = frozenset({"rejection"})
"""What the model that learns from moderators is called: nobody else answers for it."""

_ASKED = re.compile(r"score\((\w+)\)")


def wanted(verdict: VerdictGiven | None, *, shadow: bool = True) -> list[str]:
    """The classifiers that a rule's answer hangs on, by name; in the shadow too."""
    names = {
        asked[1]
        for finding in (verdict.findings if verdict is not None else [])
        if shadow or not finding.shadow
        for text in finding.detail.get("unknown", ())
        if (asked := _ASKED.match(text)) is not None
    }
    return sorted(names - OURS)


def stands_on_scores(finding: FindingSeen) -> bool:
    """Whether a score is among the values that it was judged on, or that it still misses."""
    return any(_ASKED.match(key) for key in (*finding.detail, *finding.detail.get("unknown", ())))
