"""Writes schemas/events/*.schema.json, asyncapi.json and rules.schema.json from the code's structs.

python schemas/generate.py            write what differs
python schemas/generate.py --check    change nothing; exit 1 where a file is not current
python schemas/generate.py --release  also copy the schemas to schemas/released/: from then on
                                      a contract test holds every change against them
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any, get_args

from services.core import codec, events, topics
from services.core.consume.letters import DeadLetter
from services.core.rules import detect
from services.core.rules.rule import Rule

HERE = Path(__file__).parent
EVENTS = HERE / "events"
RELEASED = HERE / "released"
ASYNCAPI = HERE / "asyncapi.json"
RULES = HERE / "rules.schema.json"

TYPES: dict[str, type[Any]] = {
    str(struct.__struct_config__.tag): struct
    for struct in (
        *get_args(events.Event),
        events.OutcomeRecorded,
        events.StripPublished,
        events.FeedPublished,
    )
}
"""Every event type that a topic carries, with the struct that decodes it."""


def event_schema(type: str) -> dict[str, Any]:
    """JSON Schema 2020-12 of one event, self-contained."""
    struct = TYPES[type]
    _, definitions = codec.json_schemas([struct], "#/$defs/{name}")
    definitions = {name: _tidy(stated) for name, stated in definitions.items()}
    schema = definitions.pop(struct.__name__)
    schema["properties"]["type"] = {"const": type}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:veche:schema:{type}",
        **schema,
        **({"$defs": definitions} if definitions else {}),
    }


def _tidy(stated: Any) -> Any:
    """Docstrings without their indentation, the same under every Python."""
    if isinstance(stated, dict):
        return {
            name: inspect.cleandoc(value)
            if name == "description" and isinstance(value, str)
            else _tidy(value)
            for name, value in stated.items()
        }
    return [_tidy(value) for value in stated] if isinstance(stated, list) else stated


def rules_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a rules file's document, for editors: one rule, or a list of them."""
    _, definitions = codec.json_schemas([Rule], "#/$defs/{name}")
    definitions = {name: _tidy(stated) for name, stated in definitions.items()}
    finds = definitions["Condition"]["properties"]["finds"]["anyOf"][0]["items"]
    finds["enum"] = sorted(detect.DETECTORS)
    rule = {"$ref": "#/$defs/Rule"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:veche:schema:rules",
        "title": "Rules of Veche",
        "anyOf": [rule, {"type": "array", "items": rule}],
        "$defs": definitions,
    }


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document: channels are topics, operations are what each process does."""
    declared = topics.declared()
    operations: dict[str, Any] = {}
    for topic in declared.values():
        for action, processes in (("send", topic.producers), ("receive", topic.consumers)):
            for process in processes:
                name = _key(f"{process.replace(' ', '-')}.{action}.{topic.name}")
                operations[name] = _operation(action, process, topic)
    messages = {_key(type): _message(type) for type in TYPES} | {_key(_DEAD): _dead_letter()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Veche",
            "version": "1.0.0",
            "description": "Every topic, who writes it, who reads it, and what its records hold.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_key(topic.name): _channel(topic) for topic in declared.values()},
        "operations": operations,
        "components": {"messages": messages},
    }


_DEAD = "veche.dead_letter"


def _key(name: str) -> str:
    """Keys of the document's objects hold no dots; a channel's address and a message's name do."""
    return name.replace(".", "_")


def _dead_letter() -> dict[str, Any]:
    _, definitions = codec.json_schemas([DeadLetter], "")
    return {
        "name": _DEAD,
        "title": "A record that can never be applied",
        "contentType": "application/json",
        "payload": _tidy(definitions["DeadLetter"]),
    }


def _message(type: str) -> dict[str, Any]:
    struct = TYPES[type]
    return {
        "name": type,
        "title": struct.__name__,
        "contentType": "application/json",
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./events/{type}.schema.json"},
        },
    }


def _messages(topic: topics.Topic) -> list[str]:
    return [_key(name) for name in topic.events or (_DEAD,)]


def _channel(topic: topics.Topic) -> dict[str, Any]:
    retention = {} if topic.cleanup_policy == "compact" else {"retention.ms": topic.retention_ms}
    return {
        "address": topic.name,
        "description": f"{topic.description}. Keyed by {topic.key}.",
        "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in _messages(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": [topic.cleanup_policy]} | retention,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(action: str, process: str, topic: topics.Topic) -> dict[str, Any]:
    verb = "writes" if action == "send" else "reads"
    return {
        "action": action,
        "summary": f"{process} {verb} {topic.name}",
        "channel": {"$ref": f"#/channels/{_key(topic.name)}"},
        "messages": [
            {"$ref": f"#/channels/{_key(topic.name)}/messages/{key}"} for key in _messages(topic)
        ],
    }


def documents() -> dict[Path, str]:
    """Every generated file's path and text."""
    written = {EVENTS / f"{type}.schema.json": event_schema(type) for type in TYPES}
    return {
        path: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for path, document in (written | {ASYNCAPI: asyncapi(), RULES: rules_schema()}).items()
    }


def stale() -> list[Path]:
    """Files that differ from what would be generated, or that nothing generates any more."""
    wanted = documents()
    found = {*EVENTS.glob("*.json"), ASYNCAPI, RULES}
    return sorted(
        path
        for path in found | wanted.keys()
        if not path.exists() or path.read_text("utf-8") != wanted.get(path)
    )


def main(arguments: list[str]) -> int:
    old = stale()
    if "--check" in arguments:
        for path in old:
            sys.stderr.write(f"{path} is not current: run python schemas/generate.py\n")
        return 1 if old else 0
    wanted = documents()
    for path in old:
        if path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    if "--release" in arguments:
        RELEASED.mkdir(exist_ok=True)
        for path in EVENTS.glob("*.schema.json"):
            (RELEASED / path.name).write_text(path.read_text("utf-8"), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
