"""Label selectors: the grammar of `labelSelector=`, metav1.LabelSelector, and matching.

A selector compiles once to a tuple of `Requirement`s; `Selector.exact` tells those that demand one
value of one key, which is what the server's label index answers without looking at objects.
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from wherry.apimachinery import names
from wherry.apimachinery.fielderrors import quote

EXISTS, DOES_NOT_EXIST = "exists", "!"
EQUALS, DOUBLE_EQUALS, NOT_EQUALS = "=", "==", "!="
IN, NOT_IN = "in", "notin"
GREATER_THAN, LESS_THAN = "gt", "lt"

_BINARY = (IN, NOT_IN, EQUALS, DOUBLE_EQUALS, NOT_EQUALS, GREATER_THAN, LESS_THAN)
_EXPRESSION_OPERATORS = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": DOES_NOT_EXIST}
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)


def validate_label_key(key: str) -> list[str]:
    """What is wrong with a label's key, in upstream's words."""
    return names.is_qualified_name(key)


def validate_label_value(value: str) -> list[str]:
    """What is wrong with a label's value, in upstream's words."""
    return names.is_label_value(value)


def _integer(text: str) -> int | None:
    """A 64-bit integer as Go's ParseInt reads it."""
    if _INTEGER.fullmatch(text) is None or len(text) > 20:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one key.  `values` is sorted; made by `requirement`, which checks it."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        operator = self.operator
        if operator in (EQUALS, DOUBLE_EQUALS, IN):
            return value is not None and value in self.values
        if operator in (NOT_EQUALS, NOT_IN):
            return value is None or value not in self.values
        if operator == EXISTS:
            return value is not None
        if operator == DOES_NOT_EXIST:
            return value is None
        have, want = _integer(value or ""), _integer(self.values[0])
        if have is None or want is None:
            return False
        return have > want if operator == GREATER_THAN else have < want

    def __str__(self) -> str:
        if self.operator == EXISTS:
            return self.key
        if self.operator == DOES_NOT_EXIST:
            return f"!{self.key}"
        if self.operator in (IN, NOT_IN):
            return f"{self.key} {self.operator} ({','.join(self.values)})"
        sign = {GREATER_THAN: ">", LESS_THAN: "<"}.get(self.operator, self.operator)
        return f"{self.key}{sign}{self.values[0]}"


def requirement(key: str, operator: str, values: Iterable[str] = ()) -> Requirement:
    """A checked requirement.  Raises ValueError in upstream's words."""
    values = tuple(sorted(set(values)))
    faults = validate_label_key(key)
    if faults:
        raise ValueError(f"<nil>: Invalid value: {quote(key)}: {'; '.join(faults)}")
    shown = quote(list(values))
    if operator in (IN, NOT_IN):
        if not values:
            raise ValueError(f"values: Invalid value: {shown}: for 'in', 'notin' operators, values set can't be empty")
    elif operator in (EQUALS, DOUBLE_EQUALS, NOT_EQUALS):
        if len(values) != 1:
            raise ValueError(f"values: Invalid value: {shown}: exact-match compatibility requires one single value")
    elif operator in (EXISTS, DOES_NOT_EXIST):
        if values:
            raise ValueError(f"values: Invalid value: {shown}: values set must be empty for exists and does not exist")
    elif operator in (GREATER_THAN, LESS_THAN):
        if len(values) != 1:
            raise ValueError(f"values: Invalid value: {shown}: for 'Gt', 'Lt' operators, exactly one value is required")
        if _integer(values[0]) is None:
            raise ValueError(
                f"values[0]: Invalid value: {quote(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer"
            )
    else:
        raise ValueError(f"operator: Unsupported value: {quote(operator)}")
    for index, value in enumerate(values):
        if faults := validate_label_value(value):
            raise ValueError(f"values[{index}][{key}]: Invalid value: {quote(value)}: {'; '.join(faults)}")
    return Requirement(key, operator, values)


@dataclass(frozen=True, slots=True)
class Selector:
    """All of `requirements`, or nothing at all.  Without requirements it matches everything."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False
    exact: tuple[tuple[str, str], ...] = field(init=False, compare=False)
    """(key, value) of every requirement that demands one value: what an index can answer."""
    _rest: tuple[Requirement, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        one = [r for r in self.requirements if r.operator in (EQUALS, DOUBLE_EQUALS, IN) and len(r.values) == 1]
        object.__setattr__(self, "exact", tuple((r.key, r.values[0]) for r in one))
        object.__setattr__(self, "_rest", tuple(r for r in self.requirements if r not in one))

    @property
    def everything(self) -> bool:
        """True when every object matches, labels or none."""
        return not self.requirements and not self.nothing

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        if self.nothing:
            return False
        labels = labels or {}
        for key, value in self.exact:
            if labels.get(key) != value:
                return False
        return all(each.matches(labels) for each in self._rest)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    @staticmethod
    def parse(text: str) -> Selector:
        """Read the grammar of `labelSelector=`.  Raises ValueError in upstream's words."""
        return _parse(text)


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def from_set(labels: Mapping[str, str] | None) -> Selector:
    """Equality with each of `labels`, unchecked (a Service's selector); none of them matches everything."""
    return Selector(tuple(Requirement(key, EQUALS, (value,)) for key, value in sorted((labels or {}).items())))


