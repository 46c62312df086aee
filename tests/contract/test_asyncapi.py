"""The AsyncAPI document: valid by AsyncAPI's own JSON Schema, and nothing in it dangles.

`asyncapi-3.0.0.schema.json` is that schema, from @asyncapi/specs 6.11.1 (Apache-2.0).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from services.core import topics
from tests.contract.generated import SCHEMAS

DOCUMENT: dict[str, Any] = json.loads((SCHEMAS / "asyncapi.json").read_text("utf-8"))
ASYNCAPI = Draft7Validator(
    json.loads((Path(__file__).parent / "asyncapi-3.0.0.schema.json").read_text("utf-8"))
)


def test_the_document_is_valid_asyncapi_3() -> None:
    assert [error.message for error in ASYNCAPI.iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize("lost", ["channels", "operations"])
def test_the_validator_sees_a_spoilt_document(lost: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    for stated in document[lost].values():
        stated["address" if lost == "channels" else "action"] = 5
    assert not ASYNCAPI.is_valid(document)


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
    assert set(DOCUMENT["channels"]) == set(topics.declared())
