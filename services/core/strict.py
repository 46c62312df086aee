"""JSON from outside, read strictly: what a lenient parser would swallow is refused by name.

Refused: bytes that are not UTF-8, duplicate members, NaN and Infinity, numbers beyond a double,
nesting beyond the limit, NUL characters, lone surrogates; and with `strict`, unknown members.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, TypeVar

import msgspec

from services.core.errors import BadEvent

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

MAX_DEPTH = 16
"""Objects and arrays inside each other; the outermost counts as one."""


def parse(raw: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text.

    Raises BadEvent: `bad_utf8`, `bad_json`, `duplicate_member`, `bad_number`, `too_deep`,
    `bad_text`; its `field` is a JSON pointer where one is known.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadEvent("bad_utf8", f"byte {error.start} is not valid UTF-8") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise BadEvent("bad_json", f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise _too_deep("", max_depth) from None
    except ValueError:
        raise BadEvent("bad_number", "a number has too many digits") from None
    if "\\u" in text or text.count("{") + text.count("[") > max_depth:
        _inspect(value, "", max_depth, max_depth)
    return value


def convert(value: Any, type: type[T]) -> T:
    """`value`, as `parse` gave it, as a `type`. Raises BadEvent `bad_schema` naming the member."""
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `")
        # Of a mapping with names of the sender's own msgspec tells no more than that it is there.
        path = path.rpartition("`$")[2] if path.startswith("key` in ") else path.removeprefix("$")
        path = path.rstrip("`").partition("[...]")[0]
        pointer = re.sub(r"\[(\d+)\]", r".\1", path).replace(".", "/")
        if named := re.search(r"field `([^`]*)`$", text):
            pointer += "/" + _escaped(named[1])
        raise BadEvent("bad_schema", text, pointer) from None


@cache
def strict(struct: type[S]) -> type[S]:
    """The same struct, refusing members that it does not declare."""
    return msgspec.defstruct(
        struct.__name__, [], bases=(struct,), frozen=True, forbid_unknown_fields=True
    )  # type: ignore[return-value]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = _first_twice(pairs)[:80]
        raise BadEvent("duplicate_member", f"an object names the member {twice!r} twice")
    return members


def _first_twice(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    return name


def _constant(name: str) -> Any:
    raise BadEvent("bad_number", f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise BadEvent("bad_number", "a number is beyond what a double can hold")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_constant=_constant, parse_float=_finite
)


def _inspect(value: Any, pointer: str, levels: int, max_depth: int) -> None:
    """Looks at every string, and refuses an object or array where no level is left."""
    if isinstance(value, str):
        _inspect_text(value, pointer)
    elif isinstance(value, dict | list):
        if levels == 0:
            raise _too_deep(pointer, max_depth)
        if isinstance(value, list):
            for index, element in enumerate(value):
                _inspect(element, f"{pointer}/{index}", levels - 1, max_depth)
        else:
            for name, member in value.items():
                _inspect_text(name, pointer)
                _inspect(member, f"{pointer}/{_escaped(name)}", levels - 1, max_depth)


def _inspect_text(text: str, pointer: str) -> None:
    if "\x00" in text:
        raise BadEvent("bad_text", "a NUL character cannot be stored", pointer)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadEvent("bad_text", "half of a surrogate pair is not a character", pointer) from None


def _too_deep(pointer: str, max_depth: int) -> BadEvent:
    return BadEvent("too_deep", f"objects and arrays may nest {max_depth} levels", pointer)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
