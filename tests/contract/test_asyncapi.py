"""The AsyncAPI document: valid by a model of AsyncAPI 3.0, and nothing in it dangles."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from services.core import topics
from tests.contract.generated import SCHEMAS

with warnings.catch_warnings():
    # Two of its models have a field named `schema`, of which pydantic warns.
    warnings.filterwarnings("ignore", 'Field name "schema"', UserWarning)
    from asyncapi3 import AsyncAPI3

DOCUMENT: dict[str, Any] = json.loads((SCHEMAS / "asyncapi.json").read_text("utf-8"))


def test_the_document_is_valid_asyncapi_3() -> None:
    AsyncAPI3.model_validate(DOCUMENT)


def spoil(document: dict[str, Any], path: str, value: Any) -> None:
    """Puts `value` at `path`, where `*` is the first member; None takes the member out."""
    *way, last = path.split("/")
    at: Any = document
    for name in way:
        at = next(iter(at.values())) if name == "*" else at[name]
    if value is None:
        del at[last]
    else:
        at[last] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("info", None),
        ("asyncapi", "2.6.0"),
        ("channels/*/address", 5),
        ("channels/*/adress", "typo.v1"),
        ("channels/*/messages", []),
        ("channels/*/bindings/kafka/partitions", "six"),
        ("operations/*/action", "write"),
        ("operations/*/channel", None),
        ("components/messages/*/contentType", 5),
        ("components/messages/*/bindings", {"kafka": {"key": 5}}),
    ],
)
def test_the_validator_refuses_a_spoilt_document(path: str, value: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    spoil(document, path, value)
    with pytest.raises(ValidationError):
        AsyncAPI3.model_validate(document)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        file, _, pointer = reference.partition("#")
        if file:
            assert (SCHEMAS / file).is_file(), reference
            continue
        at = DOCUMENT
        for name in pointer.strip("/").split("/"):
            at = at[name]


def test_channels_are_the_declared_topics() -> None:
    addresses = [channel["address"] for channel in DOCUMENT["channels"].values()]
    assert sorted(addresses) == sorted(topics.declared())
