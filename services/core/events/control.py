"""control.v1: what holds for a whole site, or for all."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from services.core.events.envelope import Envelope
from services.core.events.fields import Policy, ReaderId, RulesetHash


class SitePolicy(Struct, frozen=True, omit_defaults=True):
    """What holds for a whole site. The newest record of control.v1 wins."""

    policy: Policy = "publish_first"
    report_threshold: Annotated[int, Meta(ge=1, le=1_000)] = 3
    """Reports by distinct readers that hold a revision which no moderator approved."""
    edit_hold: Literal["keep", "hide"] = "keep"
    """While an edit is held: keep the last published revision in view, or hide the comment."""
    late_scores: Literal["publish", "hold"] = "publish"
    """What a rule cannot tell before a classifier answers: publish it, or let it wait, for half a
    minute and then for a moderator."""


class ActivatedRuleset(Struct, frozen=True, omit_defaults=True):
    """The whole ruleset: what judges from here on, on every site. The newest record wins."""

    files: Annotated[dict[str, str], Meta(min_length=1, max_length=1_000)]
    """Name within the folder → text."""
    hash: RulesetHash
    parent: RulesetHash
    """Of the ruleset that it replaces: where another one judges by then, it takes no effect."""
    author: ReaderId
    approved_by: ReaderId
    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]
    effect: dict[str, Any] = {}
    """What a replay over the newest comments said that it changes."""
    back_to: Annotated[int, Meta(ge=0)] | None = None
    """The earlier version that this brings back (0: the folder), whatever judges by then."""


class SitePolicySet(Envelope, frozen=True, tag="veche.site.policy_set.v1"):
    signature: str
    data: SitePolicy


class RulesetActivated(Envelope, frozen=True, tag="veche.ruleset.activated.v1"):
    """Signed by the console; it holds for the whole installation."""

    site: Literal["*"]
    signature: str
    data: ActivatedRuleset


ControlEvent = SitePolicySet | RulesetActivated
"""What control.v1 carries: what holds for a whole site, or for all."""
