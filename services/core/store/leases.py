"""Leases: who works on what for a while. They spread work; they are not a fence."""

from __future__ import annotations

from datetime import timedelta

from services.core import db
from services.core.db import Connection

_SQL = db.queries("leases")


async def take(connection: Connection, name: str, owner: str, *, seconds: float) -> bool:
    """Takes or renews the lease; False where another owner's has not expired."""
    until = await connection.fetchval(_SQL["take"], name, owner, timedelta(seconds=seconds))
    return until is not None


async def give_back(connection: Connection, name: str, owner: str) -> None:
    """Ends the owner's lease, if it is still theirs."""
    await connection.execute(_SQL["give_back"], name, owner)


async def held(connection: Connection, prefix: str = "") -> dict[str, str]:
    """name → owner of every lease that has not expired and whose name begins with `prefix`."""
    pattern = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return {row["name"]: row["owner"] for row in await connection.fetch(_SQL["held"], pattern)}
