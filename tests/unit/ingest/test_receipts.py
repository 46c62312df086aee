"""Receipts: only an unaltered text of ours is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.core import receipts
from services.core.receipts import BadReceipt, Receipt

SECRET = b"r" * 32
RECEIPT = Receipt(
    topic="comments.v1",
    partition=5,
    offset=1_234_567,
    event="e1",
    type="veche.comment.submitted.v1",
    digest="00" * 16,
    discussion="gazette/d1",
    actor="ada",
    comment="c1",
)
TEXT = receipts.issue(RECEIPT, SECRET)


def test_a_receipt_reads_as_it_was_issued() -> None:
    assert receipts.read(TEXT, SECRET) == RECEIPT


@given(some.integers(0, len(TEXT) - 1), some.sampled_from("ABCxyz019-_.=+/ \x00é"))
def test_one_changed_character_spoils_it(place: int, character: str) -> None:
    altered = TEXT[:place] + character + TEXT[place + 1 :]
    if altered == TEXT:
        return
    with pytest.raises(BadReceipt):
        receipts.read(altered, SECRET)


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.b", TEXT[:-1], TEXT + "A", TEXT + "=", TEXT[1:], f".{TEXT}", "x" * 5_000,
     TEXT.partition(".")[0], TEXT.partition(".")[2], "é.é", "\ud800.x"],
)  # fmt: skip
def test_what_was_not_issued_is_not_read(text: str) -> None:
    with pytest.raises(BadReceipt):
        receipts.read(text, SECRET)


def test_another_secret_does_not_read_it() -> None:
    with pytest.raises(BadReceipt):
        receipts.read(TEXT, b"q" * 32)


def test_the_longest_receipt_is_short_enough_for_a_url() -> None:
    longest = Receipt(
        topic="comments.v1",
        partition=999,
        offset=2**63 - 1,
        event="e" * 100,
        type="veche.discussion.changed.v1",
        digest="f" * 32,
        discussion="s" * 32 + "/" + "d" * 100,
        actor="a" * 100,
        comment="c" * 64,
    )
    assert len(receipts.issue(longest, SECRET)) < 1_000
