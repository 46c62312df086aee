"""From an item of a body to an event: what may be said, and who may say it.

The item states what happened. Who acts, for which site and in which role comes from the token.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Union, cast

import msgspec
from msgspec import UNSET, UnsetType

from services.core import codec, events, strict, topics
from services.core.errors import BadEvent
from services.core.problems import Problem, of_body
from services.core.produce import Outgoing
from services.core.tokens import Identity

MAX_EVENT_BYTES = 128 * 1024
AHEAD = timedelta(minutes=5)
"""How far an importer's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A reader without a token: may view, at a site that an issuer speaks for."""

    viewer: str
    sites: frozenset[str]


class Accepted(NamedTuple):
    """An event, and the record of it that goes into the log."""

    event: events.Event
    type: str
    record: Outgoing


READER_TYPES: dict[str, type[msgspec.Struct]] = {
    "veche.comment.submitted.v1": events.CommentSubmitted,
    "veche.comment.edited.v1": events.CommentEdited,
    "veche.comment.deleted.v1": events.CommentDeleted,
    "veche.report.filed.v1": events.ReportFiled,
    "veche.vote.cast.v1": events.VoteCast,
    "veche.discussion.viewed.v1": events.DiscussionViewed,
}
PORTAL_TYPES: dict[str, type[msgspec.Struct]] = {
    "veche.discussion.opened.v1": events.DiscussionOpened,
    "veche.discussion.changed.v1": events.DiscussionChanged,
    "veche.discussion.closed.v1": events.DiscussionClosed,
}
TYPES = READER_TYPES | PORTAL_TYPES

MAY_SEND: dict[str, frozenset[str]] = {
    "reader": frozenset(READER_TYPES),
    "portal": frozenset(TYPES),
    "importer": frozenset(TYPES),
    "moderator": frozenset(),
    "admin": frozenset(),
}
"""Which types a token of each role may send. Moderators decide through the console."""

KINDS: dict[str, tuple[str, ...]] = {
    "discussion": tuple(PORTAL_TYPES),
    "comment": (
        "veche.comment.submitted.v1",
        "veche.comment.edited.v1",
        "veche.comment.deleted.v1",
    ),
    "vote": ("veche.vote.cast.v1",),
    "view": ("veche.discussion.viewed.v1",),
    "report": ("veche.report.filed.v1",),
}
"""The types that POST /v1/events/{kind} takes; where there is one only, it need not be stated."""

TOPICS = {
    type: topic.name
    for topic in topics.declared().values()
    for type in topic.events
    if type in TYPES
}


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one item of a body may state, whatever its type."""

    id: events.EventId
    time: events.Instant | UnsetType = UNSET
    occurredat: events.Instant | UnsetType = UNSET
    actor: events.ReaderId | UnsetType = UNSET
    actorname: events.Name | UnsetType = UNSET
    site: events.Site | UnsetType = UNSET
    """Stated by anonymous readers only; whoever has a token acts for the token's site."""


def _item(event: type[msgspec.Struct]) -> type[Item]:
    [data] = (field.type for field in msgspec.structs.fields(event) if field.name == "data")
    return cast(
        type[Item],
        msgspec.defstruct(
            f"{event.__name__}Item",
            [("data", strict.strict(data))],
            bases=(Item,),
            tag_field="type",
            tag=events.type_name(event),
            omit_defaults=True,
            frozen=True,
            kw_only=True,
            forbid_unknown_fields=True,
        ),
    )


ITEMS: dict[str, type[Item]] = {type: _item(event) for type, event in TYPES.items()}
PLAIN: dict[str, codec.Plain[Item]] = {
    kind: codec.Plain(Union[tuple(ITEMS[type] for type in types)])  # noqa: UP007
    for kind, types in KINDS.items()
}


def admit(stated: Any, who: Identity | Anonymous, now: datetime, kind: str = "") -> Accepted:
    """The event that the item `stated` makes when `who` sends it, by `kind`'s address if given.

    Raises Problem, its field relative to the item.
    """
    type = _type(stated, kind)
    _check_role(type, who)
    try:
        item = strict.convert(stated, ITEMS[type])
    except BadEvent as error:
        raise of_body(error.code, error.detail, error.field) from None
    return _event(item, type, who, now)


def admit_plain(raw: bytes, who: Identity | Anonymous, now: datetime, kind: str) -> Accepted | None:
    """As `admit`, from the bytes of a body: the quick way for what is plainly right.

    None where something is not: parse it, and `admit` says what.
    """
    item = PLAIN[kind].read(raw)
    # An instant may be written otherwise than it was read.
    if item is None or item.time is not UNSET or item.occurredat is not UNSET:
        return None
    type = events.type_name(item.__class__)
    try:
        _check_role(type, who)
        return _event(item, type, who, now)
    except Problem:
        return None


def _check_role(type: str, who: Identity | Anonymous) -> None:
    role = "reader" if isinstance(who, Anonymous) else who.role
    if type not in MAY_SEND[role]:
        raise Problem(403, "role_not_allowed", f"the role {role} may not send {type}", "/type")


