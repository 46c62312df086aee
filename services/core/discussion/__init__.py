"""What events do to a discussion, pure: a state and an event in, an effect and an outcome out."""

from services.core.discussion.apply import apply
from services.core.discussion.judging import Judge, Judgement, LiveJudge, RecordedJudge
from services.core.discussion.reports import Settled, open_reports, settle
from services.core.discussion.scores import facts_with
from services.core.discussion.state import (
    Cause,
    Comment,
    Discussion,
    Effect,
    Judged,
    Report,
    Revision,
    State,
)

__all__ = [
    "Cause",
    "Comment",
    "Discussion",
    "Effect",
    "Judge",
    "Judged",
    "Judgement",
    "LiveJudge",
    "RecordedJudge",
    "Report",
    "Revision",
    "Settled",
    "State",
    "apply",
    "facts_with",
    "open_reports",
    "settle",
]
