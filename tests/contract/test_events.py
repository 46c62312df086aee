"""Schemas, structs and examples say the same; the schemas stay compatible with those released."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from services.core import codec, topics
from services.core.errors import BadEvent
from tests.contract.compatible import breaks
from tests.contract.generated import SCHEMAS, generate

TYPES: dict[str, type[Any]] = generate.TYPES
EXAMPLES = SCHEMAS / "examples"
GOOD = sorted(EXAMPLES.glob("*/good/*.json"))
BAD = sorted(EXAMPLES.glob("*/bad/*.json"))
DECODERS: dict[str, Callable[[bytes], Any]] = {
    topics.COMMENTS: codec.decode_comments,
    topics.VOTES: codec.decode_votes,
    topics.VIEWS: codec.decode_views,
    topics.CONTROL: codec.decode_control,
}
TOPIC_OF = {type: topic.name for topic in topics.declared().values() for type in topic.events}


def name(path: Path) -> str:
    return str(path.relative_to(EXAMPLES)) if EXAMPLES in path.parents else path.name


def validator(type: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / "events" / f"{type}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def decode(type: str, raw: bytes) -> Any:
    """As the consumers of the type's topic do."""
    decoder = DECODERS.get(TOPIC_OF[type])
    return decoder(raw) if decoder else codec.decode(raw, TYPES[type])


def paths(errors: Iterable[ValidationError]) -> set[str]:
    """Of the errors, and of those behind an `anyOf`."""
    return {path for error in errors for path in (error.json_path, *paths(error.context or ()))}


def test_generated_files_are_current() -> None:
    assert [path.name for path in generate.stale()] == [], "run python schemas/generate.py"


def test_every_type_has_good_and_bad_examples_and_a_topic() -> None:
    assert {path.parents[1].name for path in GOOD} == set(TYPES)
    assert {path.parents[1].name for path in BAD} == set(TYPES)
    assert set(TOPIC_OF) == set(TYPES)


@pytest.mark.parametrize("path", GOOD, ids=name)
def test_good_example_fits_schema_and_codec_and_survives_a_round_trip(path: Path) -> None:
    type = path.parents[1].name
    event = json.loads(path.read_text("utf-8"))
    assert event["type"] == type
    validator(type).validate(event)
    decoded = decode(type, json.dumps(event).encode())
    encoded = codec.encode(decoded)
    assert decode(type, encoded) == decoded
    validator(type).validate(json.loads(encoded))


@pytest.mark.parametrize("path", BAD, ids=name)
def test_bad_example_is_refused_by_schema_and_by_codec_for_its_stated_reason(path: Path) -> None:
    type = path.parents[1].name
    stated = json.loads(path.read_text("utf-8"))
    with pytest.raises(BadEvent) as refused:
        decode(type, json.dumps(stated["event"]).encode())
    assert (refused.value.code, refused.value.field or "$") == (stated["code"], stated["field"])
    assert stated["field"] in paths(validator(type).iter_errors(stated["event"]))


RELEASED = sorted((SCHEMAS / "released").glob("*.schema.json"))


@pytest.mark.parametrize("path", RELEASED, ids=name)
def test_schema_is_compatible_with_the_released_one(path: Path) -> None:
    released = json.loads(path.read_text("utf-8"))
    current = json.loads((SCHEMAS / "events" / path.name).read_text("utf-8"))
    assert breaks(released, current) == [], "a breaking change is a new type"


def test_every_type_is_released() -> None:
    assert {path.name for path in RELEASED} == {f"{type}.schema.json" for type in TYPES}
