"""The OpenAPI document of ingest is valid, and says of every item what ingest decodes."""

from __future__ import annotations

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from services.ingest.admit import ITEMS
from services.ingest.openapi import document


def test_the_document_is_valid_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_items_refuse_unknown_members_by_schema_too() -> None:
    schemas = document()["components"]["schemas"]
    for type, item in ITEMS.items():
        schema = {
            "$ref": f"#/components/schemas/{item.__name__}",
            "components": {"schemas": schemas},
        }
        Draft202012Validator.check_schema(schema)
        assert schemas[item.__name__]["additionalProperties"] is False, type
