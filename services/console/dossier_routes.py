"""Routes of the files: one comment with all that became of it, and one author's history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from services.console import show
from services.console.decide import ACQUIRE_SECONDS
from services.console.identity import Moderator
from services.console.routes import CommentName, DiscussionName, answer, pool_of
from services.core.problems import not_found
from services.core.rules import effects
from services.core.store import dossier

LAST_COMMENTS = 20

AuthorName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._~@:-]{1,100}$")]

router = APIRouter(prefix="/v1/console/sites/{site}")


@router.get("/comments/{discussion}/{comment}")
async def one_comment(
    request: Request, identity: Moderator, discussion: DiscussionName, comment: CommentName
) -> Response:
    item = (f"{identity.site}/{discussion}", comment)
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        file = await dossier.one_comment(connection, item)
        if file is None:
            raise not_found("there is no such comment in this discussion")
        revisions = await dossier.revisions_of(connection, item)
        outcomes = await dossier.outcomes_of(connection, item)
        reports = await dossier.reports_of(connection, item)
    titles: show.Titles = request.app.state.titles
    return answer(
        {
            "discussion": discussion,
            "comment": comment,
            "title": file.title,
            "url": file.url,
            "language": file.language,
            "section": file.section,
            "author": {"id": file.author, "name": file.author_name},
            "parent": file.parent,
            "submitted_at": file.submitted_at,
            "held_since": file.held_since,
            "labels": file.labels,
            "claim": show.claim(file.claimed_by, file.claim_expires_at),
            **show.state(file),
            "revisions": revisions,
            "outcomes": [
                {
                    "id": outcome.event_id,
                    "cause": outcome.cause,
                    "revision": outcome.revision,
                    "result": outcome.result,
                    "reason": outcome.reason,
                    "status": outcome.status,
                    "findings": show.findings(outcome.verdict, titles),
                    "score": effects.score(outcome.verdict),
                    "ruleset": outcome.verdict.ruleset if outcome.verdict else None,
                    "facts": outcome.facts,
                    "recorded_at": outcome.recorded_at,
                }
                for outcome in outcomes
            ],
            "decisions": show.decisions(outcomes),
            "reports": reports,
        }
    )


@router.get("/authors/{author}")
async def history(request: Request, identity: Moderator, author: AuthorName) -> Response:
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        counts = await dossier.author_counts(connection, identity.site, author)
        if counts.comments == 0:
            raise not_found("nobody of this name wrote on this site")
        comments = await dossier.author_comments(connection, identity.site, author, LAST_COMMENTS)
        rulings = await dossier.author_decisions(connection, identity.site, author, LAST_COMMENTS)
    return answer(
        {
            "author": {"id": author, "name": comments[0].author_name},
            "first_comment_at": counts.first_at,
            "last_comment_at": counts.last_at,
            "counts": {
                "comments": counts.comments,
                "published": counts.published,
                "rejected": counts.rejected,
                "pending": counts.pending,
                "deleted": counts.deleted,
                "held": counts.held,
                "reports": counts.reports,
            },
            "comments": [
                {
                    "discussion": show.discussion_id(comment.discussion),
                    "comment": comment.comment,
                    "title": comment.title,
                    "submitted_at": comment.submitted_at,
                    "body": comment.body,
                    "reason": comment.held_reason
                    or comment.ruling_reason
                    or comment.outcome_reason
                    or "",
                    **show.state(comment),
                }
                for comment in comments
            ],
            "decisions": [
                {
                    "discussion": show.discussion_id(ruled.discussion),
                    "comment": ruled.comment,
                    "ruling": ruled.ruling,
                    "revision": ruled.ruled_revision,
                    "moderator": ruled.ruled_by,
                    "at": ruled.ruled_at,
                    "reason": ruled.ruling_reason or "",
                    "status": ruled.status,
                }
                for ruled in rulings
            ],
        }
    )
