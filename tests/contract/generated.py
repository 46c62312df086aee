"""`schemas/generate.py` as a module: it lies outside of the package, since it ships nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

SCHEMAS = Path(__file__).parents[2] / "schemas"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", SCHEMAS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _load()
