"""Which comments the portal's classifier is asked about: those that a rule's answer hangs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.core import codec, metrics
from services.core.consume import Batch
from services.core.db import Connection
from services.core.discussion.undecided import SCORE, WAIT, wanted
from services.core.events import CommentEdited, CommentSubmitted, OutcomeRecorded, type_name
from services.core.store import wanted_scores

CAUSES = frozenset({type_name(CommentSubmitted), type_name(CommentEdited)})


@dataclass(frozen=True)
class Want:
    """Handles outcomes.v1: notes what to ask, and asks nothing itself."""

    clock: Callable[[], datetime]

    async def __call__(self, connection: Connection, batch: Batch[OutcomeRecorded]) -> None:
        since = self.clock() - WAIT
        found = [
            wanted_scores.Wanted(
                told.discussion, outcome.comment, outcome.revision, told.site, names, told.time
            )
            for record in batch.records
            if (outcome := (told := record.event).data).cause in CAUSES
            and (outcome.result == "published" or outcome.reason == SCORE)
            and (names := wanted(outcome.verdict))
        ]
        in_time = [one for one in found if one.recorded_at >= since]
        await wanted_scores.want(connection, in_time)
        if late := len(found) - len(in_time):
            metrics.SCORES.labels("late").inc(late)


def decode(raw: bytes) -> OutcomeRecorded:
    return codec.decode(raw, OutcomeRecorded)
