"""Reads the recordings of a real server for the tests of strategies."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from wherry.apimachinery.quantity import canonical

FOLDER = Path(__file__).parents[5] / "shared" / "upstream" / "api"


@cache
def _load(name: str) -> tuple[dict[str, Any], ...]:
    path = FOLDER / f"{name}.json"
    return tuple(json.loads(path.read_text())) if path.exists() else ()


def cases(name: str) -> dict[str, dict[str, Any]]:
    """By the case's name; empty where the recordings are absent."""
    return {case["name"]: copy.deepcopy(case) for case in _load(name)}


def decoded(obj: Any, name: str = "") -> Any:
    """As the server's decoder hands objects over: no nulls, canonical quantities."""
    if isinstance(obj, dict):
        if name in ("limits", "requests", "hard", "capacity", "max"):
            return {key: canonical(value) if not isinstance(value, dict) else value for key, value in obj.items()}
        return {key: decoded(value, key) for key, value in obj.items() if value is not None}
    if isinstance(obj, list):
        return [decoded(item) for item in obj]
    return obj
