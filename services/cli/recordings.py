"""Recorded threads (JSON lines, plain or gzip) as the items that an importer sends, in time order.

One line is one comment: `id`, `text`, `lang`, `thread_id`, `created_at`, and where the source has
them `thread_title`, `author`, `likes`, `dislikes`, `score`. Ids are made from the recording's own,
so that replaying a file twice takes effect once.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.core import codec
from services.core.errors import BadEvent

UNNAMED_AUTHOR = "unnamed"


@dataclass(frozen=True)
class RecordedComment:
    """One line of a recording; `up` and `down` are counts of readers who voted."""

    id: str
    thread: str
    title: str
    language: str
    author: str
    text: str
    created_at: datetime
    up: int
    down: int


def read(path: Path) -> Iterator[RecordedComment]:
    """Raises ValueError naming the line where the file is not a recording."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield _comment(codec.decode(line, dict[str, Any]))
            except KeyError as missing:
                raise ValueError(f"{path.name}:{number} has no {missing}") from None
            except (BadEvent, TypeError, ValueError) as error:
                raise ValueError(f"{path.name}:{number}: {error}") from None


def _comment(row: dict[str, Any]) -> RecordedComment:
    created_at = datetime.fromisoformat(row["created_at"])
    score = row.get("score") or 0
    return RecordedComment(
        id=_id(row["id"]),
        thread=_id(str(row["thread_id"])),
        title=row.get("thread_title") or f"Recorded thread {row['thread_id']}",
        language=row["lang"] if row["lang"] in ("ru", "en") else "",
        author=_id(str(row.get("author") or UNNAMED_AUTHOR)),
        text=row["text"],
        created_at=created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC),
        up=row.get("likes", max(score, 0)),
        down=row.get("dislikes", max(-score, 0)),
    )


def _id(given: str) -> str:
    """As it stands where it is a valid id, else a hash of it."""
    if re.fullmatch(r"[A-Za-z0-9._~-]{1,48}", given):
        return given
    return hashlib.sha256(given.encode()).hexdigest()[:32]


def items(
    comments: Iterable[RecordedComment], *, section: str, most_votes: int
) -> Iterator[dict[str, Any]]:
    """Events in the order in which they happened: each thread is opened by its first comment.

    A comment gets at most `most_votes` of its recorded votes, in proportion; the caller tells
    how many are left out (`votes_left_out`). Every vote has a voter of its own.
    """
    ordered = sorted(comments, key=lambda comment: (comment.created_at, comment.id))
    languages = _languages(ordered)
    opened: set[str] = set()
    for comment in ordered:
        at = comment.created_at.isoformat()
        if comment.thread not in opened:
            opened.add(comment.thread)
            yield {
                "id": f"{comment.thread}:opened",
                "type": "veche.discussion.opened.v1",
                "occurredat": at,
                "data": {
                    "discussion": comment.thread,
                    "revision": 1,
                    "url": f"https://portal.example/threads/{comment.thread}",
                    "title": comment.title[:500],
                    "language": languages[comment.thread],
                    "section": section,
                },
            }
        yield {
            "id": comment.id,
            "type": "veche.comment.submitted.v1",
            "actor": comment.author,
            "actorname": comment.author,
            "occurredat": at,
            "data": {
                "discussion": comment.thread,
                "comment": comment.id,
                "body": comment.text,
            },
        }
        up, down = _share(comment.up, comment.down, most_votes)
        for number in range(up + down):
            voter = f"{comment.id}~{number}"
            yield {
                "id": voter,
                "type": "veche.vote.cast.v1",
                "actor": voter,
                "occurredat": at,
                "data": {
                    "discussion": comment.thread,
                    "comment": comment.id,
                    "value": 1 if number < up else -1,
                },
            }


def votes_left_out(comments: Iterable[RecordedComment], most_votes: int) -> int:
    return sum(max(0, comment.up + comment.down - most_votes) for comment in comments)


def _share(up: int, down: int, most: int) -> tuple[int, int]:
    if up + down <= most:
        return up, down
    kept_up = round(most * up / (up + down))
    return kept_up, most - kept_up


def _languages(comments: Iterable[RecordedComment]) -> dict[str, str]:
    """A thread's language: that of most of its comments."""
    counts: dict[str, dict[str, int]] = {}
    for comment in comments:
        thread = counts.setdefault(comment.thread, {})
        if comment.language:
            thread[comment.language] = thread.get(comment.language, 0) + 1
    return {
        thread: max(seen, key=lambda language: seen[language], default="ru")
        for thread, seen in counts.items()
    }
