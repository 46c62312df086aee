"""Policies of whole sites."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from services.core import db
from services.core.db import Connection
from services.core.events import SitePolicy

_SQL = db.queries("policies")


async def of(connection: Connection, sites: Collection[str]) -> dict[str, SitePolicy]:
    """site → policy, where control.v1 set one."""
    return {
        row["site"]: SitePolicy(
            policy=row["policy"],
            report_threshold=row["report_threshold"],
            edit_hold=row["edit_hold"],
            late_scores=row["late_scores"],
        )
        for row in await connection.fetch(_SQL["policies_of"], sorted(sites))
    }


async def put(connection: Connection, policies: Mapping[str, SitePolicy]) -> None:
    if not policies:
        return
    sites = sorted(policies)
    await connection.execute(
        _SQL["put"],
        sites,
        [policies[site].policy for site in sites],
        [policies[site].report_threshold for site in sites],
        [policies[site].edit_hold for site in sites],
        [policies[site].late_scores for site in sites],
    )
