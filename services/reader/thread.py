"""Comments as JSON: text stays text (clients insert it as text), tombstones say nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.core.store.threads import Listed


def comment_shown(comment: Listed) -> dict[str, Any]:
    """A tombstone has no author, body or votes: only its place and what stands below it."""
    shown: dict[str, Any] = {
        "id": comment.comment,
        "parent": comment.parent,
        "root": comment.root,
        "submitted_at": comment.submitted_at,
        "hidden": not comment.visible,
        "replies": comment.descendants,
    }
    if comment.visible:
        edited = {"revision": comment.revision, "at": comment.written_at}
        shown |= {
            "author": {"id": comment.author, "name": comment.author_name},
            "body": comment.body,
            "edited": edited if comment.revision > 1 else None,
            "up": comment.up,
            "down": comment.down,
            "rating": comment.up - comment.down,
        }
    return shown


def roots_shown(
    listed: Sequence[Listed], first_replies: int, more: Callable[[Listed, Listed], str]
) -> list[dict[str, Any]]:
    """Roots with their first replies; `more(root, last reply shown)` seals where the rest begins.

    `listed` holds up to one reply more than `first_replies` for each root.
    """
    below: dict[str, list[Listed]] = {}
    for comment in listed:
        if comment.root != comment.comment:
            below.setdefault(comment.root, []).append(comment)
    shown = []
    for root in listed:
        if root.root != root.comment:
            continue
        found = below.get(root.comment, [])
        kept = found[:first_replies]
        shown.append(
            comment_shown(root)
            | {
                "first_replies": [comment_shown(reply) for reply in kept],
                "more_replies": more(root, kept[-1] if kept else root)
                if len(found) > len(kept)
                else None,
            }
        )
    return shown
