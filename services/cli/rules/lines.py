"""Comments in files: JSON lines, plain or gzipped, as a portal exports them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from services.cli import json_lines
from services.cli.json_lines import EPOCH, BadLine
from services.core import codec
from services.core.errors import BadEvent, Misconfigured
from services.core.events import DiscussionKey
from services.core.rules import Submission
from services.core.rules.reading import Reading


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
                yield from (line for line in json_lines.without_mark(lines) if line.strip())
        except (OSError, EOFError, zlib.error) as error:
            raise Misconfigured(f"{file} cannot be read: {error}") from None


def decoded(raw: bytes) -> Line:
    """Its `at` is a time. Raises BadLine where the line is no comment."""
    line = json_lines.as_a(Line, json_lines.object_of(raw))
    if not line.text and not line.body:
        raise BadLine("`text` (or `body`) is missing")
    line.at = json_lines.time_of(line.at, line.created_at)
    return line


def submission(line: Line, reading: Reading) -> Submission:
    """A line without an author is a stranger's, each another's."""
    return Submission(
        discussion=DiscussionKey(f"{line.site}/{line.discussion or line.thread_id}"),
        comment=str(line.id),
        revision=line.revision,
        site=line.site,
        author=str(line.author or f"author of {line.id}"),
        at=line.at,
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
        timed = codec.decode(raw, Timed)
        return json_lines.time_of(timed.at, timed.created_at)
    except (BadEvent, BadLine):
        return EPOCH


def bad(line: Line, label: str | None) -> bool | None:
    """What a moderator or a label says of the comment; None where nobody said. Raises BadLine."""
    if label is not None:
        return json_lines.label_of(line.labels, label)
    return line.decision == "reject" if line.decision else None
