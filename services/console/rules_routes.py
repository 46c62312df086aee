"""Routes of the ruleset: it holds for the whole installation, so no site stands in the address."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from services.console import bodies
from services.console.identity import AdministratorAnywhere, AnyAdministrator, AnyModerator
from services.console.routes import answer, pool_of, settled
from services.console.rulesets import HISTORY, Rulesets
from services.console.undoing import beginning
from services.core.db import Pool
from services.core.problems import not_found
from services.core.store import rulesets

router = APIRouter(prefix="/v1/console/rulesets")
Number = Annotated[int, Path(ge=1, le=2**53)]


def rulesets_of(request: Request) -> Rulesets:
    found: Rulesets = request.app.state.rulesets
    return found


@router.get("")
async def history(
    request: Request,
    identity: AnyModerator,
    below: Annotated[int, Query(ge=1, le=rulesets.NEWEST)] = rulesets.NEWEST,
) -> Response:
    """What is in use, what was before it, and what waits for a second look."""
    pool: Pool = pool_of(request)
    async with pool.acquire() as connection:
        versions = await rulesets.versions(connection, below, HISTORY)
        newest = await rulesets.newest(connection)
        waiting = await rulesets.proposals(connection, HISTORY)
    folder = await rulesets_of(request).folder_hash()
    version, hash = newest or (0, folder)
    return answer(
        {
            "current": {"version": version, "hash": hash},
            "folder": {"hash": folder, "differs": folder != hash},
            "versions": [one._asdict() for one in versions],
            "proposals": [one._asdict() for one in waiting],
            "next": versions[-1].version if len(versions) == HISTORY else None,
        }
    )


@router.get("/current")
async def current(request: Request, identity: AnyModerator) -> Response:
    found = await rulesets_of(request).current()
    return answer({"version": found.version, "hash": found.hash, "files": found.files})


@router.get("/versions/{number}")
async def one_version(request: Request, identity: AnyModerator, number: Number) -> Response:
    async with pool_of(request).acquire() as connection:
        found = await rulesets.one(connection, min(number, rulesets.NEWEST))
    if found is None:
        raise not_found(f"there is no version {number}")
    return answer({**found[0]._asdict(), "files": found[1]})


@router.post("/proposals")
async def propose(request: Request, identity: AnyModerator) -> Response:
    body = await bodies.read(request, bodies.ProposalBody, bodies.MAX_RULES_BYTES)
    made = await rulesets_of(request).propose(identity, body.files, body.reason.strip())
    return answer(_shown(made), 201)


@router.get("/proposals/{number}")
async def one_proposal(request: Request, identity: AnyModerator, number: Number) -> Response:
    proposal, files = await rulesets_of(request).proposal(number)
    return answer({**_shown(proposal), "files": files})


@router.post("/proposals/{number}/approve")
async def approve(request: Request, identity: AnyAdministrator, number: Number) -> Response:
    return settled(await rulesets_of(request).approve(identity, number))


@router.post("/proposals/{number}/withdraw")
async def withdraw(request: Request, identity: AnyModerator, number: Number) -> Response:
    return answer(_shown(await rulesets_of(request).withdraw(identity, number)))


@router.post("/rollback")
async def roll_back(request: Request, identity: AnyAdministrator) -> Response:
    body = await bodies.read(request, bodies.RollbackBody)
    return settled(await rulesets_of(request).roll_back(identity, body.to, body.reason.strip()))


@router.post("/undo")
async def undo(request: Request, identity: AdministratorAnywhere) -> Response:
    """One page; `next` of the answer is `after` of the next one, until it is null."""
    body = await bodies.read(request, bodies.UndoBody)
    since: datetime | None = body.since
    after = rulesets.Place(*body.after) if body.after else beginning(since)
    return answer(
        await rulesets_of(request).undoing.page(
            identity, body.rule, body.version, body.reason.strip(), after, body.dry_run
        )
    )


def _shown(proposal: rulesets.Proposal) -> dict[str, Any]:
    return {**proposal._asdict(), "second_person": bool(proposal.rejects)}
