"""The OpenAPI 3.1 document of ingest, from the same structs that it decodes with."""

from __future__ import annotations

from functools import cache
from typing import Any

from services.core import codec
from services.core.problems import MEDIA_TYPE, TITLES
from services.ingest.admit import ITEMS, KINDS

_REF = "#/components/schemas/{name}"


@cache
def document() -> dict[str, Any]:
    """Shared by every caller: read it, do not change it."""
    _, schemas = codec.json_schemas(ITEMS.values(), _REF)
    for type, item in ITEMS.items():
        schemas[item.__name__]["properties"]["type"] = {"const": type}
    paths: dict[str, Any] = {
        "/v1/events": {"post": _batch()},
        "/v1/viewer": {
            "post": {
                "summary": "Get the signed cookie that anonymous views are counted by",
                "security": [],
                "responses": {"204": {"description": "Set-Cookie: veche_viewer"}},
            }
        },
    }
    for kind, types in KINDS.items():
        paths[f"/v1/events/{kind}"] = {"post": _one(kind, types)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Veche ingest",
            "version": "1",
            "description": "Events into the log. 202 only after the log's acknowledgement.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas | _SHARED,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _one(kind: str, types: tuple[str, ...]) -> dict[str, Any]:
    items = [_ref(ITEMS[type].__name__) for type in types]
    operation: dict[str, Any] = {
        "summary": f"Send one {kind} event",
        "requestBody": _json({"oneOf": items} if len(items) > 1 else items[0], required=True),
        "responses": {"202": {"description": "Kept in the log"} | _json(_ref("Accepted"))}
        | _problems(400, 401, 403, 408, 413, 415, 422, 503),
    }
    if kind == "view":
        operation["security"] = [{"bearer": []}, {}]
    return operation


def _batch() -> dict[str, Any]:
    items = [_ref(item.__name__) for item in ITEMS.values()]
    return {
        "summary": "Send up to 500 events, at most 1 MiB",
        "requestBody": _json(
            {
                "type": "object",
                "properties": {
                    "events": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 500,
                        "items": {"oneOf": items},
                    }
                },
                "required": ["events"],
                "additionalProperties": False,
            },
            required=True,
        ),
        "responses": {
            "202": {"description": "All are kept in the log"} | _json(_ref("Results")),
            "207": {"description": "Some were refused: look at each"} | _json(_ref("Results")),
        }
        | _problems(400, 401, 408, 413, 415, 422, 503),
    }


_SHARED: dict[str, Any] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"enum": list(TITLES)},
            "field": {"type": "string", "description": "JSON pointer into the body"},
        },
        "required": ["type", "title", "status", "detail", "code"],
    },
    "Accepted": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "receipt": {"type": "string"},
            "receipt_url": {"type": "string"},
        },
        "required": ["id", "receipt", "receipt_url"],
    },
    "Results": {
        "type": "object",
        "properties": {
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": ["string", "null"]},
                        "status": {"type": "integer"},
                        "receipt": {"type": "string"},
                        "receipt_url": {"type": "string"},
                        "problem": {"$ref": _REF.format(name="Problem")},
                    },
                    "required": ["id", "status"],
                },
            }
        },
        "required": ["results"],
    },
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(name=name)}


def _json(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}} | more


def _problems(*statuses: int) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": _ref("Problem")}}
    return {str(status): {"description": "Refused", "content": content} for status in statuses}