def from_label_selector(selector: Any) -> Selector:
    """From a metav1.LabelSelector, as a dict or a struct: None matches nothing, an empty one everything.

    Raises ValueError in upstream's words.
    """
    if selector is None:
        return NOTHING
    if isinstance(selector, Mapping):
        equal = selector.get("matchLabels") or {}
        raw = selector.get("matchExpressions") or ()
        expressions = [(e.get("key", ""), e.get("operator", ""), e.get("values") or ()) for e in raw]
    else:
        equal = selector.match_labels or {}
        expressions = [(e.key, e.operator, e.values or ()) for e in selector.match_expressions or ()]
    found = [requirement(key, EQUALS, (value,)) for key, value in equal.items()]
    for key, operator, values in expressions:
        if operator not in _EXPRESSION_OPERATORS:
            raise ValueError(f"{quote(operator)} is not a valid label selector operator")
        found.append(requirement(key, _EXPRESSION_OPERATORS[operator], values))
    return Selector(tuple(sorted(found, key=lambda each: each.key)))


# --- the grammar -------------------------------------------------------------------------------

_SIGNS = ("=", "==", "!=", "!", "(", ")", ",", ">", "<")
_SPECIAL = "=!(),><"
_TOKEN = re.compile(r"[ \t\r\n]*(?:([=!(),><]+)|([^=!(),><\s]+))?")
_WORDS = ("in", "notin")
_IDENTIFIER, _END = "identifier", ""

_Token = tuple[str, str]  # (kind, text): kind is a sign, a word, "identifier", "" at the end, or "error"


def _scan_signs(text: str) -> tuple[str, int]:
    """The longest sign at the start of a run of special characters, and its length (0: there is none)."""
    size = 0
    for end in range(1, len(text) + 1):
        if text[:end] in _SIGNS:
            size = end
        elif size:
            break
    return text[:size], size


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            found.append(("error", text[position:]))
            break
        if signs := match[1]:
            sign, size = _scan_signs(signs)
            found.append((sign, sign) if size else ("error", f"error expected: keyword found '{signs}'"))
            position = match.start(1) + (size or len(signs))
            continue
        if word := match[2]:
            found.append((word if word in _WORDS else _IDENTIFIER, word))
        position = match.end()
    found.append((_END, ""))
    return found


class _Parser:
    """Reads tokens as upstream's parser does: `in` and `notin` are words only where an operator may stand."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def lookahead(self) -> _Token:
        kind, text = self._tokens[self._at]
        return (_IDENTIFIER if kind in _WORDS else kind), text

    def consume(self, operator: bool = False) -> _Token:
        token = self._tokens[self._at] if operator else self.lookahead()
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        while True:
            kind, text = self.lookahead()
            if kind == _END:
                return found
            if kind not in (_IDENTIFIER, "!"):
                raise ValueError(f"found '{text}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            kind, text = self.consume()
            if kind == _END:
                return found
            if kind != ",":
                raise ValueError(f"found '{text}', expected: ',' or 'end of string'")
            kind, text = self.lookahead()
            if kind not in (_IDENTIFIER, "!"):
                raise ValueError(f"found '{text}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        kind, key = self.consume()
        absent = kind == "!"
        if absent:
            kind, key = self.consume()
        if kind != _IDENTIFIER:
            raise ValueError(f"found '{key}', expected: identifier")
        if faults := validate_label_key(key):
            raise ValueError(f"<nil>: Invalid value: {quote(key)}: {'; '.join(faults)}")
        if absent or self.lookahead()[0] in (_END, ","):
            return requirement(key, DOES_NOT_EXIST if absent else EXISTS)
        operator, text = self.consume(operator=True)
        operator = {">": GREATER_THAN, "<": LESS_THAN}.get(operator, operator)
        if operator not in _BINARY:
            raise ValueError(f"found '{text}', expected: {', '.join(_BINARY)}")
        return requirement(key, operator, self._values() if operator in (IN, NOT_IN) else self._exact_value())

    def _exact_value(self) -> set[str]:
        if self.lookahead()[0] in (_END, ","):
            return {""}
        kind, text = self.consume()
        if kind != _IDENTIFIER:
            raise ValueError(f"found '{text}', expected: identifier")
        return {text}

    def _values(self) -> set[str]:
        kind, text = self.consume()
        if kind != "(":
            raise ValueError(f"found '{text}' expected: '('")
        kind, text = self.lookahead()
        if kind == ")":
            self.consume()
            return {""}
        if kind not in (_IDENTIFIER, ","):
            raise ValueError(f"found '{text}', expected: ',', ')' or identifier")
        values = self._identifiers()
        if self.consume()[0] != ")":
            raise ValueError(f"found '{text}', expected: ')'")
        return values

    def _identifiers(self) -> set[str]:
        values: set[str] = set()
        while True:
            kind, text = self.consume()
            following, ahead = self.lookahead()
            if kind == _IDENTIFIER:
                values.add(text)
                if following == ")":
                    return values
                if following != ",":
                    raise ValueError(f"found '{ahead}', expected: ',' or ')'")
            elif kind == ",":
                if not values:
                    values.add("")
                if following == ")":
                    values.add("")
                    return values
                if following == ",":
                    self.consume()
                    values.add("")
            else:
                raise ValueError(f"found '{text}', expected: ',', or identifier")


@lru_cache(maxsize=2048)
def _parse(text: str) -> Selector:
    return Selector(tuple(sorted(_Parser(text).parse(), key=lambda each: each.key)))
