"""`veche replay FILE…`: sends recorded threads over HTTP, as a portal's importer would."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli import recordings, tokens
from services.core import codec, settings

BATCH_ITEMS = 500
BATCH_BYTES = 900 * 1024
"""Below ingest's limit of 1 MiB a batch, with room for the envelope."""

GIVE_UP_SECONDS = 120.0


class ReplayFailed(Exception):
    """The service refused the replay or stayed away; the message says what to do."""


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--site", default="demo", show_default=True, help="The portal to import into.")
@click.option(
    "--url",
    default=lambda: settings.Local.read().origin,
    show_default="`veche up`'s, on VECHE_PORT",
    help="Where Veche answers.",
)
@click.option(
    "--token", default="", help="An importer's token; made from .veche/issuers.toml if left out."
)
@click.option(
    "--rate", default=0, show_default=True, help="Events a second; 0: as fast as they are accepted."
)
@click.option(
    "--section", default="recorded", show_default=True, help="The section of the discussions."
)
@click.option(
    "--votes-per-comment",
    default=100,
    show_default=True,
    help="At most so many recorded votes a comment.",
)
@click.option("--limit", default=0, help="Only the first so many comments; 0: all.")
def replay(
    files: tuple[Path, ...],
    site: str,
    url: str,
    token: str,
    rate: int,
    section: str,
    votes_per_comment: int,
    limit: int,
) -> None:
    """Send recorded threads as a portal's events.

    FILES are JSON lines (.gz too); they become discussions, comments and votes. Sending the same
    file again changes nothing: ids come from the recording.
    """
    console = Console(stderr=True)
    try:
        comments = [comment for file in files for comment in recordings.read(file)]
        comments = comments[:limit] if limit else comments
        left_out = recordings.votes_left_out(comments, votes_per_comment)
        items = list(recordings.items(comments, section=section, most_votes=votes_per_comment))
        bearer = token or tokens.from_issuers_file(site=site, role="importer", user="importer")
        console.print(
            f"{len(comments)} comments in {len({c.thread for c in comments})} threads: "
            f"{len(items)} events to {url} (site {site})"
            + (f"; {left_out} votes left out by --votes-per-comment" if left_out else "")
        )
        counts = asyncio.run(_send(items, url, bearer, rate, console))
    except (ReplayFailed, ValueError, OSError) as error:
        console.print(f"[red]replay:[/] {error}")
        sys.exit(1)
    console.print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    sys.exit(0 if set(counts) <= {"accepted"} else 1)


async def _send(
    items: list[dict[str, Any]], url: str, token: str, rate: int, console: Console
) -> Counter[str]:
    counts: Counter[str] = Counter()
    began = time.monotonic()
    columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10.0) as client:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("replay", total=len(items))
            for batch in batches(items, BATCH_ITEMS if not rate else min(BATCH_ITEMS, rate)):
                counts += await _send_batch(client, batch)
                progress.advance(task, len(batch))
                if rate:
                    due = began + sum(counts.values()) / rate
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
    return counts


async def _send_batch(client: httpx.AsyncClient, items: list[dict[str, Any]]) -> Counter[str]:
    """Sends until every item has a last word; an unknown answer is sent again under the same id."""
    counts: Counter[str] = Counter()
    deadline = time.monotonic() + GIVE_UP_SECONDS
    body = codec.encode({"events": items})
    while True:
        if time.monotonic() > deadline:
            raise ReplayFailed(
                f"no answer for {GIVE_UP_SECONDS:.0f} s; is `veche up` running? "
                f"Run the same command again later: what was sent counts once"
            )
        try:
            answer = await client.post("/v1/events", content=body)
        except httpx.TransportError:
            await asyncio.sleep(1.0)
            continue
        if answer.status_code in (429, 503):
            # Unknown: some may be in the log. All go again; what is there counts once.
            await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
            continue
        if answer.status_code >= 400:
            raise ReplayFailed(f"{answer.status_code}: {answer.text[:500]}")
        for result in answer.json()["results"]:
            accepted = result["status"] == 202
            counts["accepted" if accepted else f"refused ({result['problem']['code']})"] += 1
        return counts


def batches(items: Iterable[dict[str, Any]], most: int) -> Iterator[list[dict[str, Any]]]:
    """Consecutive groups of at most `most` items and BATCH_BYTES of JSON."""
    sized = ((item, len(codec.encode(item)) + 1) for item in items)
    batch: list[dict[str, Any]] = []
    size = 0
    for item, item_bytes in sized:
        if batch and (len(batch) == most or size + item_bytes > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item_bytes
    if batch:
        yield batch
