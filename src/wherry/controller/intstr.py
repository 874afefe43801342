"""Numbers that may be percentages (`maxSurge: 25%`)."""

from __future__ import annotations


def scaled(value: int | str | None, total: int, round_up: bool, default: int | str = 0) -> int:
    """The value, or its percentage of `total`.  Raises ValueError for a string that is no percentage."""
    if value is None:
        value = default
    if isinstance(value, int):
        return value
    number, percent, rest = value.partition("%")
    if not percent or rest:
        raise ValueError(f"invalid value for IntOrString: invalid type: string is not a percentage: {value!r}")
    product = int(number) * total
    return -(-product // 100) if round_up else product // 100