def _event(item: Item, type: str, who: Identity | Anonymous, now: datetime) -> Accepted:
    data = item.data  # type: ignore[attr-defined]
    _check_data(type, data)
    site, actor, name = _who(item, who, type)
    event = TYPES[type](
        id=item.id,
        source=f"/sites/{site}",
        site=site,
        actor=actor,
        actorname=name,
        role="reader" if isinstance(who, Anonymous) else who.role,
        time=now if item.time is UNSET else _instant(item.time, "/time"),
        occurredat=_occurred_at(item, who, now),
        data=data,
    )
    return _accepted(cast(events.Event, event), type)


def _accepted(event: events.Event, type: str) -> Accepted:
    value = codec.encode(event)
    if len(value) > MAX_EVENT_BYTES:
        raise Problem(413, "too_large", f"an event may have {MAX_EVENT_BYTES} bytes")
    topic = TOPICS[type]
    key: str = event.key
    if topic != topics.COMMENTS:
        key = f"{key}|{event.actor}"
    return Accepted(event, type, Outgoing(topic, key.encode(), value))


def _type(stated: Any, kind: str) -> str:
    if not isinstance(stated, dict):
        raise Problem(422, "bad_schema", "an event is an object")
    of_kind = KINDS.get(kind, ())
    type = stated.get("type", of_kind[0] if len(of_kind) == 1 else None)
    if type is None:
        raise Problem(422, "bad_schema", "the event's type is missing", "/type")
    if not isinstance(type, str) or type not in TYPES:
        raise Problem(422, "unknown_type", f"accepted types: {', '.join(TYPES)}", "/type")
    if kind and type not in of_kind:
        raise Problem(422, "wrong_type", f"this address takes {', '.join(of_kind)}", "/type")
    return type


def _who(item: Item, who: Identity | Anonymous, type: str) -> tuple[str, str, str]:
    """(site, actor, actor's name). Nobody names another than their role allows."""
    for_readers = type in READER_TYPES
    if isinstance(who, Anonymous):
        _refuse(item.actor, "/actor")
        _refuse(item.actorname, "/actorname")
        if item.site is UNSET:
            raise Problem(422, "bad_schema", "without a token, state the site", "/site")
        if item.site not in who.sites:
            raise Problem(422, "unknown_site", "no issuer speaks for this site", "/site")
        return item.site, who.viewer, ""
    _refuse(item.site, "/site")
    if who.role == "reader" or not for_readers:
        _refuse(item.actor, "/actor")
        _refuse(item.actorname, "/actorname")
        return who.site, who.subject, who.name
    if item.actor is UNSET:
        raise Problem(422, "bad_schema", "a portal acts for a reader: state the actor", "/actor")
    if item.actor.startswith("anon:"):
        raise Problem(422, "bad_value", "anon: is for readers without a token", "/actor")
    name = "" if item.actorname is UNSET else item.actorname
    if name:
        _check_shows(name, "/actorname")
    return who.site, item.actor, name


def _refuse(stated: object, field: str) -> None:
    if stated is not UNSET:
        raise Problem(403, "not_allowed", "this comes from the token, not from the body", field)


def _occurred_at(item: Item, who: Identity | Anonymous, now: datetime) -> datetime | UnsetType:
    if item.occurredat is UNSET:
        return UNSET
    if isinstance(who, Anonymous) or who.role != "importer":
        raise Problem(403, "not_allowed", "only an importer states occurredat", "/occurredat")
    instant = _instant(item.occurredat, "/occurredat")
    if instant > now + AHEAD:
        raise Problem(422, "bad_value", "this is in the future", "/occurredat")
    return instant


def _instant(instant: datetime, field: str) -> datetime:
    """In UTC, since equal instants must give equal digests."""
    if not 1970 <= instant.year <= 2200:
        raise Problem(422, "bad_value", "years run from 1970 to 2200", field)
    return instant.astimezone(UTC)


_SPOKEN = (events.CommentBody, events.CommentRewrite)


def _check_data(type: str, data: Any) -> None:
    if isinstance(data, _SPOKEN):
        _check_shows(data.body, "/data/body")
    elif isinstance(data, events.DiscussionDescribed):
        _check_shows(data.title, "/data/title")
        if not data.url.isprintable() or " " in data.url:
            raise Problem(422, "bad_value", "a URL holds no blanks or controls", "/data/url")
        allowed = {"veche.discussion.opened.v1": ("open",),
                   "veche.discussion.closed.v1": ("open", "closed")}.get(type)  # fmt: skip
        if allowed and data.state not in allowed:
            raise Problem(422, "bad_value", "the event's type says the state", "/data/state")


# What Unicode calls letters, symbols or marks, though nothing shows: fillers, the blank braille
# pattern, the grapheme joiner, variation selectors.
_INVISIBLE = frozenset(
    [
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        *(*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)),
    ]
)


def _check_shows(text: str, field: str) -> None:
    """Refuses a text in which no character shows: blanks, controls, formats, fillers."""
    for character in text:
        if unicodedata.category(character)[0] not in "ZC" and ord(character) not in _INVISIBLE:
            return
    raise Problem(422, "blank", "there is nothing to see in this text", field)
