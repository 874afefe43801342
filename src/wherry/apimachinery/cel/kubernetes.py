"""Kubernetes' own functions: quantities, semantic versions, lists, strings and regular expressions.

https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-cel-libraries
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import total_ordering
from typing import Any

from wherry.apimachinery import quantity
from wherry.apimachinery.cel import regex
from wherry.apimachinery.cel.errors import EvaluationError
from wherry.apimachinery.cel.functions import Overload, member
from wherry.apimachinery.cel.types import BOOL, DOUBLE, INT, STRING, A, Type, list_of
from wherry.apimachinery.cel.values import INT_MAX, INT_MIN, OPAQUE, equal
from wherry.apimachinery.quantity import Quantity

QUANTITY, SEMVER = Type("kubernetes.Quantity"), Type("kubernetes.Semver")
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Semver:
    """https://semver.org: builds do not count when versions are compared."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[int | str, ...] = ()
    build: str = ""

    def _key(self) -> tuple[Any, ...]:
        parts = tuple((0, each, "") if isinstance(each, int) else (1, 0, each) for each in self.prerelease)
        return self.major, self.minor, self.patch, not parts, parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and self._key() == other._key()

    def __lt__(self, other: Semver) -> bool:
        return bool(self._key() < other._key())

    def __hash__(self) -> int:
        return hash(self._key())


OPAQUE.update({Quantity: QUANTITY, Semver: SEMVER})


