"""Quantities ("500m", "1Gi", "1e3"): exact numbers with the notation they were written in.

Upstream's `resource.Quantity`.  A quantity is a whole number of nano-units, which is the finest that
upstream keeps, so all arithmetic is on plain integers and nothing is ever inexact.
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, total_ordering

DECIMAL_SI = "DecimalSI"
BINARY_SI = "BinarySI"
DECIMAL_EXPONENT = "DecimalExponent"

FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX_WRONG = "unable to parse quantity's suffix"
NUMERIC_WRONG = "unable to parse numeric part of quantity"

_NANO = 10**9
_MAX_BINARY = (2**63 - 1) * _NANO
_MAX_DIGITS = 1000  # bounds the work that a hostile exponent or digit string can ask for
_SHAPE = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*(?:[-+]?[0-9]*))", re.ASCII)
_EXPONENT = re.compile(r"[eE]([-+]?[0-9]+)", re.ASCII)
_DECIMAL_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIXES = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES = {exponent: suffix for suffix, exponent in _DECIMAL_SUFFIXES.items()}
_BINARY_NAMES = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """A number of nano-units and the notation to show it in.  Compared by number alone."""

    nanos: int = 0
    format: str = DECIMAL_SI

    def value(self) -> int:
        """In whole units (bytes, cores), rounded away from zero."""
        return _away_from_zero(self.nanos, _NANO)

    def milli(self) -> int:
        """In thousandths (millicores), rounded away from zero."""
        return _away_from_zero(self.nanos, 10**6)

    def __str__(self) -> str:
        return _render(self.nanos, self.format)

    def __eq__(self, other: object) -> bool:
        return self.nanos == other.nanos if isinstance(other, Quantity) else NotImplemented

    def __lt__(self, other: Quantity) -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos + other.nanos, self.format if self.nanos else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos - other.nanos, self.format if self.nanos else other.format)

    def __neg__(self) -> Quantity:
        return Quantity(-self.nanos, self.format)


ZERO = Quantity()


def from_milli(milli: int, format: str = DECIMAL_SI) -> Quantity:
    """A quantity of so many thousandths: `str(from_milli(1500))` is "1500m"."""
    return Quantity(milli * 10**6, format)


def from_value(value: int, format: str = DECIMAL_SI) -> Quantity:
    """A quantity of so many units."""
    return Quantity(value * _NANO, format)


def from_bytes(count: int) -> Quantity:
    """A quantity of bytes, shown in binary notation: `str(from_bytes(1 << 20))` is "1Mi"."""
    return Quantity(count * _NANO, BINARY_SI)


@lru_cache(maxsize=8192)
def parse(text: str) -> Quantity:
    """Read a quantity.  Raises ValueError in upstream's words."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ValueError(FORMAT_WRONG)
    sign, whole, fraction, suffix = shape.groups()
    fraction = fraction or ""
    if not whole and not fraction:
        raise ValueError(FORMAT_WRONG)
    if len(whole) + len(fraction) > _MAX_DIGITS:
        raise ValueError(NUMERIC_WRONG)
    base, exponent, format = _suffix(suffix)
    digits = int(whole + fraction)
    if base == 2:
        nanos = _up(digits * _NANO << exponent, 10 ** len(fraction))
        nanos = min(nanos, _MAX_BINARY)
        if 0 < nanos < _NANO:
            format = DECIMAL_SI
    else:
        shift = exponent - len(fraction) + 9
        nanos = digits * 10**shift if shift >= 0 else _up(digits, 10**-shift)
    return Quantity(-nanos if sign == "-" else nanos, format)


@lru_cache(maxsize=8192)
def _canonical(text: str) -> str:
    return str(parse(text))


def canonical(text: str | int | float) -> str:
    """The form in which the API server stores and returns a quantity ("0.5" is "500m", 1024Mi is "1Gi").

    Takes what JSON may hold.  Raises ValueError in upstream's words.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ValueError(FORMAT_WRONG)
    return _canonical(text.strip() if isinstance(text, str) else repr(text))


def value(text: str) -> int:
    """The quantity in whole units, rounded up."""
    return parse(text).value()


def milli(text: str) -> int:
    """The quantity in thousandths, rounded up."""
    return parse(text).milli()


def compare(left: str, right: str) -> int:
    """-1, 0 or 1, as `left` is less than, equal to or more than `right`."""
    a, b = parse(left).nanos, parse(right).nanos
    return (a > b) - (a < b)


def add(left: str, right: str) -> str:
    """The sum in canonical form, in the notation of `left` (of `right` when `left` is zero)."""
    return str(parse(left) + parse(right))


def _suffix(suffix: str) -> tuple[int, int, str]:
    """(base, exponent, format) of a suffix."""
    if suffix in _DECIMAL_SUFFIXES:
        return 10, _DECIMAL_SUFFIXES[suffix], DECIMAL_SI
    if suffix in _BINARY_SUFFIXES:
        return 2, _BINARY_SUFFIXES[suffix], BINARY_SI
    written = _EXPONENT.fullmatch(suffix)
    if written is None or len(written[1]) > 9 or abs(int(written[1])) > _MAX_DIGITS:
        raise ValueError(SUFFIX_WRONG)
    return 10, int(written[1]), DECIMAL_EXPONENT


def _up(number: int, divisor: int) -> int:
    return -(-number // divisor)


def _away_from_zero(number: int, divisor: int) -> int:
    return _up(number, divisor) if number >= 0 else -_up(-number, divisor)


def _render(nanos: int, format: str) -> str:
    if nanos == 0:
        return "0"
    # Small or broken numbers would lose precision in binary notation.
    if format == BINARY_SI and abs(nanos) >= 1024 * _NANO and nanos % _NANO == 0:
        number, power = nanos // _NANO, 0
        while number % 1024 == 0 and power < 6:
            number, power = number // 1024, power + 1
        return f"{number}{_BINARY_NAMES[power]}"
    number, exponent = nanos, -9
    while number % 1000 == 0 and (format == DECIMAL_EXPONENT or exponent < 18):
        number, exponent = number // 1000, exponent + 3
    if format == DECIMAL_EXPONENT:
        return f"{number}e{exponent}" if exponent else str(number)
    return f"{number}{_DECIMAL_NAMES[exponent]}"
