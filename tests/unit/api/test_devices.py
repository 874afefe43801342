"""Selectors of devices: cases of upstream's compile_test.go, with the costs that it expects."""

from __future__ import annotations

import msgspec
import pytest

from wherry.api.devices import MAX_COST, compile_selector, matches, variables
from wherry.api.types import resource_v1
from wherry.apimachinery.cel import EvaluationError

DRIVER = "dra.example.com"
A, C = f'device.attributes["{DRIVER}"]', f'device.capacity["{DRIVER}"]'
TEN = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
DEVICE = msgspec.convert({
    "name": "d", "attributes": {"yes": {"bool": True}, "one": {"int": 1}, "kind": {"string": "fish"}, "v": {"version": "1.0.0"}, "other.example.com/name": {"bool": True}},
    "capacity": {"memory": {"value": "1Mi"}}, "allowMultipleAllocations": True,
}, resource_v1.Device)


@pytest.mark.parametrize(("expression", "cost", "expected"), [
    ("true", 0, True), ("false", 0, False), ('"no-such-domain" in device.attributes', 3, False), (f'"{DRIVER}" in device.attributes', 3, True),
    (f'device.driver == "{DRIVER}"', 4, True), (f"{A}.yes", 4, True), (f'{A}["yes"]', 4, True), (f"cel.bind(dra, {A}, dra.yes)", 15, True),
    ('device.attributes["other.example.com"].name', 4, True), (f"{A}.one > 0", 5, True), (f'{A}.kind == "fish"', 5, True),
    (f'{A}.v.isGreaterThan(semver("0.0.1"))', 6, True), (f'{A}.v.isGreaterThan(semver("v0.0.1", true)) && isSemver("v1.0.0", true)', 7, True),
    (f'{C}.memory.isGreaterThan(quantity("1Ki"))', 6, True), (f'"memory" in {C} && {C}.memory.isGreaterThan(quantity("1Ki"))', 10, True),
    (f'{C}.memory.compareTo(quantity("10Gi")) >= 0', 7, False), (f'!("x" in {C}) || {C}.x.isGreaterThan(quantity("1Ki"))', 11, True),
    (f'device.attributes.exists_one(x, x == "{DRIVER}")', 164, True), (f'{A}.exists_one(x, x == "kind")', 133, True),
    (f'{A}.kind.matches("[^a]?sh")', 18, True), ("device.allowMultipleAllocations == true", 3, True), (f'{A}.?nope.orValue("x") == "x"', None, True),
    (f'has({A}.kind) && !has({A}.nope)', None, True),
])
def test_matches(expression: str, cost: int | None, expected: bool):
    program = compile_selector(expression)
    assert matches(program, variables(DRIVER, DEVICE)) is expected
    assert cost is None or program.max_cost == cost


@pytest.mark.parametrize(("expression", "error"), [
    (f"{A}.nope.isGreaterThan(quantity('0'))", "no such key: nope"), ('device.attributes["no-such-domain"]["nope"] == 1', "no such key: nope"),
    (f"{A}.one.exists(x, x > 0)", "got 'int', expected iterable type"), (f"{A}.kind", "CEL result of type string could not be converted to bool"),
])
def test_runtime_errors(expression: str, error: str):
    with pytest.raises(EvaluationError, match=error):
        matches(compile_selector(expression), variables(DRIVER, DEVICE))


@pytest.mark.parametrize(("expression", "error"), [
    ("?!", "compilation failed: ERROR: <input>:1:1: Syntax error"), ("1", "must evaluate to bool or the unknown type, not int"),
    (A, r"must evaluate to bool or the unknown type, not map\(string, any\)"), ("noSuchVar", "undeclared reference to 'noSuchVar'"),
    (f'{A}.attr.includes("fish")', "undeclared reference to 'includes'"), ("device.driverName == ''", "undefined field 'driverName'"),
])
def test_compile_errors(expression: str, error: str):
    with pytest.raises(ValueError, match=error):
        compile_selector(expression)


def test_loops_in_loops_are_too_costly():
    expression = "int('1'.find('[0-9]*')) < 100"
    for name in ("a", "b", "c", "d", "e", "f", "g"):
        expression = f"{TEN}.all({name}, {expression})"
    assert compile_selector(expression).max_cost == 85555551 > MAX_COST
