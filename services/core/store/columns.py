"""Columns of a batch, one parameter each.

On hot paths an array goes over as its text (`$1::text::text[]` in the statement): asyncpg encodes
an array's elements one by one, which costs a batch of 2,000 more than Postgres's parsing of the
text does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any


def texts(values: Collection[str]) -> str:
    """As `text[]` reads it; any text goes through unchanged."""
    if not values:
        return "{}"
    joined = '","'.join(values)
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        joined = '","'.join([v.replace("\\", "\\\\").replace('"', '\\"') for v in values])
    return f'{{"{joined}"}}'


def text_columns(rows: Collection[tuple[str, ...]]) -> list[str]:
    """At least one row of texts, column by column."""
    return [texts(column) for column in zip(*rows, strict=True)]


def maybe_texts(values: Sequence[str | None]) -> str:
    """As `texts`; None is null."""
    if all(value is None for value in values):
        return f"{{{','.join(['NULL'] * len(values))}}}"
    return f"{{{','.join(['NULL' if v is None else texts((v,))[1:-1] for v in values])}}}"


def numbers(values: Iterable[int | None]) -> str:
    """As `smallint[]`, `integer[]` or `bigint[]` reads it; None is null."""
    return f"{{{','.join(map(str, values))}}}".replace("None", "NULL")


def instants(values: Sequence[datetime | None]) -> tuple[list[datetime | None], str]:
    """(distinct instants, each value's place among them from 1): `($1::timestamptz[])[place]`.

    The broker stamps many records at once, so there are few.
    """
    places: dict[datetime | None, int] = {}
    found = [places.setdefault(value, len(places) + 1) for value in values]
    return list(places), numbers(found)


def arrays(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """As asyncpg encodes them, off the hot paths; no rows are `width` empty arrays."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]
