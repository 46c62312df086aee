"""Records of comments.v1 and control.v1; what the console must sign is checked before it counts."""

from __future__ import annotations

from collections.abc import Callable

from services.core import codec
from services.core.errors import BadEvent
from services.core.events import CommentsEvent, DecisionMade, ScoreGiven, SitePolicySet


def comments(secret: bytes) -> Callable[[bytes], CommentsEvent]:
    """A decoder that raises BadEvent, `bad_signature` where we made no such decision or score."""

    def decode(raw: bytes) -> CommentsEvent:
        event = codec.decode_comments(raw)
        if isinstance(event, DecisionMade | ScoreGiven):
            check(event, secret)
        return event

    return decode


def control(secret: bytes) -> Callable[[bytes], SitePolicySet]:
    def decode(raw: bytes) -> SitePolicySet:
        event = codec.decode_control(raw)
        check(event, secret)
        return event

    return decode


def check(event: DecisionMade | ScoreGiven | SitePolicySet, secret: bytes) -> None:
    if not codec.signature_holds(event.signature, codec.digest(event), event.id, secret):
        raise BadEvent("bad_signature", "no process of ours signed this", "$.signature")
