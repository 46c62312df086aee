"""A batch of votes or views is decoded at once, as strictly as one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core import codec
from services.core.errors import BadEvent

VOTE: dict[str, Any] = {
    "type": "veche.vote.cast.v1", "id": "e1", "source": "/sites/gazette", "site": "gazette",
    "actor": "ada", "time": "2026-03-01T12:00:00Z",
    "data": {"discussion": "a1", "value": 1, "comment": "c1"},
}  # fmt: skip
VIEW: dict[str, Any] = {
    **VOTE, "type": "veche.discussion.viewed.v1", "data": {"discussion": "a1"},
}  # fmt: skip

words = st.one_of(
    st.sampled_from(
        ["", "None", "a b", "a\n", "\n", " a", "é", "x" * 64, "x" * 65, "x" * 101, "A"]
    ),
    st.lists(st.sampled_from("aZ9._~:@/ \n\0\\é-"), max_size=6).map("".join),
    st.none(),
    st.integers(-2, 2),
)


@st.composite
def odd_events(draw: st.DrawFn, event: dict[str, Any]) -> bytes:
    """The event with some members changed or missing, or something that is no event."""
    changed: dict[str, Any] = {**event, "data": {**event["data"]}}
    for _ in range(draw(st.integers(0, 2))):
        holder = draw(st.sampled_from([changed, changed["data"]]))
        name = draw(st.sampled_from(sorted({*holder, "note"} - {"data"})))
        if draw(st.booleans()):
            holder[name] = draw(words)
        else:
            holder.pop(name, None)
    raw = json.dumps(changed, ensure_ascii=draw(st.booleans())).encode()
    odd = [raw + b" ", b"[" + raw + b"]", raw + b"," + raw, raw[:-1], b"", b"\xff" + raw]
    return draw(st.sampled_from(odd)) if draw(st.integers(0, 9)) == 0 else raw


def one_by_one(decode: Any, raws: list[bytes]) -> list[Any] | None:
    try:
        return [decode(raw) for raw in raws]
    except BadEvent:
        return None


@given(st.lists(odd_events(VOTE), min_size=1, max_size=4))
def test_votes_pass_together_exactly_where_each_passes_alone(raws: list[bytes]) -> None:
    assert_same(codec.decode_all_votes(raws), one_by_one(codec.decode_votes, raws), raws)


@given(st.lists(odd_events(VIEW), min_size=1, max_size=4))
def test_views_pass_together_exactly_where_each_passes_alone(raws: list[bytes]) -> None:
    assert_same(codec.decode_all_views(raws), one_by_one(codec.decode_views, raws), raws)


def assert_same(together: Any, alone: list[Any] | None, raws: list[bytes]) -> None:
    if together is None:
        # An escaped NUL may be part of `\\u0000`, which only a closer look tells.
        assert alone is None or any(b"\\u0000" in raw for raw in raws)
        return
    assert alone is not None
    assert [codec.encode(event) for event in together] == [codec.encode(event) for event in alone]
    assert [codec.digest(event) for event in together] == [codec.digest(event) for event in alone]


@pytest.mark.parametrize("comment", [None, "None", "c1"])
def test_a_vote_keeps_its_comment(comment: str | None) -> None:
    raw = json.dumps({**VOTE, "data": {**VOTE["data"], "comment": comment}}).encode()
    together = codec.decode_all_votes([raw])
    assert together is not None
    assert [event.data.comment for event in together] == [comment]


@pytest.mark.parametrize("comment", ["", "c d", "c\n", "x" * 65])
def test_one_bad_id_sends_the_batch_to_the_strict_decoder(comment: str) -> None:
    good = json.dumps(VOTE).encode()
    bad = json.dumps({**VOTE, "data": {**VOTE["data"], "comment": comment}}).encode()
    assert codec.decode_all_votes([good, good]) is not None
    assert codec.decode_all_votes([good, bad, good]) is None
