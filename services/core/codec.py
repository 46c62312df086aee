"""Bytes to events and back: the only module that knows the wire format (JSON, RFC 8259)."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from services.core import events
from services.core.errors import BadEvent

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder(order="deterministic")
_COMMENTS: msgspec.json.Decoder[events.CommentsEvent] = msgspec.json.Decoder(events.CommentsEvent)
_VOTES: msgspec.json.Decoder[events.VoteCast] = msgspec.json.Decoder(events.VoteCast)
_VIEWS: msgspec.json.Decoder[events.DiscussionViewed] = msgspec.json.Decoder(
    events.DiscussionViewed
)
_CONTROL: msgspec.json.Decoder[events.ControlEvent] = msgspec.json.Decoder(events.ControlEvent)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def encode(value: Any) -> bytes:
    """Deterministic JSON (sorted keys, UTC instants): equal values give equal bytes."""
    return _ENCODER.encode(value)


def decode(raw: bytes | str, type: type[T]) -> T:
    """Raises BadEvent where `raw` is not JSON of this type."""
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(error) from None


def decode_comments(raw: bytes) -> events.CommentsEvent:
    return _decoded(_COMMENTS, raw)


def decode_votes(raw: bytes) -> events.VoteCast:
    return _decoded(_VOTES, raw)


def decode_views(raw: bytes) -> events.DiscussionViewed:
    return _decoded(_VIEWS, raw)


def decode_control(raw: bytes) -> events.ControlEvent:
    return _decoded(_CONTROL, raw)


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    try:
        event = decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(error) from None
    if b"\\u0000" in raw and _NUL.search(raw):
        raise BadEvent("bad_text", "holds a NUL character, which Postgres cannot store")
    return event


def _bad(error: Exception) -> BadEvent:
    """msgspec says `… - at `$.data.value``: keep the sentence and the path apart."""
    text, _, path = str(error).partition(" - at `")
    code = "bad_schema" if isinstance(error, msgspec.ValidationError) else "bad_json"
    return BadEvent(code, text, path.rstrip("`"))


# Votes and views come by the thousand, and four regular expressions for each event cost more than
# all the rest of its decoding. So a batch is decoded without them, and its ids, which hold neither
# space nor line end, are matched as one text. Where that fails, the strict decoder names the event.


class _LooseVote(events.Vote, frozen=True, omit_defaults=True, gc=False):
    discussion: str
    value: events.VoteValue
    comment: str | None = None


class _LooseVoteCast(events.VoteCast, frozen=True, kw_only=True, gc=False):
    id: str
    site: str
    data: _LooseVote


class _LooseView(events.View, frozen=True, gc=False):
    discussion: str


class _LooseViewed(events.DiscussionViewed, frozen=True, kw_only=True, gc=False):
    id: str
    site: str
    data: _LooseView


def _lines_of(*names: Any) -> re.Pattern[str]:
    """Whole lines of names of these types, with one space between."""
    patterns = [name.__metadata__[0].pattern for name in names]
    parts = [pattern.removeprefix("^").removesuffix("(?!\\n)$") for pattern in patterns]
    return re.compile(f"(?:{' '.join(parts)}\n)*+")


_LOOSE_VOTES: msgspec.json.Decoder[_LooseVoteCast] = msgspec.json.Decoder(_LooseVoteCast)
_LOOSE_VIEWS: msgspec.json.Decoder[_LooseViewed] = msgspec.json.Decoder(_LooseViewed)
_VOTE_NAMES = _lines_of(events.EventId, events.Site, events.DiscussionId, events.CommentId)
_VIEW_NAMES = _lines_of(events.EventId, events.Site, events.DiscussionId)


def decode_all_votes(raws: Sequence[bytes]) -> Sequence[events.VoteCast] | None:
    """As `decode_votes` of each; None where that would refuse one of them."""
    votes = _loosely(_LOOSE_VOTES, raws)
    if votes is None:
        return None
    # A vote on the discussion itself has no comment: `None` is a word that could be one's id.
    names = [f"{v.id} {v.site} {v.data.discussion} {v.data.comment}\n" for v in votes]
    return votes if _VOTE_NAMES.fullmatch("".join(names)) else None


def decode_all_views(raws: Sequence[bytes]) -> Sequence[events.DiscussionViewed] | None:
    """As `decode_views` of each; None where that would refuse one of them."""
    views = _loosely(_LOOSE_VIEWS, raws)
    if views is None:
        return None
    names = [f"{v.id} {v.site} {v.data.discussion}\n" for v in views]
    return views if _VIEW_NAMES.fullmatch("".join(names)) else None


def _loosely(decoder: msgspec.json.Decoder[T], raws: Sequence[bytes]) -> list[T] | None:
    """Without a look at the events' ids."""
    decode = decoder.decode
    try:
        events = [decode(raw) for raw in raws]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if b"\\u0000" in b" ".join(raws) else events


class Plain(Generic[T]):
    """A quick reader of structs tagged `type` that are of texts and numbers, without instants.

    It answers None where a text is not plainly right: `strict` reads it then, and says what is
    wrong. It costs a third of what parsing and converting cost.
    """

    def __init__(self, type: Any) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(type)

    def read(self, raw: bytes) -> T | None:
        if b"\\" in raw:  # a NUL character, half of a surrogate pair, or nothing bad
            return None
        try:
            value = self._decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        # A member that is there twice has a colon more than what is kept of it, written anew; the
        # type, which is always written, may have been left out.
        colons = _ENCODER.encode(value).count(b":") - (b'"type":' not in raw)
        return value if raw.count(b":") == colons else None


def json_schemas(
    types: Iterable[Any], ref_template: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """JSON Schema 2020-12 of each type, and the definitions that they share."""
    schemas, definitions = msgspec.json.schema_components(types, ref_template=ref_template)
    return list(schemas), definitions


def digest(event: events.Event) -> bytes:
    """16 bytes that name what an event says: its type, who, where, what; not when it was sent.

    The same id with the same digest is a repeat; with another digest the id is taken.
    """
    said = (
        events.type_name(type(event)),
        event.site,
        event.actor,
        event.occurredat if event.occurredat is not msgspec.UNSET else None,
        event.data,
    )
    return hashlib.blake2b(_ENCODER.encode(said), digest_size=16).digest()


def sign(event_digest: bytes, event_id: str, secret: bytes) -> str:
    """The console's signature of a decision or policy: HMAC-SHA256, base64url without padding."""
    mac = hmac.new(secret, event_id.encode() + b"\x00" + event_digest, hashlib.sha256)
    return urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()


def signature_holds(signature: str, event_digest: bytes, event_id: str, secret: bytes) -> bool:
    return hmac.compare_digest(
        signature.encode("utf-8", "replace"), sign(event_digest, event_id, secret).encode()
    )
