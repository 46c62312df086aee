"""The addresses of strips: one, or many at once; from memory, else from Postgres."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.core import codec
from services.core.events import DiscussionKey, Strip
from services.core.problems import Problem, bad_parameter
from services.core.store import threads
from services.reader.answer import parts_of, public
from services.reader.names import discussion_key, unknown_discussion
from services.reader.parts import Parts
from services.reader.reading import reading
from services.reader.rendered import Encoded
from services.reader.shelf import KeptStrip, strip_shown

router = APIRouter(prefix="/v1/sites/{site}")

MAX_COUNTERS = 100


@router.get("/discussions/{discussion}", name="discussion")
async def discussion(request: Request, site: str, discussion: str) -> Response:
    kept = await strip_of(parts_of(request), discussion_key(site, discussion))
    return public(request, Encoded(kept.body, _version_said(kept.strip)))


@router.get("/counters", name="counters")
async def counters(
    request: Request, site: str, discussion: Annotated[list[str], Query()]
) -> Response:
    """Strips of up to 100 discussions at once; unknown ones are named.

    While Postgres is away, those that memory does not hold are named as unavailable.
    """
    parts = parts_of(request)
    asked = list(dict.fromkeys(discussion))
    if len(asked) > MAX_COUNTERS:
        raise bad_parameter("discussion", f"at most {MAX_COUNTERS} discussions at once")
    keys = {name: discussion_key(site, name) for name in asked}
    found: dict[str, Strip] = {}
    for name, key in keys.items():
        if kept := parts.strips.get(key):
            found[name] = kept.strip
    missing = [name for name in asked if name not in found]
    unavailable: list[str] = []
    if missing and not _knows_all(parts):
        try:
            async with reading(parts.pool) as connection:
                read = await threads.strips(connection, [keys[name] for name in missing])
        except Problem:
            if not found:
                raise
            unavailable = missing
        else:
            for name in missing:
                if strip := read.get(keys[name]):
                    found[name] = _told(parts, keys[name], strip).strip
    shown = {
        name: strip_shown(found[name])
        for name in asked
        if name in found and found[name].state != "removed"
    }
    unknown = [name for name in asked if name not in shown and name not in unavailable]
    answer: dict[str, Any] = {"counters": shown, "unknown": unknown}
    body = codec.encode(answer | ({"unavailable": unavailable} if unavailable else {}))
    age = parts.freshness.strips_age_seconds()
    return public(request, Encoded(body, [(b"age", str(age).encode())] if age else None))


async def strip_of(parts: Parts, key: DiscussionKey) -> KeptStrip:
    """From memory, else from Postgres; raises a Problem where the discussion is not there."""
    kept = parts.strips.get(key) or await strip_if_written(parts, key)
    if kept is None or kept.strip.state == "removed":
        raise unknown_discussion()
    return kept


def _knows_all(parts: Parts) -> bool:
    """Memory holds every published strip, so that Postgres need not be asked for another."""
    return parts.strips.whole and parts.freshness.caught_up()


async def strip_if_written(parts: Parts, key: DiscussionKey) -> KeptStrip | None:
    """From Postgres, for readers: none of them is told an older version from here on."""
    strip = await strip_written(parts, key)
    return _told(parts, key, strip) if strip else None


async def strip_written(parts: Parts, key: DiscussionKey) -> Strip | None:
    async with reading(parts.pool) as connection:
        return (await threads.strips(connection, [key])).get(key)


def _told(parts: Parts, key: DiscussionKey, strip: Strip) -> KeptStrip:
    return parts.strips.answered(key, KeptStrip(strip, parts.now()))


async def strip_if_any(parts: Parts, key: DiscussionKey) -> KeptStrip | None:
    """None where the discussion was opened a moment ago and has no strip yet.

    Raises a Problem where the discussion is not there.
    """
    kept = parts.strips.get(key) or await strip_if_written(parts, key)
    state: str | None
    if kept is not None:
        state = kept.strip.state
    else:
        async with reading(parts.pool) as connection:
            state = await threads.discussion_state(connection, key)
    if state is None or state == "removed":
        raise unknown_discussion()
    return kept


async def version_of(parts: Parts, key: DiscussionKey) -> str:
    """Of the strip: a page read after it is as new as it, so streams go on from there.

    "" where there is none yet. Raises a Problem where the discussion is not there.
    """
    kept = await strip_if_any(parts, key)
    return str(kept.version) if kept else ""


def _version_said(strip: Strip) -> list[tuple[bytes, bytes]]:
    return [(b"veche-version", str(strip.version).encode())]
