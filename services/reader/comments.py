"""The addresses of threads: pages of comments with their first replies, and all replies of one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from services.core import codec
from services.core.events import DiscussionKey
from services.core.problems import not_found
from services.core.store import threads
from services.core.store.threads import Listed
from services.reader.answer import parts_of, public
from services.reader.cursor import AfterComment, AfterRank
from services.reader.names import COMMENT, discussion_key
from services.reader.parts import Parts
from services.reader.reading import reading
from services.reader.rendered import Encoded
from services.reader.strips import version_of
from services.reader.thread import comment_shown, roots_shown

router = APIRouter(prefix="/v1/sites/{site}")

MAX_PAGE = 100
MAX_REPLIES = 20

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Replies = Annotated[int, Query(ge=0, le=MAX_REPLIES)]
Cursor = Annotated[str, Query(max_length=1_000)]
Sort = Literal["newest", "oldest", "best"]


@router.get("/discussions/{discussion}/comments", name="comments")
async def comments(
    request: Request,
    site: str,
    discussion: str,
    sort: Sort = "newest",
    limit: Limit = 20,
    replies: Replies = 3,
    cursor: Cursor = "",
) -> Response:
    """A page of roots with their first replies."""
    parts = parts_of(request)
    key = discussion_key(site, discussion)
    version = await version_of(parts, key)
    listing = f"comments {key} {sort}"

    async def page() -> Encoded:
        if sort == "best":
            shown = await _best(parts, key, listing, limit, replies, cursor)
        else:
            shown = await _in_time(parts, key, listing, sort, limit, replies, cursor)
        return Encoded(
            codec.encode({"discussion": discussion, "version": version, "sort": sort} | shown)
        )

    encoded = await parts.pages.get((key, sort, limit, replies, cursor, version), page)
    return public(request, encoded)


@router.get("/discussions/{discussion}/comments/{comment}/replies", name="replies")
async def replies(
    request: Request,
    site: str,
    discussion: str,
    comment: Annotated[str, Path(pattern=f"^{COMMENT.pattern}$")],
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Response:
    """Everything listed below a comment, the oldest first, each naming its parent."""
    parts = parts_of(request)
    key = discussion_key(site, discussion)
    version = await version_of(parts, key)
    listing = f"replies {key} {comment}"
    after = parts.cursors.open(listing, cursor, AfterComment) if cursor else None
    async with reading(parts.pool) as connection:
        root = await threads.root_of(connection, key, comment)
        if root is None:
            raise not_found("no such comment in this discussion")
        listed = await threads.replies(
            connection, key, root, comment, after.place if after else None, limit + 1
        )
    more = len(listed) > limit
    shown = listed[:limit]
    body = codec.encode(
        {
            "discussion": discussion,
            "version": version,
            "comment": comment,
            "replies": [comment_shown(reply) for reply in shown],
            "next": _seal(parts, listing, shown[-1]) if more else None,
        }
    )
    return public(request, Encoded(body))


async def _in_time(
    parts: Parts,
    key: DiscussionKey,
    listing: str,
    sort: Sort,
    limit: int,
    first_replies: int,
    cursor: str,
) -> dict[str, Any]:
    after = parts.cursors.open(listing, cursor, AfterComment) if cursor else None
    async with reading(parts.pool) as connection:
        listed = await threads.roots(
            connection,
            key,
            newest_first=sort == "newest",
            after=after.place if after else None,
            limit=limit + 1,
            replies=first_replies + 1,
        )
    roots = [comment for comment in listed if comment.root == comment.comment]
    shown = roots_shown(listed, first_replies, _more_replies(parts, key))[:limit]
    more = len(roots) > limit
    return {"comments": shown, "next": _seal(parts, listing, roots[limit - 1]) if more else None}


async def _best(
    parts: Parts, key: DiscussionKey, listing: str, limit: int, first_replies: int, cursor: str
) -> dict[str, Any]:
    after = parts.cursors.open(listing, cursor, AfterRank) if cursor else None

    async def votes() -> list[tuple[Any, str, int, int]]:
        async with reading(parts.pool) as connection:
            return await threads.root_votes(connection, key)

    position, expired = 0, False
    if after is None:
        order = await parts.orders.begin(key, votes)
    else:
        order, position, expired = await parts.orders.resume(key, after, votes)
    ids = [rank[-1] for rank in order.ranks[position : position + limit]]
    async with reading(parts.pool) as connection:
        listed = await threads.roots_by_id(connection, key, ids, first_replies + 1)
    end = position + len(ids)
    more = end < len(order.ranks)
    return {
        "comments": roots_shown(listed, first_replies, _more_replies(parts, key)),
        "order": {"name": order.name, "expired": expired},
        "next": parts.cursors.seal(listing, order.cursor_at(end)) if more else None,
    }


def _more_replies(parts: Parts, key: DiscussionKey) -> Any:
    def seal(root: Listed, last: Listed) -> str:
        listing = f"replies {key} {root.comment}"
        if last is root:
            return parts.cursors.seal(listing, AfterComment(0, ""))
        return _seal(parts, listing, last)

    return seal


def _seal(parts: Parts, listing: str, last: Listed) -> str:
    return parts.cursors.seal(listing, AfterComment.behind(last.submitted_at, last.comment))
