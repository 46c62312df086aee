"""`veche dead-letters`: the records that could not be applied, and the way to send them again."""

from __future__ import annotations

import asyncio
import json
import sys
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from services.cli import target
from services.core import codec, consume, topics
from services.core.errors import BadEvent, Misconfigured, Retryable
from services.core.produce import Outgoing, Producer

_REPLAY_AT_ONCE = 200


@dataclass(frozen=True)
class _Kept:
    """One dead letter; `offset` is its own in the dead-letter topic."""

    offset: int
    key: bytes
    letter: consume.DeadLetter


@click.group("dead-letters")
def dead_letters() -> None:
    """Records that could never be applied, with the reason."""


def _topic(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value not in topics.declared() or not topics.dead_letters_of(value):
        known = ", ".join(name for name, t in topics.declared().items() if t.dead_letters)
        raise click.BadParameter(f"one of {known}")
    return value


@dead_letters.command("list")
@click.argument("topic", callback=_topic)
@click.option("--reason", default="", help="Only those with this reason.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for scripts.")
def list_(topic: str, reason: str, as_json: bool) -> None:
    """List the dead letters of TOPIC, oldest first. They are named by their own OFFSET."""
    kept = [one for one in asyncio.run(_read(topic)) if reason in ("", one.letter.reason)]
    if as_json:
        for one in kept:
            click.echo(json.dumps(_row(one)))
        return
    table = Table(box=None, header_style="bold")
    for heading in ("offset", "source", "recorded", "reason", "detail"):
        table.add_column(heading, overflow="fold")
    for one in kept:
        row = _row(one)
        where = f"{row['topic']}[{row['partition']}]@{row['source_offset']}"
        what = f"{row['detail']} {row['field']}".strip()
        table.add_row(str(row["offset"]), where, row["recorded_at"], row["reason"], what)
    Console().print(table)
    click.echo(f"{len(kept)} dead letters")


@dead_letters.command()
@click.argument("topic", callback=_topic)
@click.argument("offset", type=click.IntRange(min=0))
def show(topic: str, offset: int) -> None:
    """Show one dead letter whole.

    The record's value is shown as text where it is text.
    """
    for one in asyncio.run(_read(topic)):
        if one.offset == offset:
            value = _value(one)
            said = _row(one) | {
                "key": one.key.decode("utf-8", "backslashreplace"),
                "value_bytes": one.letter.value_bytes,
                "value": None if value is None else value.decode("utf-8", "backslashreplace"),
            }
            click.echo(json.dumps(said, indent=2, ensure_ascii=False))
            return
    raise Misconfigured(f"{topics.dead_letters_of(topic)} holds no letter at offset {offset}")


@dead_letters.command()
@click.argument("topic", callback=_topic)
@click.option("--from", "first", type=click.IntRange(min=0), help="First letter's own offset.")
@click.option("--to", "last", type=click.IntRange(min=0), help="Last letter's, included.")
@click.option("--all", "everything", is_flag=True, help="Every letter of the topic.")
def replay(topic: str, first: int | None, last: int | None, everything: bool) -> None:
    """Send letters again to the topic they came from.

    They keep their keys, values and event ids. The order among other records is lost; revisions
    and ids absorb that, and what had taken effect before changes nothing. Letters stay where they
    are. Exit code 1: some were not sent.
    """
    if everything == (first is not None or last is not None):
        raise click.UsageError("say --all, or --from and/or --to")
    sent, failed = asyncio.run(_replay(topic, first or 0, sys.maxsize if last is None else last))
    click.echo(f"{sent} sent to {topic}, {failed} not")
    sys.exit(1 if failed else 0)


async def _read(topic: str) -> list[_Kept]:
    kept = []
    async for records in consume.tail(target.kafka(), topics.dead_letters_of(topic)).held():
        for record in records:
            try:
                letter = codec.decode(record.value or b"", consume.DeadLetter)
            except BadEvent as why:
                click.echo(f"offset {record.offset} is not a dead letter: {why}", err=True)
                continue
            kept.append(_Kept(record.offset, record.key, letter))
    return sorted(kept, key=lambda one: one.offset)


async def _replay(topic: str, first: int, last: int) -> tuple[int, int]:
    chosen = [one for one in await _read(topic) if first <= one.offset <= last]
    sendable = []
    for one in chosen:
        value = _value(one)
        if value is None:
            click.echo(
                f"offset {one.offset}: the value ({one.letter.value_bytes} bytes) is not in the "
                f"letter; it is {topic}[{one.letter.partition}]@{one.letter.offset}",
                err=True,
            )
        else:
            sendable.append((one, Outgoing(topic, _key(one), value)))
    sent = 0
    async with Producer(target.kafka()) as producer:
        with click.progressbar(length=len(sendable), label=topic, file=sys.stderr) as bar:
            for start in range(0, len(sendable), _REPLAY_AT_ONCE):
                part = sendable[start : start + _REPLAY_AT_ONCE]
                answers = await producer.send_all([record for _, record in part])
                for (one, _), answer in zip(part, answers, strict=True):
                    if isinstance(answer, Retryable):
                        click.echo(f"offset {one.offset}: {answer}", err=True)
                    else:
                        sent += 1
                bar.update(len(part))
    return sent, len(chosen) - sent


def _row(one: _Kept) -> dict[str, Any]:
    letter = one.letter
    return {
        "offset": one.offset,
        "topic": letter.topic,
        "partition": letter.partition,
        "source_offset": letter.offset,
        "recorded_at": letter.timestamp.isoformat(timespec="milliseconds"),
        "reason": letter.reason,
        "detail": letter.detail,
        "field": letter.field,
    }


def _value(one: _Kept) -> bytes | None:
    return None if one.letter.value is None else b64decode(one.letter.value)


def _key(one: _Kept) -> bytes:
    return one.key if one.letter.key is None else b64decode(one.letter.key)
