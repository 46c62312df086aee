"""From admitted events to the log, and from its acknowledgements to receipts.

202 is said after `acks=all` only. Where the log did not confirm in time the outcome is unknown, and
the answer says so: the same id may be sent again, since consumers apply it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from services.core import codec, receipts
from services.core.errors import Retryable
from services.core.problems import Problem, away
from services.core.produce import Outgoing, Sent
from services.ingest.admit import Accepted

DEADLINE_SECONDS = 0.8
"""Below one second with what else a request costs."""
MAX_IN_FLIGHT = 10_000
"""Events handed over and not yet answered."""
RETURN_SECONDS = (1, 3)
"""When those come back whose events were not confirmed."""


class Log(Protocol):
    """What ingest needs of a producer."""

    async def send_all(
        self, records: Sequence[Outgoing], *, deadline_seconds: float
    ) -> list[Sent | Retryable]: ...


class Sender:
    """Hands events over, a bounded number at a time."""

    def __init__(self, log: Log, receipt_secret: bytes, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._log = log
        self._secret = receipt_secret
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    async def send(self, accepted: Sequence[Accepted]) -> list[dict[str, Any] | Problem]:
        """A receipt or the problem for each, in order; all within the deadline."""
        if self._in_flight + len(accepted) > self._max_in_flight:
            busy = away(
                "too many events are in flight; nothing was sent, send it again later",
                "busy",
                seconds=RETURN_SECONDS,
            )
            return [busy for _ in accepted]
        self._in_flight += len(accepted)
        try:
            sent = await self._log.send_all(
                [one.record for one in accepted],
                deadline_seconds=DEADLINE_SECONDS,
            )
        finally:
            self._in_flight -= len(accepted)
        return [
            _unknown() if isinstance(where, Retryable) else self._receipt(one, where)
            for one, where in zip(accepted, sent, strict=True)
        ]

    def _receipt(self, accepted: Accepted, sent: Sent) -> dict[str, Any]:
        event = accepted.event
        receipt = receipts.issue(
            receipts.Receipt(
                topic=sent.topic,
                partition=sent.partition,
                offset=sent.offset,
                event=event.id,
                type=accepted.type,
                digest=codec.digest(event).hex(),
                discussion=event.key,
                actor=event.actor,
                comment=getattr(event.data, "comment", None) or "",
            ),
            self._secret,
        )
        return {"id": event.id, "receipt": receipt, "receipt_url": f"/v1/receipts/{receipt}"}


def _unknown() -> Problem:
    return away(
        "the log did not confirm the event in time, so it may have been kept or not; "
        "the same id may safely be sent again and takes effect once",
        "outcome_unknown",
        seconds=RETURN_SECONDS,
    )
