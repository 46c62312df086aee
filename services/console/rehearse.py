"""A proposed ruleset is loaded, tested and replayed: in a process of its own, under a deadline.

`python -m services.console.rehearse` reads one JSON document on standard input and writes one.
What a ruleset costs, it costs there: the console goes on answering, and what takes too long ends.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from services.core import codec, settings
from services.core.errors import BadRuleset
from services.core.events import DiscussionKey
from services.core.problems import Problem, away
from services.core.rules import Submission, change, load, read
from services.core.rules.trial import trials
from services.core.store.judged import Judged

SECONDS = 60.0
AT_ONCE = 2
"""Rehearsals of one console: a third waits."""
_PLACE = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): (?P<message>.*)$", re.DOTALL)


class Asked(Struct, frozen=True):
    before: dict[str, str]
    """What is in use; empty: only load what is proposed."""
    after: dict[str, str]
    comments: list[tuple[str, str, int, str, str, float, str, str, str, dict[str, Any]]] = []
    tested: bool = True
    """Whether the tests beside the rules must pass: not of what judged before."""


class Answer(Struct, frozen=True):
    hash: str = ""
    before: str = ""
    error: str = ""
    failed: list[dict[str, Any]] = []
    """Tests beside the rules that failed."""
    rejects: list[str] = []
    reach: list[str] = []
    """The sites whose rules change; see `change.reach`."""
    effect: dict[str, Any] = {}


def rehearsed(asked: Asked) -> Answer:
    try:
        after = load(asked.after)
        if not asked.before:
            return Answer(after.hash)
        tested = trials(after) if asked.tested else ()
        failed = [trial._asdict() for trial in tested if not trial.passed]
    except BadRuleset as error:
        return Answer(error=str(error))
    if failed:
        return Answer(after.hash, failed=failed[:20])
    before = load(asked.before)
    effect = change.effect(before, after, [_replayed(one) for one in asked.comments])
    return Answer(
        after.hash,
        before.hash,
        rejects=change.newly_rejecting(before, after),
        reach=change.reach(before, after),
        effect={"changed": change.changed(before, after), **effect},
    )


def row(one: Judged) -> tuple[Any, ...]:
    """As `Asked.comments` takes it; what stands beside the facts is none of them."""
    facts = {key: value for key, value in one.facts.items() if not isinstance(value, dict)}
    return (
        one.discussion, one.comment, one.revision, one.site, one.author, one.written_at.timestamp(),
        one.body, one.section, one.language, facts,
    )  # fmt: skip


def _replayed(said: tuple[Any, ...]) -> change.Replayed:
    discussion, comment, revision, site, author, at, body, section, language, facts = said
    submission = Submission(
        discussion=DiscussionKey(discussion),
        comment=comment,
        revision=revision,
        site=site,
        author=author,
        at=datetime.fromtimestamp(at, UTC),
        reading=read(body),
        section=section,
        language=language,
    )
    return change.Replayed(submission, facts)


class Rehearsals:
    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._room = asyncio.Semaphore(AT_ONCE)

    async def __call__(
        self,
        after: Mapping[str, str],
        before: Mapping[str, str] | None = None,
        comments: list[tuple[Any, ...]] | None = None,
        *,
        tested: bool = True,
    ) -> Answer:
        """Raises Problem: 422 where the ruleset does not load or its tests fail, 503 where it
        takes too long."""
        asked = {
            "before": before or {}, "after": after, "comments": comments or [], "tested": tested,
        }  # fmt: skip
        async with self._room:
            answer = await self._run(codec.encode(asked))
        if answer.error:
            raise not_loaded(answer.error)
        if answer.failed:
            named = "; ".join(f"{one['rule']}: {one['kind']} {one['number']}"
                              for one in answer.failed)  # fmt: skip
            raise Problem(
                422, "tests_failed", f"tests beside the rules fail: {named}", "/files",
                failed=answer.failed,
            )  # fmt: skip
        return answer

    async def _run(self, asked: bytes) -> Answer:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.console.rehearse",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            cwd=settings.ROOT,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(process.communicate(asked), self._seconds)
        except TimeoutError:
            raise away(
                f"these rules took longer than {self._seconds:.0f} s to load and replay; nothing "
                f"was proposed: make them simpler or try again"
            ) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0:
            raise Problem(500, "internal", "the rehearsal of these rules failed; see the log")
        return codec.decode(said, Answer)


def not_loaded(error: str) -> Problem:
    """The loader's sentence, with its place as members."""
    found = _PLACE.match(error)
    place: dict[str, Any] = (
        {
            "file": found["file"],
            "line": int(found["line"]),
            "column": int(found["column"]),
            "message": found["message"],
        }
        if found
        else {"message": error}
    )
    return Problem(422, "bad_ruleset", error, "/files", **place)


if __name__ == "__main__":
    sys.stdout.buffer.write(codec.encode(rehearsed(codec.decode(sys.stdin.buffer.read(), Asked))))
