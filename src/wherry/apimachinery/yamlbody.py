"""YAML bodies as upstream reads them: converted to what JSON can hold, duplicates told with their lines.

Built from libyaml's events, not by PyYAML's composer: that one recurses in C and a nested document ends
the process.  Scalars resolve as upstream's YAML does (1.1's words for booleans, no dates, no base-60).
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any

import msgspec
import yaml

MAX_DEPTH = 500
MAX_ALIASED = 100_000  # values that a document's aliases stand for

_BOOLEANS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NULLS = {"", "~", "null", "Null", "NULL"}
_NUMBERISH = re.compile(r"[-+.0-9].*", re.DOTALL)
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_TAG = "tag:yaml.org,2002:"
_MERGE = object()


class YAMLError(ValueError):
    """The document cannot be read; the text is upstream's."""


class _Node:
    """A container that is being filled, or any value that has an anchor."""

    __slots__ = ("keys", "line", "merges", "pending", "size", "value")

    def __init__(self, value: Any, line: int = 0) -> None:
        self.value, self.line, self.size = value, line, 1
        self.pending: Any = None  # a mapping's key that waits for its value
        self.keys: dict[Any, None] = {}
        self.merges: list[Any] = []


def load(text: bytes) -> tuple[Any, list[str]]:
    """The first document's value, and its duplicate keys ("line 3: key "a" already set in map").

    Raises YAMLError.
    """
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise YAMLError("yaml: invalid leading UTF-8 octet") from None
    builder = _Builder()
    try:
        for event in yaml.parse(decoded, yaml.CSafeLoader):
            if builder.add(event):
                break
    except yaml.MarkedYAMLError as error:
        raise YAMLError(_words(error)) from None
    except yaml.YAMLError as error:
        raise YAMLError(f"yaml: {error}".splitlines()[0]) from None
    return builder.root, builder.duplicates


def _words(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = (mark.line if mark else 0) + isinstance(error, yaml.scanner.ScannerError)
    where = f"line {line}: " if line else ""
    return f"yaml: {where}{error.problem or error.context}"


class _Builder:
    """Folds events into values; containers that are open stand on a stack of our own."""

    def __init__(self) -> None:
        self.root: Any = None
        self.duplicates: list[str] = []
        self._stack: list[_Node] = []
        self._anchors: dict[str, _Node] = {}
        self._aliased = 0

    def add(self, event: Any) -> bool:
        """Take one event; True at the end of the first document."""
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            self._place(self._anchored(_Node(_scalar(event), line), event), line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(self._stack) >= MAX_DEPTH:
                raise YAMLError("yaml: exceeded max depth of 10000")
            self._stack.append(self._anchored(_Node({} if isinstance(event, yaml.MappingStartEvent) else [], line), event))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            node = self._stack.pop()
            if node.merges:
                _merge(node)
            self._place(node, line)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event, line)
        return isinstance(event, yaml.DocumentEndEvent)

    def _anchored(self, node: _Node, event: Any) -> _Node:
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, line: int) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise YAMLError(f"yaml: unknown anchor '{event.anchor}' referenced")
        if node in self._stack:
            raise YAMLError(f"yaml: anchor '{event.anchor}' value contains itself")
        self._aliased += node.size
        if self._aliased > MAX_ALIASED:
            raise YAMLError("yaml: document contains excessive aliasing")
        copied = _Node(msgspec.json.decode(msgspec.json.encode(node.value)) if node.size > 1 else node.value)
        copied.size = node.size
        self._place(copied, line)

    def _place(self, node: _Node, line: int) -> None:
        """Put a finished value where it belongs."""
        if not self._stack:
            self.root = None if node.value is _MERGE else node.value
            return
        parent = self._stack[-1]
        parent.size += node.size
        if isinstance(parent.value, list):
            parent.value.append("<<" if node.value is _MERGE else node.value)
        elif parent.pending is None:
            parent.pending = (node.value, line)
        else:
            self._pair(parent, node.value)

    def _pair(self, parent: _Node, value: Any) -> None:
        (key, line), parent.pending = parent.pending, None
        if key is _MERGE:
            parent.merges.append(value)
            return
        name = _key(key)
        if name in parent.keys:
            self.duplicates.append(f'line {line}: key "{name}" already set in map')
        parent.keys[name] = None
        parent.value[name] = "<<" if value is _MERGE else value


def _merge(node: _Node) -> None:
    """Merge keys (`<<: *base`): what the mapping itself says wins."""
    for merged in node.merges:
        for base in merged if isinstance(merged, list) else [merged]:
            if not isinstance(base, dict):
                raise YAMLError("yaml: map merge requires map or sequence of maps as the value")
            for key, value in base.items():
                node.value.setdefault(key, value)


def _key(key: Any) -> str:
    """A JSON object's key: upstream writes numbers and booleans out."""
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, (int, float)):
        return repr(key)
    if key is None:
        return "null"
    raise YAMLError("error converting YAML to JSON: unsupported map key of type: object")


def _scalar(event: Any) -> Any:
    text: str = event.value
    tag: str = event.tag or ""
    if tag.startswith(_TAG):
        return _tagged(tag.removeprefix(_TAG), text)
    if not event.implicit[0] or (not tag and event.style):
        return text
    return plain(text)


def _tagged(tag: str, text: str) -> Any:
    if tag in ("str", "timestamp"):
        return text
    if tag == "binary":
        try:
            return base64.b64decode(text).decode()
        except ValueError:
            raise YAMLError("yaml: !!binary value contains invalid base64 data") from None
    value = plain(text)
    if tag == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    wanted = {"int": int, "float": float, "bool": bool, "null": type(None)}.get(tag)
    if wanted is None or type(value) is not wanted:
        raise YAMLError(f"yaml: cannot decode !!str `{text[:40]}` as a !!{tag}")
    return value


def plain(text: str) -> Any:
    """What a scalar without quotes and tag says."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text == "<<":
        return _MERGE
    if not _NUMBERISH.match(text):
        return text
    if _INTEGER.fullmatch(text):
        number = _integer(text.replace("_", ""))
        if number is not None:
            return number
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else text
    return text


def _integer(digits: str) -> int | None:
    """Base by prefix; a leading 0 is octal (0644), as in YAML 1.1.  None beyond 64 bits: a float's or text's turn."""
    if len(digits) > 70:
        return None
    sign, digits = (-1, digits[1:]) if digits.startswith("-") else (1, digits.removeprefix("+"))
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2].lower(), 8 if digits.startswith("0") and len(digits) > 1 else 10)
    try:
        value = sign * int(digits[2:] if digits[:2].lower() in ("0b", "0o", "0x") else digits, base)
    except ValueError:  # 089: not octal
        return None
    return value if -(2**63) <= value < 2**64 else None
