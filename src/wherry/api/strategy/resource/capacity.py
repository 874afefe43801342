"""The policy of a capacity that several requests may share: which amounts may be asked for."""

from __future__ import annotations

from wherry.api.strategy.resource.common import Dict
from wherry.api.strategy.rules import Causes
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, required, too_many
from wherry.apimachinery.quantity import Quantity, parse

MAX_OPTIONS = 10
_MILLI = 10**6  # nano-units


def request_policy(total: str, policy: Dict, path: str, errs: Causes) -> None:
    values, limits = policy.get("validValues") or [], policy.get("validRange")
    default = parse(policy["default"]) if policy.get("default") is not None else None
    if values and limits is not None:
        words = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        errs.append(forbidden(path, words))
    elif values:
        if default is None:
            errs.append(required(f"{path}.default", "required when validValues is defined"))
        else:
            _options(parse(total), default, [parse(each) for each in values], f"{path}.validValues", errs)
    elif limits is not None:
        if default is None:
            errs.append(required(f"{path}.default", "required when validRange is defined"))
        else:
            bounds = {key: parse(limits[key]) for key in ("min", "max", "step") if limits.get(key) is not None}
            _range(parse(total), default, bounds, f"{path}.validRange", errs)


def _options(total: Quantity, default: Quantity, values: list[Quantity], path: str, errs: Causes) -> None:
    for i in range(1, len(values)):
        if values[i - 1] > values[i]:
            errs.append(invalid(f"{path}[{i}]", str(values[i]), "values must be sorted in ascending order"))
    if len(values) > MAX_OPTIONS:
        errs.append(too_many(path, len(values), MAX_OPTIONS))
        return
    for i, value in enumerate(values):
        if value > total:
            errs.append(invalid(f"{path}[{i}]", str(value), f"option is larger than capacity value: {total}"))
        if value in values[:i]:
            errs.append(duplicate(f"{path}[{i}]", str(value)))
    if default not in values:
        errs.append(invalid(path, str(default), "default value is not valid according to the requestPolicy"))


def _range(total: Quantity, default: Quantity, bounds: dict[str, Quantity], path: str, errs: Causes) -> None:
    low, high = bounds.get("min"), bounds.get("max")
    if low is None:
        errs.append(required(f"{path}.min", "required when validRange is defined"))
        return
    if low > total:
        errs.append(invalid(f"{path}.min", str(low), f"min is larger than capacity value: {total}"))
    if default < low:
        errs.append(invalid(f"{path}.default", str(default), f"default is less than min: {low}"))
    if high is not None:
        if low > high:
            errs.append(invalid(f"{path}.max", str(low), f"min is larger than max: {high}"))
        if high > total:
            errs.append(invalid(f"{path}.max", str(high), f"max is larger than capacity value: {total}"))
        if default > high:
            errs.append(invalid(f"{path}.default", str(default), f"default is more than max: {high}"))
    fine = [(key, value) for key, value in (("default", default), *bounds.items()) if value.nanos % _MILLI]
    for key, value in fine:
        errs.append(invalid(f"{path}.{key}", str(value), "value cannot be represented as a milli value"))
    if "step" in bounds and not fine:
        _step(total, default, bounds, path, errs)


def _step(total: Quantity, default: Quantity, bounds: dict[str, Quantity], path: str, errs: Causes) -> None:
    low, step = bounds["min"], bounds["step"]
    if step.nanos <= 0:
        errs.append(invalid(f"{path}.step", str(step), "must be greater than zero"))
        return
    if low + step > total:
        errs.append(invalid(f"{path}.step", str(step), f"one step {low + step} is larger than capacity value: {total}"))
    for value in (default, *([bounds["max"]] if "max" in bounds else [])):
        if (value.nanos - low.nanos) % step.nanos:
            errs.append(invalid(f"{path}.step", str(value), f"value is not a multiple of a given step ({step}) from ({low})"))
