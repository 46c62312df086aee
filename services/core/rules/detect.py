"""Detectors: things in a text that have a shape, each as spans of the original.

An engineer adds one by writing a pure function of a reading and entering it in DETECTORS.
"""

from __future__ import annotations

from collections.abc import Callable

import re2

from services.core.rules.links import links_of
from services.core.rules.reading import Reading, Span, ascii_of

Detector = Callable[[Reading], list[Span]]

_PHONE = re2.compile(r"(?:\+\d{1,3}|\b[78])[ (-]{0,2}\d{3}[ )-]{0,2}\d{3}[ -]?\d{2}[ -]?\d{2}\b")
_CARD = re2.compile(r"\b\d(?:[ -]?\d){12,18}\b")
_EMAIL = re2.compile(r"[\pL\pN][\pL\pN._%+-]*@[\pL\pN-]+(?:\.[\pL\pN-]+)*\.\pL\pL+")
_HANDLE = re2.compile(r"(?:^|[\s(,:])(@[a-z][a-z0-9_]{4,31})\b")
_DIGITS = b"0123456789"
_LEAST_DIGITS = 11
"""Of a number of a phone; a card's has more."""


def _has_number(folded: str) -> bool:
    written = ascii_of(folded)
    return len(written) - len(written.translate(None, _DIGITS)) >= _LEAST_DIGITS


def phones(reading: Reading) -> list[Span]:
    if not _has_number(reading.folded):
        return []
    return [reading.span(*found.span()) for found in _PHONE.finditer(reading.folded)]


def cards(reading: Reading) -> list[Span]:
    """Numbers of payment cards: 13 to 19 digits whose check digit is right (Luhn)."""
    if not _has_number(reading.folded):
        return []
    return [
        reading.span(*found.span())
        for found in _CARD.finditer(reading.folded)
        if luhn([int(c) for c in found.group() if c.isdigit()])
    ]


def luhn(digits: list[int]) -> bool:
    """ISO/IEC 7812-1: every second digit from the right doubled, the sum divisible by ten."""
    doubled = [d if n % 2 == 0 else d * 2 - 9 * (d > 4) for n, d in enumerate(reversed(digits))]
    return any(digits) and sum(doubled) % 10 == 0


def emails(reading: Reading) -> list[Span]:
    if "@" not in reading.folded:
        return []
    return [reading.span(*found.span()) for found in _EMAIL.finditer(reading.folded)]


def handles(reading: Reading) -> list[Span]:
    """Names in messengers, `@name` of five letters or more."""
    if "@" not in reading.folded:
        return []
    return [reading.span(*found.span(1)) for found in _HANDLE.finditer(reading.folded)]


def links(reading: Reading) -> list[Span]:
    return [span for _, span in links_of(reading)]


DETECTORS: dict[str, Detector] = {
    "phone": phones,
    "card": cards,
    "email": emails,
    "handle": handles,
    "link": links,
}
