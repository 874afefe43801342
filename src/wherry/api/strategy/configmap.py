"""ConfigMaps: keys that can be file names, a megabyte in all, immutable when asked."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, by_rule, config_map_key_faults
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid, too_long

Dict = dict[str, Any]
MAX_BYTES = 1 << 20
FROZEN = "field is immutable when `immutable` is set"


def decoded_length(text: str) -> int:
    """How many bytes a base64 text stands for."""
    return len(text) * 3 // 4 - text[-2:].count("=")


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    data, binary, total = obj.get("data") or {}, obj.get("binaryData") or {}, 0
    for key, value in data.items():
        if not key.isidentifier() or not key.isascii() or len(key) > 253:
            by_rule(key, config_map_key_faults, f"data[{key}]", errs)
        if key in binary:
            errs.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        total += _length(value)
    for key, value in binary.items():
        by_rule(key, config_map_key_faults, f"binaryData[{key}]", errs)
        total += decoded_length(value)
    if total > MAX_BYTES:
        errs.append(too_long("[]", MAX_BYTES))  # upstream's way to say: the whole object
    return errs


def validate_frozen(new: Dict, old: Dict, fields: tuple[str, ...], errs: Causes) -> None:
    """Nothing changes in what is once immutable."""
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        errs.append(forbidden("immutable", FROZEN))
    for name in fields:
        if (new.get(name) or {}) != (old.get(name) or {}):
            errs.append(forbidden(name, FROZEN))


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    validate_frozen(obj, old, ("data", "binaryData"), errs)
    return errs


CONFIG_MAP = Strategy(validate=validate, validate_update=validate_update, has_generation=False)
