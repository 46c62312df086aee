"""Learning from moderators, beside the batches: one process at a time, under a lease.

A decision's effect leaves a lesson in the same transaction; what is learned from it is stored in
the transaction that deletes the lesson, so each decision is learned from once whatever fails.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from services.core import db, metrics
from services.core.model import BadModel, Learner, Settings
from services.core.model.stored import unpack_learner
from services.core.store import leases, models

log = logging.getLogger(__name__)

LEASE = "learning"
LEASE_SECONDS = 30.0
EVERY_SECONDS = 10.0
MOST = 200
"""Lessons of a site in one transaction."""


async def learn(pool: db.Pool, stop: asyncio.Event, owner: str, settings: Settings) -> None:
    """Until `stop`. A database that is away only delays: lessons wait in it."""
    while not stop.is_set():
        more = False
        try:
            async with db.transaction(pool) as connection:
                mine = await leases.take(connection, LEASE, owner, seconds=LEASE_SECONDS)
                sites = await models.sites_with_lessons(connection) if mine else []
            for site in sites:
                if stop.is_set():
                    break
                more |= await tried(pool, site, settings) == MOST
        except db.UNAVAILABLE as error:
            log.warning("could not learn from decisions: %r", error)
        except Exception:  # comments must be judged though nothing is learned
            log.exception("decisions are not learned from")
        if not more:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
    with suppress(*db.UNAVAILABLE):
        async with db.transaction(pool) as connection:
            await leases.give_back(connection, LEASE, owner)


async def tried(pool: db.Pool, site: str, settings: Settings) -> int:
    """As `learn_site`; a site whose lessons fail keeps them and holds up no other site."""
    try:
        return await learn_site(pool, site, settings)
    except db.UNAVAILABLE as error:
        log.warning("could not learn from decisions of %s: %s", site, error)
    except Exception:  # comments must be judged, and other sites' decisions learned from
        log.exception("decisions of %s are not learned from", site)
    metrics.LEARNING_FAILED.labels(site).inc()
    return 0


async def learn_site(pool: db.Pool, site: str, settings: Settings) -> int:
    """Learns from the site's oldest lessons, at most MOST; answers from how many."""
    async with db.transaction(pool) as connection:
        lessons = await models.lessons_of(connection, site, MOST)
        if not lessons:
            return 0
        kept = await models.state(connection, site, settings.label)
        learner, version = await asyncio.to_thread(opened, settings, kept)
        given = await asyncio.to_thread(taught, learner, lessons)
        if await models.keep(connection, site, learner, version) is None:
            raise TimeoutError(f"another process learned for {site} meanwhile")
        await models.forget(connection, lessons)
    measure(site, learner, given)
    return len(lessons)


def opened(settings: Settings, kept: models.Kept | None) -> tuple[Learner, int]:
    """The stored learner, or a new one where there is none that this code can read."""
    if kept is None:
        return Learner(settings), 0
    try:
        return unpack_learner(settings, kept.state), kept.version
    except BadModel as error:
        log.warning("learning begins anew: %s", error)
        return Learner(settings), kept.version


def taught(learner: Learner, lessons: Sequence[models.Told]) -> list[tuple[float, bool]]:
    """(probability before learning, label) of each lesson that has a text."""
    return [
        (learner.learn(lesson.body, lesson.rejected), lesson.rejected)
        for lesson in lessons
        if lesson.body is not None
    ]


def measure(site: str, learner: Learner, given: Sequence[tuple[float, bool]]) -> None:
    label = learner.settings.label
    for probability, rejected in given:
        right = "right" if (probability >= 0.5) == rejected else "wrong"
        metrics.LEARNED.labels(site, label, right).inc()
    measured = learner.measured()
    if measured is not None:
        for measure, value in (
            ("accuracy", measured.accuracy),
            ("auc", measured.auc),
            ("log_loss", measured.log_loss),
            ("calibration_error", measured.expected_calibration_error),
        ):
            metrics.MODEL_QUALITY.labels(site, label, measure).set(value)
