"""Field errors, worded as upstream's `field.Error`: each validator returns a list of `Cause`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from wherry.apimachinery.errors import Cause


def quote(value: Any) -> str:
    """A value as field errors show it: strings quoted, objects as JSON."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def required(path: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", path)


def invalid(path: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {quote(value)}: {detail}", path)


def invalid_whole(path: str, detail: str) -> Cause:
    """Of something whose value says nothing more than its parts do."""
    return Cause("FieldValueInvalid", f"Invalid value: {detail}", path)


def not_supported(path: str, value: Any, supported: Iterable[str]) -> Cause:
    values = ", ".join(quote(v) for v in supported)
    return Cause("FieldValueNotSupported", f"Unsupported value: {quote(value)}: supported values: {values}", path)


def duplicate(path: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {quote(value)}", path)


def forbidden(path: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", path)


def not_found(path: str, value: Any) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {quote(value)}", path)


def too_long(path: str, limit: int) -> Cause:
    return Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", path)


def too_many(path: str, actual: int, limit: int) -> Cause:
    return Cause("FieldValueTooMany", f"Too many: {actual}: must have at most {limit} items", path)
