"""Models as rules use them: `score(rejection) > 0.9`, swapped between batches.

A score is a fact like any other: recorded with the outcome, so a replay judges on the same number.
A model that has not seen enough gives no score, and a rule's `on_missing` says what that means.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from services.core import db, metrics
from services.core.discussion import Cause, Judge, Judgement
from services.core.events import FindingSeen, ScoreGiven, SitePolicy
from services.core.model import BadModel, Learner, Model, Settings
from services.core.model.stored import unpack_learner
from services.core.rules import Facts, Submission
from services.core.store import models

log = logging.getLogger(__name__)

EVERY_SECONDS = 3.0
TELLING = 5
_PLACES = 4


class Models:
    """The newest model of every site that has seen enough; `follow` keeps it so."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._found: dict[str, tuple[int, Model]] = {}

    def of(self, site: str, label: str) -> Model | None:
        found = self._found.get(site) if label == self.settings.label else None
        return found[1] if found else None

    async def refresh(self, pool: db.Pool) -> None:
        """Loads what has a new version. The swap is one assignment: a batch sees old or new."""
        label = self.settings.label
        async with db.transaction(pool) as connection:
            current = await models.versions(connection)
        for site in [site for site in self._found if (site, label) not in current]:
            del self._found[site]
        for (site, of), version in current.items():
            if of != label or self._found.get(site, (0,))[0] == version:
                continue
            async with db.transaction(pool) as connection:
                kept = await models.state(connection, site, label)
            if kept is None or not kept.enough:
                continue
            try:
                made = await asyncio.to_thread(self._made, kept.state)
            except BadModel as error:
                log.warning("the model of %s is not used: %s", site, error)
                continue
            self._found[site] = (kept.version, made)
            metrics.MODEL_VERSION.labels(site, label).set(kept.version)

    def _made(self, state: bytes) -> Model:
        learner: Learner = unpack_learner(self.settings, state)
        return learner.model()

    async def follow(self, pool: db.Pool, stop: asyncio.Event) -> None:
        """Until `stop`. A database that is away leaves the models as they are."""
        while not stop.is_set():
            try:
                await self.refresh(pool)
            except db.UNAVAILABLE as error:
                log.warning("could not look for newer models: %r", error)
            except Exception:  # comments are judged without scores, not left lying
                log.exception("models are not followed")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)


class Scoring:
    """A judge that adds to the facts what models say, for the scores that rules ask for."""

    def __init__(self, judge: Judge, models: Models, wanted: Callable[[], Collection[str]]) -> None:
        self.judge_by = judge
        self.models = models
        self.wanted = wanted
        """The names in `score(NAME)` of the ruleset in use."""

    def policy(self, cause: Cause, current: SitePolicy) -> SitePolicy:
        return self.judge_by.policy(cause, current)

    def told(self, cause: Cause) -> bool:
        return self.judge_by.told(cause)

    def judged(self, cause: Cause) -> bool | None:
        return self.judge_by.judged(cause)

    def judge(self, cause: Cause, submission: Submission, facts: Facts) -> Judgement:
        text = submission.reading.original
        try:
            return self._judge(cause, submission, facts, text)
        except Exception:  # any bug of a model: no score, which is not a low score
            log.exception("no score for %s of %s", submission.comment, submission.discussion)
            return self.judge_by.judge(cause, submission, facts)

    def _judge(self, cause: Cause, submission: Submission, facts: Facts, text: str) -> Judgement:
        if isinstance(cause.event, ScoreGiven):  # the facts are those of the revision's verdict
            return self.judge_by.judge(cause, submission, facts)
        asked: dict[str, Model] = {}
        for name in sorted(self.wanted()):
            if (model := self.models.of(submission.site, name)) is not None:
                asked[f"score({name})"] = model
        if not asked:
            return self.judge_by.judge(cause, submission, facts)
        scores = {key: round(model.score(text).value, _PLACES) for key, model in asked.items()}
        facts = replace(facts, values={**facts.values, **scores})
        judged = self.judge_by.judge(cause, submission, facts)
        findings = [explained(finding, asked, text) for finding in judged.verdict.findings]
        return replace(judged, verdict=msgspec.structs.replace(judged.verdict, findings=findings))


def explained(finding: FindingSeen, asked: Mapping[str, Model], text: str) -> FindingSeen:
    """A finding that was judged on a score also says which n-grams told."""
    telling: dict[str, Any] = {}
    spans = list(finding.spans)
    for key in asked.keys() & finding.detail.keys():
        found = asked[key].explain(text, TELLING)
        telling[key] = {
            "model": asked[key].version,
            "telling": [
                {"ngram": t.ngram, "weight": t.weight, "span": list(t.span)} for t in found
            ],
        }
        spans += [t.span for t in found if t.span not in spans]
    if not telling:
        return finding
    return msgspec.structs.replace(
        finding, spans=spans, detail={**finding.detail, "telling": telling}
    )
