from __future__ import annotations

import gzip

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core import codec
from services.core.events import Version
from services.reader.rendered import CodingChoice, Rendered, choose, matches
from tests.unit.reader.build import T0, a_feed

BODY = codec.encode(a_feed(entries=20))


def rendered() -> Rendered:
    return Rendered(Version(1, 7), T0, BODY)


@pytest.mark.parametrize(
    ("coding", "decode"),
    [
        ("", bytes),
        ("gzip", gzip.decompress),
        ("br", lambda raw: bytes(cramjam.brotli.decompress(raw))),
        ("zstd", lambda raw: bytes(cramjam.zstd.decompress(raw))),
    ],
)
def test_every_coding_carries_the_same_bytes(coding: str, decode: object) -> None:
    assert decode(rendered().coded_as(coding).body) == BODY  # type: ignore[operator]


def test_each_coding_has_its_own_etag_and_is_made_once() -> None:
    snapshot = rendered()
    coded = [snapshot.coded_as(coding) for coding in ("", "gzip", "br", "zstd")]
    assert len({each.etag for each in coded}) == 4
    assert snapshot.coded_as("gzip") is coded[1]


def test_equal_bytes_have_equal_etags() -> None:
    assert rendered().coded_as("br").etag == rendered().coded_as("br").etag


def test_age_is_not_in_the_body() -> None:
    assert b"age" not in rendered().coded_as("").body.replace(b"language", b"")


def test_a_small_body_is_not_compressed() -> None:
    small = Rendered(Version(1, 1), T0, b"{}")
    assert small.coded_as("gzip").body == b"{}"
    assert b"content-encoding" not in dict(small.coded_as("gzip").headers)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (b"", ""),
        (b"gzip", "gzip"),
        (b"gzip, deflate, br, zstd", "zstd"),
        (b"gzip, br", "br"),
        (b"br;q=0.1, gzip;q=0.9", "gzip"),
        (b"gzip;q=0", ""),
        (b"*", "zstd"),
        (b"*;q=0", ""),
        (b"zstd;q=0, *", "br"),
        (b"gzip;q=nonsense", ""),
        (b"deflate", ""),
        (b"GZIP", "gzip"),
    ],
)
def test_the_best_accepted_coding_is_chosen(accepted: bytes, coding: str) -> None:
    assert choose(accepted) == coding


@given(st.binary(max_size=60))
def test_any_accept_encoding_gives_some_coding(accepted: bytes) -> None:
    assert choose(accepted) in ("", "gzip", "br", "zstd")


def test_remembered_choices_are_bounded() -> None:
    chosen = CodingChoice(bound=10)
    for number in range(100):
        assert chosen(b"gzip;q=0.%d" % number) in ("", "gzip")
    assert len(chosen._known) <= 10


@pytest.mark.parametrize(
    ("header", "unchanged"),
    [
        (b'"a"', True),
        (b'W/"a"', True),
        (b'"b", "a"', True),
        (b"*", True),
        (b'"b"', False),
        (b"a", False),
    ],
)
def test_if_none_match_compares_weakly(header: bytes, unchanged: bool) -> None:
    assert matches(header, b'"a"') is unchanged
