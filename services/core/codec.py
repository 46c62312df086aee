"""Bytes to events and back: the only module that knows the wire format (JSON, RFC 8259)."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Any, TypeVar

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
