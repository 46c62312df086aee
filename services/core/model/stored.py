"""Models as bytes: one line that names the format and the SHA-256 of the rest, then arrays (npz).

Nothing in it is code: arrays of objects are refused, so a file from elsewhere can at worst score
badly. Equal models give equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.errors import VecheError
from services.core.model.learn import Learner, Settings
from services.core.model.linear import Model, fingerprint

FORMAT = 1
"""Raised with every change to the n-grams, the scale or the arrays."""
_MAX_BITS = 24


class BadModel(VecheError):
    """Bytes that are no model of this format: train it again."""


def pack_model(model: Model) -> bytes:
    return _pack(
        "model",
        {
            "label": np.array(model.label),
            "numbers": np.array([model.bias, model.slope, model.offset]),
            "texts": np.array([model.positives, model.negatives]),
            "scale": model.scale,
            "weight": model.weight,
        },
    )


def unpack_model(raw: bytes) -> Model:
    """Raises BadModel."""
    arrays = _unpack("model", raw)
    try:
        scale, weight = _column(arrays["scale"]), _column(arrays["weight"])
        bias, slope, offset = (float(n) for n in arrays["numbers"])
        positives, negatives = (int(n) for n in arrays["texts"])
        bits = _bits(scale, weight)
    except (KeyError, ValueError, TypeError) as error:
        raise BadModel(f"the model is not complete: {error}") from None
    return Model(
        label=str(arrays["label"]),
        version=fingerprint(scale, weight, bias, slope, offset),
        bits=bits,
        scale=scale,
        weight=weight,
        bias=bias,
        slope=slope,
        offset=offset,
        positives=positives,
        negatives=negatives,
    )


def pack_learner(learner: Learner) -> bytes:
    return _pack(
        "learner",
        {
            "numbers": np.array(
                [learner.bias, learner.bias_squares, learner.slope, learner.offset]
            ),
            "texts": np.array([learner.positives, learner.negatives]),
            "recent": learner.recent,
            "with_label": learner.with_label,
            "without": learner.without,
            "weight": learner.weight,
            "squares": learner.squares,
        },
    )


def unpack_learner(settings: Settings, raw: bytes) -> Learner:
    """Raises BadModel, also where the settings' size is not the stored one."""
    arrays = _unpack("learner", raw)
    learner = Learner(settings)
    try:
        learner.bias, learner.bias_squares, learner.slope, learner.offset = (
            float(n) for n in arrays["numbers"]
        )
        learner.positives, learner.negatives = (int(n) for n in arrays["texts"])
        learner.recent = arrays["recent"].reshape(-1, 3)
        columns = [_column(arrays[n]) for n in ("with_label", "without", "weight", "squares")]
        bits = _bits(*columns)
        learner.with_label, learner.without, learner.weight, learner.squares = columns
    except (KeyError, ValueError, TypeError) as error:
        raise BadModel(f"the model is not complete: {error}") from None
    if bits != settings.bits:
        raise BadModel(f"the model has 2^{bits} bins, not 2^{settings.bits}")
    return learner


def _pack(kind: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            # A ZipInfo of its own, for the date is part of the bytes.
            entry = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, 1)
    body = out.getvalue()
    return f"veche-{kind} {FORMAT} {hashlib.sha256(body).hexdigest()}\n".encode() + body


def _unpack(kind: str, raw: bytes) -> dict[str, NDArray[Any]]:
    head, _, body = raw.partition(b"\n")
    said = head[:200].decode("ascii", "replace").split(" ")
    if len(said) != 3 or said[0] != f"veche-{kind}":
        raise BadModel(f"this is no {kind} that `veche model train` or a service wrote")
    if said[1] != str(FORMAT):
        raise BadModel(f"the {kind}'s format is {said[1]}, not {FORMAT}: train it again")
    if hashlib.sha256(body).hexdigest() != said[2]:
        raise BadModel(f"the {kind} is damaged: its SHA-256 differs from its first line")
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise BadModel(f"the {kind} does not open: {error}") from None


def _column(array: NDArray[Any]) -> NDArray[np.float32]:
    if array.dtype != np.float32 or array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError("an array is not a row of finite numbers")
    return array


def _bits(*columns: NDArray[np.float32]) -> int:
    size = len(columns[0])
    bits = size.bit_length() - 1
    if size != 1 << bits or bits > _MAX_BITS or any(len(column) != size for column in columns):
        raise ValueError("arrays differ in length")
    return bits
