"""The difference of two Pod specs as the refusal of an update tells it: a unified diff of their JSON."""

from __future__ import annotations

import difflib
from typing import Any

import msgspec

Dict = dict[str, Any]


def _lines(value: Any) -> list[str]:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode().split("\n")


def spec_diff(old: Dict, new: Dict) -> str:
    """Hunks with three lines around each change."""
    found = difflib.unified_diff(_lines(old), _lines(new), lineterm="", n=3)
    return "".join(f"{line}\n" for line in list(found)[2:])
