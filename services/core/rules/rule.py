"""How a rule is written: the declarations that the loader, the editors' schema and the docs share.

A rule is one YAML document. `when` is a tree of matchers and comparisons; `then` says what
follows; `tests` stand beside it. Every member below is a key of the document.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Word = Annotated[str, Meta(min_length=1, max_length=200)]
ListName = Annotated[str, Meta(pattern=r"^(words|lists)/[A-Za-z0-9_.-]+\.txt$")]
Pattern = Annotated[str, Meta(min_length=1, max_length=1_000)]
RuleId = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Sentence = Annotated[str, Meta(min_length=1, max_length=500)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Tag = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
"""Names a label or a channel: in addresses and metrics too."""
Event = Literal["submitted", "edited", "reported"]
Action = Literal["note", "publish", "hold", "reject"]
Status = Literal["draft", "shadow", "live", "paused"]
OnMissing = Literal["match", "skip", "hold"]
Value: TypeAlias = bool | int | float | str | None


def _key(name: str) -> str:
    return name.rstrip("_")


class Declared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=_key):
    """A mapping of a rule's document; keys that are Python's own words end in `_` here."""


class Texts(Declared, frozen=True, kw_only=True):
    ru: Sentence
    en: Sentence


class Links(Declared, frozen=True, kw_only=True):
    """Links, those to the domains of `except` and their subdomains not counted."""

    more_than: Annotated[int, Meta(ge=0, le=100)] = 0
    except_: tuple[Word, ...] = ()


class Condition(Declared, frozen=True, kw_only=True):
    """Several keys in one mapping must all hold."""

    all: tuple[Node, ...] | None = None
    any: tuple[Node, ...] | None = None
    none: tuple[Node, ...] | None = None
    not_: Node | None = None
    words: tuple[Word, ...] | None = None
    """Words and phrases; `stem*` is every word that begins so."""
    lists: tuple[ListName, ...] | None = None
    """Files of words, one entry a line, `#` begins a comment."""
    patterns: tuple[Pattern, ...] | None = None
    """RE2 patterns, searched in the folded text (lower case, `ё` as `е`)."""
    domains: tuple[Word, ...] | None = None
    """A link to one of these, or to a subdomain."""
    domain_lists: tuple[ListName, ...] | None = None
    links: Links | None = None
    finds: tuple[Name, ...] | None = None
    """Detectors, such as `phone`, `card` or `email` (docs/rules.md lists them)."""


Node: TypeAlias = str | Condition
"""A comparison such as `author.published < 3`, or a mapping of matchers."""


class Scope(Declared, frozen=True, kw_only=True):
    """Where the rule looks; what is left out is not asked."""

    site: tuple[Name, ...] = ()
    section: tuple[Name, ...] = ()
    language: tuple[Name, ...] = ()
    """The discussion's, as its portal states them."""
    event: tuple[Event, ...] = ()
    """Left out: `submitted` and `edited`."""


class Then(Declared, frozen=True, kw_only=True):
    action: Action = "note"
    """`publish` marks a comment as good and never overrides a hold or a reject."""
    labels: tuple[Tag, ...] = ()
    """Stored with the comment; moderators filter by them."""
    notify: tuple[Tag, ...] = ()
    """Channels: people read the notices there."""
    limit: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}[smhd]$")] = ""
    """What the author writes on this site for so long waits for a moderator."""
    score: Annotated[float, Meta(ge=-100, le=100)] = 0
    """Added up over a comment's rules, for moderators to sort by; no rule asks for the sum."""


class Limits(Declared, frozen=True, kw_only=True):
    """Actions of this rule: beyond them it does less (reject: hold; hold: note; no notices and no
    limits on authors)."""

    per_hour: Annotated[int, Meta(ge=1)] | None = None
    per_day: Annotated[int, Meta(ge=1)] | None = None


class Case(Declared, frozen=True, kw_only=True):
    text: Annotated[str, Meta(max_length=20_000)]
    facts: dict[str, Value] = {}
    """By feature: `author.published: 0`, `count(author, 10m): 6`; null is unknown."""
    event: Event = "submitted"
    site: str = "portal"
    section: str = ""
    language: str = ""


class Tests(Declared, frozen=True, kw_only=True):
    must_match: tuple[str | Case, ...] = ()
    must_not_match: tuple[str | Case, ...] = ()
    evasions: tuple[str | Case, ...] = ()
    """Disguises of what must match."""


class Rule(Declared, frozen=True, kw_only=True):
    """`title` is what moderators read, `reason` what the author of the comment is told."""

    id: RuleId
    title: Texts
    reason: Texts
    policy: Name = ""
    owner: Name = ""
    status: Status = "live"
    """draft and paused do not run; shadow is recorded and changes nothing."""
    expires: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")] = ""
    """The first day, in UTC, on which the rule looks no more."""
    priority: Annotated[int, Meta(ge=-1_000, le=1_000)] = 0
    """Orders findings, the highest first; it stops no other rule."""
    scope: Scope = Scope()
    when: Node
    on_missing: OnMissing | None = None
    """What follows where the tree hangs on a value that is unknown."""
    then: Then | Action
    limits: Limits = Limits()
    tests: Tests = Tests()

    @property
    def effect(self) -> Then:
        return self.then if isinstance(self.then, Then) else Then(action=self.then)
