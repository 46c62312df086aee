"""Records of comments.v1 and control.v1; what the console must sign is checked before it counts."""

from __future__ import annotations

from collections.abc import Callable

from services.core import codec
from services.core.errors import BadEvent
from services.core.events import (
    CommentsEvent,
    ControlEvent,
    DecisionMade,
    RuleUndone,
    ScoreGiven,
)

Signed = DecisionMade | RuleUndone | ScoreGiven
"""What of comments.v1 only our own processes say."""


def comments(secret: bytes) -> Callable[[bytes], CommentsEvent]:
    """A decoder that raises BadEvent, `bad_signature` where none of our processes said so."""

    def decode(raw: bytes) -> CommentsEvent:
        event = codec.decode_comments(raw)
        if isinstance(event, Signed):
            check(event, secret)
        return event

    return decode


def control(secret: bytes) -> Callable[[bytes], ControlEvent]:
    def decode(raw: bytes) -> ControlEvent:
        event = codec.decode_control(raw)
        check(event, secret)
        return event

    return decode


def check(event: Signed | ControlEvent, secret: bytes) -> None:
    if not codec.signature_holds(event.signature, codec.digest(event), event.id, secret):
        raise BadEvent("bad_signature", "no process of ours signed this", "$.signature")
