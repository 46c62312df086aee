"""Uses of an author, a text or a band in time order: taken in, looked back at, forgotten."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from services.core.rules.facts import Submission, Use


class NearUse(NamedTuple):
    """One revision among those that share a band, in time order."""

    at: datetime
    discussion: str
    comment: str
    revision: int
    author: str
    bits: int


_Key = TypeVar("_Key")
_Used = TypeVar("_Used", Use, NearUse)


def add(kept: dict[_Key, list[_Used]], key: _Key, use: _Used) -> None:
    uses = kept.get(key)
    if uses is None:
        kept[key] = [use]
    elif uses[-1] < use:
        uses.append(use)  # mostly: time goes on
    else:
        position = bisect_right(uses, use)
        if not position or uses[position - 1] != use:
            uses.insert(position, use)


def forget(kept: dict[Any, list[_Used]], before: datetime | None) -> None:
    """Uses up to then; all of them where no rule asks."""
    if before is None:
        kept.clear()
        return
    ended = []
    for key, uses in kept.items():
        if uses[-1].at <= before:
            ended.append(key)
        elif uses[0].at <= before:
            del uses[: bisect_right(uses, before, key=lambda use: use.at)]
    for key in ended:
        del kept[key]


def newest(
    uses: list[_Used] | None, submission: Submission, window: timedelta, most: int
) -> Sequence[_Used]:
    """The newest `most` uses in (at − window, at], the comment itself left out."""
    if not uses or not most:
        return ()
    at, since = submission.at, submission.at - window
    position = len(uses)
    if (last := uses[-1].at) <= since:
        return ()
    if last > at:
        position = bisect_right(uses, at, key=lambda use: use.at)
    comment, discussion = submission.comment, submission.discussion
    found: list[_Used] = []
    while position and len(found) < most:
        position -= 1
        use = uses[position]
        if use.at <= since:
            break
        if use.comment != comment or use.discussion != discussion:
            found.append(use)
    found.reverse()
    return found