def parse_semver(text: str, normalize: bool = False) -> Semver:
    """`normalize`: "v1.0" and "01.02.03" too (upstream's rules)."""
    if normalize:
        text = text.removeprefix("v")
        core, mark, rest = re.fullmatch(r"([^-+]*)([-+]?)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        numbers = [each.lstrip("0") or "0" if each.isdigit() else each for each in core.split(".")]
        text = ".".join(numbers + ["0"] * (3 - len(numbers))) + mark + rest
    shape = _SEMVER.fullmatch(text)
    if shape is None:
        raise EvaluationError(f"invalid semantic version: {text!r}")
    major, minor, patch, prerelease, build = shape.groups()
    parts = tuple(int(each) if each.isdigit() else each for each in prerelease.split(".")) if prerelease else ()
    return Semver(int(major), int(minor), int(patch), parts, build or "")


def parse_quantity(text: str) -> Quantity:
    try:
        return quantity.parse(text)
    except ValueError as error:
        raise EvaluationError(str(error)) from None


def _parses(parse: Callable[..., Any]) -> Callable[..., bool]:
    def test(*given: Any) -> bool:
        try:
            parse(*given)
        except EvaluationError:
            return False
        return True
    return test


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _is_integer(amount: Quantity) -> bool:
    return amount.nanos % 10**9 == 0 and INT_MIN <= amount.value() <= INT_MAX


def _as_integer(amount: Quantity) -> int:
    if not _is_integer(amount):
        raise EvaluationError("cannot convert value to integer")
    return amount.value()


def _ordered(of: Type) -> tuple[Overload, ...]:
    return (
        member("compareTo", (of, of), INT, _sign), member("isLessThan", (of, of), BOOL, lambda a, b: a < b),
        member("isGreaterThan", (of, of), BOOL, lambda a, b: a > b),
    )


QUANTITIES = (
    Overload("quantity", (STRING,), QUANTITY, parse_quantity, traverses=True),
    Overload("isQuantity", (STRING,), BOOL, _parses(parse_quantity), traverses=True),
    *_ordered(QUANTITY),
    member("sign", (QUANTITY,), INT, lambda a: _sign(a.nanos, 0)), member("isInteger", (QUANTITY,), BOOL, _is_integer),
    member("asInteger", (QUANTITY,), INT, _as_integer), member("asApproximateFloat", (QUANTITY,), DOUBLE, lambda a: a.nanos / 10**9),
    member("add", (QUANTITY, QUANTITY), QUANTITY, lambda a, b: a + b), member("sub", (QUANTITY, QUANTITY), QUANTITY, lambda a, b: a - b),
    member("add", (QUANTITY, INT), QUANTITY, lambda a, b: a + quantity.from_value(b)),
    member("sub", (QUANTITY, INT), QUANTITY, lambda a, b: a - quantity.from_value(b)),
)
SEMVERS = (
    Overload("semver", (STRING,), SEMVER, parse_semver, traverses=True),
    Overload("semver", (STRING, BOOL), SEMVER, parse_semver, traverses=True),
    Overload("isSemver", (STRING,), BOOL, _parses(parse_semver), traverses=True),
    Overload("isSemver", (STRING, BOOL), BOOL, _parses(parse_semver), traverses=True),
    *_ordered(SEMVER),
    member("major", (SEMVER,), INT, lambda a: a.major), member("minor", (SEMVER,), INT, lambda a: a.minor),
    member("patch", (SEMVER,), INT, lambda a: a.patch),
)

# --- lists -------------------------------------------------------------------------------------


def _sum(items: list[Any]) -> Any:
    total = 0
    for each in items:
        total = total + each
    if isinstance(total, int) and not INT_MIN <= total <= INT_MAX:
        raise EvaluationError("integer overflow")
    return total


def _extreme(choose: Callable[..., Any], name: str) -> Callable[[list[Any]], Any]:
    def call(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{name} called on empty list")
        return choose(items)
    return call


def _index_of(items: list[Any], wanted: Any) -> int:
    return next((i for i, each in enumerate(items) if equal(each, wanted)), -1)


def _last_index_of(items: list[Any], wanted: Any) -> int:
    return next((i for i in reversed(range(len(items))) if equal(items[i], wanted)), -1)


def _is_sorted(items: list[Any]) -> bool:
    return all(not items[i] > items[i + 1] for i in range(len(items) - 1))


LISTS = (
    member("isSorted", (list_of(A),), BOOL, _is_sorted, True), member("sum", (list_of(A),), A, _sum, True),
    member("min", (list_of(A),), A, _extreme(min, "min"), True), member("max", (list_of(A),), A, _extreme(max, "max"), True),
    member("indexOf", (list_of(A), A), INT, _index_of, True), member("lastIndexOf", (list_of(A), A), INT, _last_index_of, True),
)

# --- strings (cel-go's extended strings, version 2) ----------------------------------------------


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise EvaluationError(f"index out of range: {at}")
    return text[at:at + 1]


def _find_from(text: str, part: str, start: int) -> int:
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text.find(part, start)


def _rfind_from(text: str, part: str, last: int) -> int:
    if not 0 <= last <= len(text):
        raise EvaluationError(f"index out of range: {last}")
    return text.rfind(part, 0, last + len(part))


def _substring(text: str, start: int, end: int | None = None) -> str:
    end = len(text) if end is None else end
    if not 0 <= start <= len(text) or not 0 <= end <= len(text):
        raise EvaluationError(f"index out of range: {start if not 0 <= start <= len(text) else end}")
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    return text[start:end]


def _split(text: str, by: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not by:
        parts = list(text)
        return parts if limit < 0 or len(parts) <= limit else [*parts[:limit - 1], "".join(parts[limit - 1:])]
    return text.split(by, limit - 1 if limit > 0 else -1)


def _ascii(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "".join(change(c) if c.isascii() else c for c in text)


STRING_EXTENSIONS = (
    member("charAt", (STRING, INT), STRING, _char_at), member("indexOf", (STRING, STRING), INT, lambda t, p: t.find(p), True),
    member("indexOf", (STRING, STRING, INT), INT, _find_from, True),
    member("lastIndexOf", (STRING, STRING), INT, lambda t, p: t.rfind(p), True),
    member("lastIndexOf", (STRING, STRING, INT), INT, _rfind_from, True),
    member("lowerAscii", (STRING,), STRING, _ascii(str.lower), True), member("upperAscii", (STRING,), STRING, _ascii(str.upper), True),
    member("replace", (STRING, STRING, STRING), STRING, lambda t, a, b: t.replace(a, b), True),
    member("replace", (STRING, STRING, STRING, INT), STRING, lambda t, a, b, n: t.replace(a, b, n), True),
    member("split", (STRING, STRING), list_of(STRING), _split, True),
    member("split", (STRING, STRING, INT), list_of(STRING), _split, True),
    member("join", (list_of(STRING),), STRING, "".join, True),
    member("join", (list_of(STRING), STRING), STRING, lambda items, by: by.join(items), True),
    member("substring", (STRING, INT), STRING, _substring, True), member("substring", (STRING, INT, INT), STRING, _substring, True),
    member("trim", (STRING,), STRING, str.strip, True),
    member("find", (STRING, STRING), STRING, regex.find, True),
    member("findAll", (STRING, STRING), list_of(STRING), regex.find_all, True),
    member("findAll", (STRING, STRING, INT), list_of(STRING), regex.find_all, True),
)
LIBRARIES = (QUANTITIES, LISTS, STRING_EXTENSIONS)
