"""`veche partitions`: how far every consumer's effects reach, and the way back of a stopped one."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from services.cli import target
from services.core import consume, db
from services.core.errors import Misconfigured, Retryable
from services.core.store import fences


@click.group()
def partitions() -> None:
    """How far each partition is, and which ones wait for you."""


@partitions.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array, for scripts.")
@click.option("--stopped", is_flag=True, help="Only those that wait for an operator.")
def list_(as_json: bool, stopped: bool) -> None:
    """List how far each partition is, and why it is stopped.

    With --json also owner and epoch.
    """
    rows = asyncio.run(_list())
    if stopped:
        rows = [row for row in rows if row["stopped_reason"]]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, header_style="bold")
    for heading in ("group", "topic", "partition", "next offset", "lag", "last record", "state"):
        right = heading in ("partition", "next offset", "lag")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in rows:
        state = "goes on"
        if row["stopped_reason"]:
            state = f"[red]{row['stopped_reason']}[/red] {row['stopped_detail']}"
        lag = "?" if row["lag"] is None else str(row["lag"])
        table.add_row(
            row["group"],
            row["topic"],
            str(row["partition"]),
            str(row["next_offset"]),
            lag,
            _ago(row["record_at"]),
            state,
        )
    Console().print(table)


@partitions.command()
@click.argument("topic")
@click.argument("partition", type=click.IntRange(min=0))
@click.option("--group", default="", help="Where several groups read the topic.")
@click.option(
    "--skip-to",
    type=click.IntRange(min=0),
    help="Go on from this offset: the records before it never take effect.",
)
def resume(topic: str, partition: int, group: str, skip_to: int | None) -> None:
    """Let a stopped partition go on.

    A partition whose topic was made anew, or whose offset left the log, needs --skip-to.
    """
    fence = asyncio.run(_resume(topic, partition, group, skip_to))
    click.echo(f"{topic}[{partition}] goes on from offset {fence.next_offset}")


async def _list() -> list[dict[str, Any]]:
    pool = await db.connect_pool(target.postgres_dsn(), 1)
    try:
        async with pool.acquire(timeout=5) as connection:
            rows = await fences.every(connection)
    finally:
        await pool.close()
    held: dict[str, consume.Log] = {}
    try:
        held = await consume.logs(target.kafka(), {row.topic for row in rows})
    except (Misconfigured, Retryable) as error:
        click.echo(f"without lag: {error}", err=True)
    return [
        {
            "group": row.group,
            "topic": row.topic,
            "partition": row.partition,
            "topic_id": str(row.topic_id),
            "next_offset": row.next_offset,
            "lag": _lag(row, held.get(row.topic)),
            "epoch": row.epoch,
            "owner": row.owner,
            "record_at": row.record_at.isoformat(timespec="seconds") if row.record_at else None,
            "stopped_reason": row.stopped_reason,
            "stopped_detail": row.stopped_detail,
            "stopped_at": row.stopped_at.isoformat(timespec="seconds") if row.stopped_at else None,
        }
        for row in rows
    ]


def _ago(instant: str | None) -> str:
    if instant is None:
        return ""
    seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(instant)).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _lag(row: fences.Listed, held: consume.Log | None) -> int | None:
    """None where it cannot be told: no Kafka, or another log than the fence's."""
    if held is None or held.topic_id != row.topic_id or row.partition not in held.ranges:
        return None
    return max(0, held.ranges[row.partition][1] - row.next_offset)


async def _resume(topic: str, partition: int, group: str, skip_to: int | None) -> fences.Fence:
    pool = await db.connect_pool(target.postgres_dsn(), 1)
    try:
        async with db.transaction(pool) as connection:
            row = _the_stopped_one(await fences.every(connection), topic, partition, group)
            topic_id = None
            if skip_to is None:
                if row.stopped_reason != "dead_letter_limit":
                    raise Misconfigured(
                        f"{topic}[{partition}] is stopped by {row.stopped_reason} "
                        f"({row.stopped_detail}): say where to go on with --skip-to"
                    )
            else:
                topic_id = await _checked(row, skip_to)
            fence = await fences.resume(
                connection, row.group, topic, partition, skip_to=skip_to, topic_id=topic_id
            )
            if fence is None:
                raise Retryable(f"somebody else resumed {topic}[{partition}] at the same time")
            return fence
    finally:
        await pool.close()


def _the_stopped_one(
    rows: list[fences.Listed], topic: str, partition: int, group: str
) -> fences.Listed:
    found = [
        row
        for row in rows
        if (row.topic, row.partition) == (topic, partition) and group in ("", row.group)
    ]
    if not found:
        raise Misconfigured(f"no consumer has a fence for {topic}[{partition}]")
    waiting = [row for row in found if row.stopped_reason]
    if not waiting:
        raise Misconfigured(f"{topic}[{partition}] is not stopped")
    if len(waiting) > 1:
        groups = ", ".join(row.group for row in waiting)
        raise Misconfigured(f"several groups stopped there ({groups}): name one with --group")
    return waiting[0]


async def _checked(row: fences.Listed, skip_to: int) -> Any:
    """The topic's id to go on with. Raises Misconfigured where the offset cannot be meant."""
    held = (await consume.logs(target.kafka(), [row.topic])).get(row.topic)
    if held is None or row.partition not in held.ranges:
        raise Misconfigured(f"{row.topic}[{row.partition}] does not exist on the cluster")
    begin, end = held.ranges[row.partition]
    if not begin <= skip_to <= end:
        raise Misconfigured(f"--skip-to must lie within the log: {begin} to {end}")
    if row.stopped_reason == "dead_letter_limit" and skip_to < row.next_offset:
        raise Misconfigured(
            f"records before offset {row.next_offset} have taken effect: they would do so twice"
        )
    return held.topic_id
