"""Devices of dynamic resource allocation: what a selector may ask of one, and whether a device is meant.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
The API server compiles selectors when they are written, the scheduler runs them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from wherry.api.types import resource_v1
from wherry.apimachinery import quantity
from wherry.apimachinery.cel import CompileError, Environment, EvaluationError, Program
from wherry.apimachinery.cel.kubernetes import LIBRARIES, QUANTITY, SEMVERS, parse_semver
from wherry.apimachinery.cel.types import ANY, BOOL, Type, map_of, object_of
from wherry.apimachinery.cel.values import type_of

MAX_EXPRESSION = 10 * 1024
MAX_COST = 1_000_000
MAX_VALUES = 32  # attributes and capacities of a device, together


def _text(size: int) -> Type:
    return Type("string", size=size)


def _by_domain(values: Type) -> Type:
    return map_of(_text(63), map_of(_text(32), values, MAX_VALUES), MAX_VALUES)


_DEVICE = object_of("kubernetes.DRADevice", {
    "driver": _text(63), "attributes": _by_domain(Type(ANY.name, size=64)), "capacity": _by_domain(QUANTITY),
    "allowMultipleAllocations": BOOL,
})
ENVIRONMENT = Environment.of({"device": _DEVICE}, *LIBRARIES, SEMVERS)


class _Domains(dict[str, Any]):
    """Attributes by their domain; a domain that a device does not have is an empty one."""

    def __missing__(self, domain: str) -> Mapping[str, Any]:
        return {}


@functools.lru_cache(maxsize=1024)
def compile_selector(expression: str) -> Program:
    """Raises ValueError: what does not compile, or can be no condition."""
    try:
        program = ENVIRONMENT.compile(expression)
    except CompileError as error:
        raise ValueError(f"compilation failed: {error}") from None
    if program.output != BOOL and not program.output.is_dynamic:
        raise ValueError(f"must evaluate to bool or the unknown type, not {program.output}")
    return program


def qualified(name: str, driver: str) -> tuple[str, str]:
    """Domain and identifier of an attribute; the driver's own domain goes without saying."""
    domain, slash, identifier = name.partition("/")
    return (domain, identifier) if slash else (driver, name)


def attribute_value(attribute: resource_v1.DeviceAttribute) -> Any:
    """The one value of an attribute, as expressions see it.  Raises EvaluationError when there is none."""
    for value in (attribute.int_, attribute.bool_, attribute.string):
        if value is not None:
            return value
    if attribute.version is not None:
        return parse_semver(attribute.version)
    raise EvaluationError("unsupported attribute value")


def variables(driver: str, device: resource_v1.Device) -> Mapping[str, Any]:
    """What an expression sees of a device."""
    attributes, capacity = _Domains(), _Domains()
    for name, attribute in device.attributes.items():
        domain, identifier = qualified(name, driver)
        attributes.setdefault(domain, {})[identifier] = attribute_value(attribute)
    for name, each in device.capacity.items():
        domain, identifier = qualified(name, driver)
        capacity.setdefault(domain, {})[identifier] = quantity.parse(each.value)
    return {"device": {
        "driver": driver, "attributes": attributes, "capacity": capacity,
        "allowMultipleAllocations": bool(device.allow_multiple_allocations),
    }}


def matches(program: Program, seen: Mapping[str, Any]) -> bool:
    """Whether the device is one that the selector means; `seen` are its `variables`.  Raises EvaluationError."""
    result = program.evaluate(seen, MAX_COST)
    if not isinstance(result, bool):
        raise EvaluationError(f"CEL result of type {type_of(result)} could not be converted to bool: type conversion error")
    return result
