"""Lines of files of comments, read by all commands alike, as strictly as a body over HTTP."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from services.core import codec, strict
from services.core.errors import BadEvent, VecheError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of what states none."""
YEARS = range(1970, 2201)
"""As ingest takes them."""
MAX_DEPTH = 100
"""Portals' exports hold more than Veche reads."""

_BACKSLASH = ord("\\")


class BadLine(VecheError):
    """A line that cannot be trusted: says why."""


def without_mark(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file; a byte order mark at its beginning is none of the text."""
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix(BOM_UTF8)


def object_of(line: bytes) -> dict[str, Any]:
    """Raises BadLine."""
    # `strict` takes twice the time. A member that is there twice has a colon more than what is kept
    # of it; so have deeper objects and a quoted word before a colon, and then `strict` is asked.
    try:
        value = codec.decode(line, Any)
        if (
            isinstance(value, dict)
            and line.count(b'":') + line.count(b'" :') == _members(value)
            and not (_BACKSLASH in line and b"\\u0000" in line)
        ):
            return value
    except BadEvent:
        pass  # `strict` says why
    try:
        value = strict.parse(line, MAX_DEPTH)
    except BadEvent as error:
        raise BadLine(_said(error)) from None
    if not isinstance(value, dict):
        raise BadLine("this is no JSON object")
    return value


def as_a(type: type[strict.T], row: dict[str, Any]) -> strict.T:
    """Raises BadLine."""
    try:
        return strict.convert(row, type)
    except BadEvent as error:
        raise BadLine(_said(error)) from None


def time_of(at: object, created_at: object) -> datetime:
    """The first of them that is stated; EPOCH where neither is. Raises BadLine."""
    stated = created_at if at is None or at == "" else at
    if stated is None or stated == "":
        return EPOCH
    try:
        if isinstance(stated, int | float) and not isinstance(stated, bool):
            time = datetime.fromtimestamp(stated, UTC)
        else:
            time = datetime.fromisoformat(str(stated))
    except (ValueError, OverflowError, OSError):
        raise BadLine(f"`at` is not a time in ISO 8601 or in seconds: {_shown(stated)}") from None
    if time.year not in YEARS:
        raise BadLine(f"`at` lies outside of {YEARS[0]} to {YEARS[-1]}: {_shown(stated)}")
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def label_of(labels: dict[str, Any], label: str) -> bool | None:
    """None where the line does not say. Raises BadLine."""
    value = labels.get(label)
    if value is None:
        return None
    if value not in (0, 1):
        raise BadLine(f"the label {label} must be 0 or 1, not {_shown(value)}")
    return bool(value)


def _members(row: dict[str, Any]) -> int:
    """Those of the objects in it too."""
    members = len(row)
    for value in row.values():
        if value.__class__ is dict:
            members += len(value)
    return members


def _said(error: BadEvent) -> str:
    said = f"not JSON: {error.detail}" if error.code == "bad_json" else error.detail
    return said + (f" at {error.field}" if error.field else "")


def _shown(value: object) -> str:
    return repr(value)[:80]
