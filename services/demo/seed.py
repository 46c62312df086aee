"""Opens the sample discussions through the public HTTP API, as a portal would.

Every event has a fixed id and says the same each time, so a restart changes nothing. Votes come
from readers whom nobody can sign in as: an old vote sent again could else undo a visitor's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx

from services.demo.issuer import READERS
from services.demo.samples import SAMPLES, Sample

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0


def events_of(sample: Sample) -> Iterator[dict[str, Any]]:
    """A discussion, what is said in it, and the votes on both, in the order that they happen."""
    yield {
        "id": f"sample-{sample.id}-1",
        "type": "veche.discussion.opened.v1",
        "data": {
            "discussion": sample.id,
            "revision": 1,
            "url": sample.url,
            "title": sample.title,
            "language": sample.language,
            "section": sample.section,
        },
    }
    yield from _votes(sample.id, None, sample.liked, sample.disliked)
    for said in sample.said:
        reader = READERS[said.reader]
        data: dict[str, Any] = {"discussion": sample.id, "comment": said.id, "body": said.body}
        if said.parent is not None:
            data["parent"] = said.parent
        yield {
            "id": f"sample-{said.id}",
            "type": "veche.comment.submitted.v1",
            "actor": reader.id,
            "actorname": reader.name,
            "data": data,
        }
        yield from _votes(sample.id, said.id, said.liked, said.disliked)


def _votes(discussion: str, comment: str | None, up: int, down: int) -> Iterator[dict[str, Any]]:
    for number, value in enumerate([1] * up + [-1] * down):
        data: dict[str, Any] = {"discussion": discussion, "value": value}
        if comment is not None:
            data["comment"] = comment
        yield {
            "id": f"sample-vote-{comment or discussion}-{number}",
            "type": "veche.vote.cast.v1",
            "actor": f"passer-by-{number}",
            "data": data,
        }


async def open_samples(
    client: httpx.AsyncClient,
    portal_token: Callable[[], str],
    samples: Sequence[Sample] = SAMPLES,
) -> None:
    """Tries until the log has taken every event; the same ids may be sent any number of times."""
    events = [event for sample in samples for event in events_of(sample)]
    pause = FIRST_PAUSE_SECONDS
    while not await _taken(client, portal_token(), events):
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    log.info("the %d sample discussions are open", len(samples))


async def _taken(client: httpx.AsyncClient, token: str, events: list[dict[str, Any]]) -> bool:
    try:
        answer = await client.post(
            "/v1/events",
            json={"events": events},
            headers={"authorization": f"Bearer {token}"},
        )
    except httpx.HTTPError as error:
        log.debug("the origin does not answer yet: %r", error)
        return False
    if answer.status_code not in (202, 207):
        log.debug("ingest answers %d", answer.status_code)
        return False
    results = answer.json()["results"]
    for result in results:
        if result["status"] not in (202, 503):
            log.error("a sample was refused: %s", result)
    return all(result["status"] != 503 for result in results)
