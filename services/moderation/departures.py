"""Watches whether rules hit as often as they used to, and drops hits that nobody asks for any more:
one process at a time, under a lease."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from services.core import db, metrics
from services.core.rules import Ruleset
from services.core.rules.brakes import ALL, Version, hour_of
from services.core.rules.departure import ALARM, Hour, departure
from services.core.store import leases, rule_hits

log = logging.getLogger(__name__)

LEASE = "departures"
LEASE_SECONDS = 180.0
EVERY_SECONDS = 60.0
HISTORY = timedelta(days=14)
HOUR = timedelta(hours=1)


class Departures:
    """`ruleset` is the one in use, `now` the clock: which hour was the last full one is no state
    of readers', rules' or counters', only an alarm's."""

    def __init__(
        self, ruleset: Callable[[], Ruleset], now: Callable[[], datetime], owner: str
    ) -> None:
        self.ruleset = ruleset
        self.now = now
        self.owner = owner
        self._departed: set[str] = set()

    async def watch(self, pool: db.Pool, stop: asyncio.Event) -> None:
        """Until `stop`. A database that is away leaves the last values."""
        while not stop.is_set():
            try:
                async with db.transaction(pool) as connection:
                    mine = await leases.take(connection, LEASE, self.owner, seconds=LEASE_SECONDS)
                    scores = await self._scores(connection) if mine else {}
                    if mine:
                        await rule_hits.forget(connection)
            except db.UNAVAILABLE as error:
                log.warning("could not compare rules with their history: %r", error)
            except Exception:  # comments must be judged though nobody watches the rules
                log.exception("rules are not compared with their history")
            else:
                self._tell(scores)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
        with suppress(*db.UNAVAILABLE):
            async with db.transaction(pool) as connection:
                await leases.give_back(connection, LEASE, self.owner)

    async def _scores(self, connection: db.Connection) -> dict[str, float]:
        versions = [(one.rule.id, one.version) for one in self.ruleset().compiled]
        last = hour_of(self.now()) - HOUR
        rows = await rule_hits.hourly(connection, versions, last - HISTORY, last + HOUR)
        return scores(rows, versions, last)

    def _tell(self, scores: dict[str, float]) -> None:
        metrics.RULE_DEPARTURE.clear()
        for rule, score in scores.items():
            metrics.RULE_DEPARTURE.labels(rule).set(score)
        departed = {rule for rule, score in scores.items() if abs(score) > ALARM}
        for rule in sorted(departed - self._departed):
            log.warning(
                "rule %s hits %s often than it used to: %.1f deviations in the last full hour",
                rule, "more" if scores[rule] > 0 else "less", abs(scores[rule]),
            )  # fmt: skip
        self._departed = departed


def scores(
    rows: Sequence[rule_hits.Hourly], versions: Sequence[Version], last: datetime
) -> dict[str, float]:
    """Rule → how its version departs in the hour `last` from the hours before, since it hit first.

    A version that never hit before that hour has no history and is left out.
    """
    hits: dict[Version, dict[datetime, int]] = defaultdict(dict)
    for row in rows:
        hits[row.rule, row.version][row.hour] = row.hits
    comments = hits[ALL, ""]
    found = {}
    for rule, version in versions:
        of_rule = hits.get((rule, version), {})
        first = min(of_rule, default=last)
        if first >= last:
            continue
        history = [
            Hour(of_rule.get(hour, 0), judged)
            for hour, judged in comments.items()
            if first <= hour < last
        ]
        found[rule] = departure(history, Hour(of_rule.get(last, 0), comments.get(last, 0)))
    return found
