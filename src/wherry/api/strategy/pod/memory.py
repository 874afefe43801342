"""What was found out about a Pod template or spec, remembered: objects are written far more often than their templates change."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
Judge = Callable[[dict[str, Any], str], list[T]]  # (a template, where it stands) -> faults, or warnings
TEMPLATES = 256  # the last ones
_TOKEN_VOLUME = re.compile("kube-api-access-[a-z0-9]{5}")
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


_good: dict[bytes, None] = {}


def remembered_if_good(spec: dict[str, Any], judge: Callable[[], list[T]]) -> list[T]:
    """The faults of a Pod's spec: `judge` is not asked again when it found none in one just like it.

    Pods of one template differ in the name of their token's volume, which admission makes up: for what that is called, no
    rule cares.  NUL stands for it, which no JSON has.
    """
    key = _encode(spec)
    volumes = spec.get("volumes")
    name = volumes[-1].get("name") if volumes else ""
    if name and _TOKEN_VOLUME.fullmatch(name):
        key = key.replace(name.encode(), b"\0")
    if key in _good:
        return []
    faults = judge()
    if not faults:
        if len(_good) >= TEMPLATES:
            _good.clear()
        _good[key] = None
    return faults
