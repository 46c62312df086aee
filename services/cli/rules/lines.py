"""Comments in files: JSON lines, plain or gzipped, as a portal exports them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from services.core import codec
from services.core.errors import BadEvent, Misconfigured
from services.core.events import DiscussionKey
from services.core.rules import Submission
from services.core.rules.reading import Reading

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Line(Struct):
    """One comment. `text` or `body` is needed; the rest is what a portal knows."""

    id: Any = ""
    revision: int = 1
    text: str = ""
    body: str = ""
    author: Any = ""
    at: Any = None
    created_at: Any = None
    discussion: Any = ""
    thread_id: Any = ""
    site: str = "file"
    section: str = ""
    language: str = ""
    labels: dict[str, Any] = {}
    decision: str = ""
    """What a moderator ruled: `reject` counts as bad, anything else as good."""
    facts: dict[str, Any] = {}
    """As recorded with the outcome; they win over what is computed anew."""
    warm: bool = False
    """Read for what windows count, and not counted itself."""


def read_lines(files: tuple[Path, ...]) -> Iterator[bytes]:
    for file in files:
        try:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
                yield from (line for line in lines if line.strip())
        except (OSError, EOFError, zlib.error) as error:
            raise Misconfigured(f"{file} cannot be read: {error}") from None


def decoded(raw: bytes) -> Line | None:
    """None where the line is no comment."""
    try:
        line = codec.decode(raw, Line)
    except BadEvent:
        return None
    return line if line.text or line.body else None


def submission(line: Line, reading: Reading) -> Submission:
    """A line without an author is a stranger's, each another's."""
    return Submission(
        discussion=DiscussionKey(f"{line.site}/{line.discussion or line.thread_id}"),
        comment=str(line.id),
        revision=line.revision,
        site=line.site,
        author=str(line.author or f"author of {line.id}"),
        at=when(line),
        reading=reading,
        section=line.section,
        language=line.language,
    )


class Timed(Struct):
    """Of a line, only its time."""

    at: Any = None
    created_at: Any = None


def stated_time(raw: bytes) -> datetime:
    """EPOCH where the line states none, or is no comment."""
    try:
        return when(codec.decode(raw, Timed))
    except BadEvent:
        return EPOCH


def when(line: Line | Timed) -> datetime:
    stated = line.at if line.at is not None else line.created_at
    try:
        if isinstance(stated, int | float):
            at = datetime.fromtimestamp(stated, UTC)
        else:
            at = datetime.fromisoformat(str(stated)) if stated else EPOCH
    except (ValueError, OverflowError, OSError):
        return EPOCH
    if not 1970 <= at.year <= 2200:  # as ingest takes them
        return EPOCH
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def bad(line: Line, label: str | None) -> bool | None:
    """What a moderator or a label says of the comment; None where nobody said."""
    if label is not None:
        value = line.labels.get(label)
        return None if value is None else bool(value)
    return line.decision == "reject" if line.decision else None
