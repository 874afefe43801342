"""What was found out about a Pod template, remembered: objects are written far more often than their templates change."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
Judge = Callable[[dict[str, Any], str], list[T]]  # (a template, where it stands) -> faults, or warnings
TEMPLATES = 256  # the last ones
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


def remembered(judge: Judge[T]) -> Judge[T]:
    """`judge`, which looks at nothing but what it is given, asked once for each template and place."""

    @lru_cache(maxsize=TEMPLATES)
    def known(encoded: bytes, path: str) -> tuple[T, ...]:
        return tuple(judge(_decode(encoded), path))

    @wraps(judge)
    def ask(template: dict[str, Any], path: str) -> list[T]:
        return list(known(_encode(template), path))

    return ask
