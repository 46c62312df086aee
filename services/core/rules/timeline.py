"""Facts computed anew from a file of comments, in event-time order, without a database.

What moderation reads from Postgres, this keeps in memory: who wrote what and when, for as long as
the rules' longest window reaches. An author's standing follows the verdicts given here, or what a
line states (`status`); where a rule asks for it, or for the author's age, an entry of every author
stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import structs

from services.core.rules.facts import Facts, Submission, Value, Windows
from services.core.rules.history import History
from services.core.rules.near import Signature

_FORGET_EVERY = 2_000
"""Comments written."""


class Timeline:
    """`edits`: whether comments come in further revisions; then every comment's status stays."""

    def __init__(self, windows: Windows, *, edits: bool = True) -> None:
        self._edits = edits
        self._history = History(windows)
        self._written = 0
        self._visible: Counter[tuple[str, str]] = Counter()
        self._status: dict[str, dict[str, str]] = {}
        """By discussion and comment."""

    def signed(self, body_hash: bytes, signature: Signature) -> None:
        """For a submission without its text: the signature worked out elsewhere."""
        self._history.signatures[body_hash] = signature

    def facts(
        self,
        submission: Submission,
        stated: Mapping[str, Value] | None = None,
        *,
        windows: bool = True,
    ) -> Facts:
        """Of the comments before; `stated` facts win, and without a time no window counts."""
        if self._history.windows.discussion:
            seen = self._visible[submission.site, submission.discussion]
            submission = structs.replace(submission, comments=seen)
        facts = self._history.facts(submission, "publish_first")
        if windows and not stated:
            return facts
        values = facts.values
        if not windows:
            values = {key: value for key, value in values.items() if key in _TIMELESS}
        return Facts({**values, **stated} if stated else values)

    def written(self, submission: Submission, status: str, *, windows: bool = True) -> None:
        """Takes in a revision whose verdict comes to `published`, `pending` or `rejected`.

        An edit moves its comment, which counts once; what was published stays in view. Without a
        time (`windows`) no window will count it.
        """
        asked = self._history.windows
        before = None
        if self._edits:
            of_discussion = self._status.setdefault(submission.discussion, {})
            before = of_discussion.get(submission.comment) if submission.revision > 1 else None
            if before == "published":
                status = before
            of_discussion[submission.comment] = status
        if asked.discussion and status == "published" and before != status:
            self._visible[submission.site, submission.discussion] += 1
        if asked.standing:
            self._history.moved((submission.site, submission.author), before, status)
        if windows:
            self._history.written(submission)
        self._written += 1
        if self._written % _FORGET_EVERY == 0:
            self._history.forget(submission.at)


_TIMELESS = frozenset({"author.published", "author.rejected"})
STATUS = {"publish": "published", "hold": "pending", "reject": "rejected"}
"""What a verdict on a first revision comes to."""
