"""JSON patch (RFC 6902), with the liberties of the library that upstream uses.

Negative indexes count from the end, an operation without `value` has null, `test` of a missing
member with null holds, and only `replace` and `test` may have the whole document as their target.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from wherry.apimachinery.patch.error import PatchError
from wherry.apimachinery.values import deep_copy, same

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 << 20  # of all `copy` operations together: each could double the document

_INDEX = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)
_MISSING = object()


class _CannotApply(Exception):
    """The document does not fit the operation."""


def apply_json_patch(doc: Any, ops: Any) -> Any:
    """A copy of `doc` with every operation applied, in order.

    Raises PatchError: 400 when `ops` is no JSON patch, 413 when it is too long, 422 when it does not apply.
    """
    if not isinstance(ops, list) or not all(isinstance(op, dict) for op in ops):
        raise PatchError("error decoding patch: a JSON patch is a list of operations")
    if len(ops) > MAX_OPERATIONS:
        message = f"Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(ops)}"
        raise PatchError(message, 413, "RequestEntityTooLarge")
    document = _Document(deep_copy(doc))
    try:
        for op in ops:
            document.apply(op)
    except _CannotApply:
        raise PatchError("the server rejected our request due to an error in our request", 422, "Invalid", {}) from None
    return document.root


class _Document:
    """The document while operations change it in place."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._copied = 0
        self._verbs: dict[str, Callable[[dict[str, Any], list[str]], None]] = {
            "add": self._add_op, "remove": self._remove_op, "replace": self._replace_op,
            "move": self._move_op, "copy": self._copy_op, "test": self._test_op,
        }  # fmt: skip

    def apply(self, op: dict[str, Any]) -> None:
        verb = op.get("op")
        run = self._verbs.get(verb) if isinstance(verb, str) else None
        if run is None:
            raise _CannotApply(f"unexpected kind: {verb}")
        run(op, _pointer(op.get("path")))

    def _add_op(self, op: dict[str, Any], path: list[str]) -> None:
        self._add(path, deep_copy(op.get("value")))

    def _remove_op(self, op: dict[str, Any], path: list[str]) -> None:
        self._remove(path)

    def _replace_op(self, op: dict[str, Any], path: list[str]) -> None:
        value = deep_copy(op.get("value"))
        if not path:
            if not isinstance(value, (dict, list)):
                raise _CannotApply("a document is an object or a list")
            self.root = value
            return
        container, key = self._container(path)
        if _get(container, key) is _MISSING:
            raise _CannotApply("replace: no such member")
        container[_position(key, len(container)) if isinstance(container, list) else key] = value

    def _move_op(self, op: dict[str, Any], path: list[str]) -> None:
        source = _pointer(op.get("from"))
        if path[: len(source)] == source and len(path) > len(source):
            raise _CannotApply("move: into itself")
        self._add(path, self._remove(source))

    def _copy_op(self, op: dict[str, Any], path: list[str]) -> None:
        value = self._find(_pointer(op.get("from")))
        if value is _MISSING:
            raise _CannotApply("copy: no such member")
        self._copied += len(msgspec.json.encode(value))
        if self._copied > MAX_COPIED_BYTES:
            raise _CannotApply("copy: too much")
        self._add(path, deep_copy(value))

    def _test_op(self, op: dict[str, Any], path: list[str]) -> None:
        found = self._find(path) if path else self.root
        if not same(None if found is _MISSING else found, op.get("value")):
            raise _CannotApply("test failed")

    def _container(self, path: list[str]) -> tuple[Any, str]:
        """What holds the target of `path`, and the target's key in it."""
        if not path:
            raise _CannotApply("the whole document is no target")
        container = self.root
        for key in path[:-1]:
            container = _get(container, key)
        if not isinstance(container, (dict, list)):
            raise _CannotApply("missing path")
        return container, path[-1]

    def _find(self, path: list[str]) -> Any:
        container, key = self._container(path)
        return _get(container, key)

    def _add(self, path: list[str], value: Any) -> None:
        container, key = self._container(path)
        if isinstance(container, dict):
            container[key] = value
        elif key == "-":
            container.append(value)
        else:
            container.insert(_position(key, len(container) + 1), value)

    def _remove(self, path: list[str]) -> Any:
        container, key = self._container(path)
        if _get(container, key) is _MISSING:
            raise _CannotApply("remove: no such member")
        return container.pop(_position(key, len(container)) if isinstance(container, list) else key)


def _pointer(text: Any) -> list[str]:
    """The parts of a JSON pointer (RFC 6901)."""
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _CannotApply("not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _position(key: str, size: int) -> int:
    if not _INDEX.fullmatch(key) or not -size <= int(key) < size:
        raise _CannotApply("invalid index")
    return int(key) % size


def _get(container: Any, key: str) -> Any:
    if isinstance(container, dict):
        return container.get(key, _MISSING)
    if isinstance(container, list):
        return container[_position(key, len(container))]
    return _MISSING
