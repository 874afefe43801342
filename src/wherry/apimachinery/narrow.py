"""Reading a few fields of a JSON object: what is not asked for is passed over, not made.

A Pod is read in a tenth of the time that all of it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Optional, TypedDict

import msgspec

_whole = msgspec.json.Decoder().decode


def narrow(paths: Iterable[str]) -> Callable[[bytes], dict[str, Any]]:
    """A decoder of the fields at dotted `paths`; whatever else is in the object may or may not be in its result."""
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        *above, last = path.split(".")
        for step in above:
            node = node.setdefault(step, {})
        node.setdefault(last, {})
    decode = msgspec.json.Decoder(_type_of("Root", tree)).decode

    def read(value: bytes) -> dict[str, Any]:
        try:
            return decode(value)  # type: ignore[no-any-return]
        except msgspec.ValidationError:  # text or a list where fields were looked for
            return _whole(value)  # type: ignore[no-any-return]

    return read


def _type_of(name: str, tree: dict[str, Any]) -> Any:
    fields = {step: Optional[_type_of(step, below)] if below else Any for step, below in tree.items()}  # noqa: UP045
    return TypedDict(name, fields, total=False)  # type: ignore[operator]
