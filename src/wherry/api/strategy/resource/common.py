"""Names, sizes, selectors, tolerations: what the kinds of dynamic resource allocation have in common."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from wherry.api.devices import MAX_COST, MAX_EXPRESSION, compile_selector
from wherry.api.strategy.pod.volumes import validate_csi_driver_name
from wherry.api.strategy.rules import Causes, by_rule, dns_label, dns_subdomain, one_of, qualified_name
from wherry.apimachinery import names
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_supported, required, too_long, too_many

Dict = dict[str, Any]
Check = Callable[[Any, str, Causes], None]
MAX_LIST = 32  # requests, constraints, configurations, selectors, results
MAX_TOLERATIONS = 16
MAX_PARAMETERS = 10 * 1024
EFFECTS = ("NoExecute", "NoSchedule", "None")
_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_IDENTIFIER_WORDS = names.regex_words(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
    _IDENTIFIER, "my_name", "MY_NAME", "MyName",
)


def each(values: Iterable[Any] | None, limit: int, check: Check, path: str, errs: Causes, key: Callable[[Any], Any] | None = None) -> None:
    """A list of at most `limit` (-1: any number) items; with a `key`, none may come twice.  A longer one is not looked at."""
    items = list(values or ())
    if 0 <= limit < len(items):
        errs.append(too_many(path, len(items), limit))
        return
    for i, item in enumerate(items):
        check(item, f"{path}[{i}]", errs)
    seen = set()
    for i, item in enumerate(items if key is not None else ()):
        found = key(item)  # type: ignore[misc]
        if found in seen:
            errs.append(duplicate(f"{path}[{i}]", found))
        seen.add(found)


def same(item: Any) -> Any:
    return item


def by_name(item: Dict) -> str:
    return item.get("name") or ""


# --- names -------------------------------------------------------------------------------------


def driver_name(name: str | None, path: str, errs: Causes) -> None:
    validate_csi_driver_name(name or "", path, errs)


def pool_name(name: str | None, path: str, errs: Causes) -> None:
    if not name:
        errs.append(required(path))
        return
    if len(name) > 253:
        errs.append(too_long(path, 253))
    for part in name.split("/"):
        dns_subdomain(part, path, errs)


def label_name(name: str | None, path: str, errs: Causes) -> None:
    """The name of a device, a request, a counter."""
    dns_label(name or "", path, errs)


def identifier(name: str, path: str, errs: Causes) -> None:
    if len(name) > 32:
        errs.append(too_long(path, 32))
    if re.fullmatch(_IDENTIFIER, name) is None:
        errs.append(invalid(path, name, _IDENTIFIER_WORDS))


def attribute_name(name: str, path: str, errs: Causes) -> None:
    """`[domain/]identifier`."""
    parts = name.split("/")
    if len(parts) == 1:
        identifier(name, path, errs)
    elif len(parts) == 2:
        domain, rest = parts
        if domain:
            driver_name(domain, path, errs)
        else:
            errs.append(invalid(path, "", "the domain must not be empty"))
        if rest:
            identifier(rest, path, errs)
        else:
            errs.append(invalid(path, "", "the name must not be empty"))
    else:
        errs.append(invalid(path, name, "must not contain more than one slash"))


def full_attribute_name(name: str, path: str, errs: Causes) -> None:
    """`domain/identifier`."""
    attribute_name(name, path, errs)
    if "/" not in name:
        errs.append(invalid(path, name, "a fully qualified name must be a domain and a name separated by a slash"))


def is_uid(text: str, path: str, errs: Causes) -> None:
    try:
        uuid.UUID(text)
    except ValueError:
        errs.append(invalid(path, text, f"error validating uid: invalid UUID length: {len(text)}"))
        return
    if str(uuid.UUID(text)) != text:
        words = "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters"
        errs.append(invalid(path, text, words))


# --- selectors and configuration ---------------------------------------------------------------


def expression(text: str, path: str, errs: Causes) -> None:
    if len(text.encode()) > MAX_EXPRESSION:
        errs.append(too_long(path, MAX_EXPRESSION))
        return
    try:
        program = compile_selector(text)
    except ValueError as error:
        errs.append(invalid(path, text, str(error)))
        return
    if program.max_cost > MAX_COST:
        errs.append(forbidden(path, "too complex, exceeds cost limit"))


def selector(item: Dict, path: str, errs: Causes) -> None:
    cel = item.get("cel")
    if cel is None:
        errs.append(required(f"{path}.cel"))
    else:
        expression(cel.get("expression") or "", f"{path}.cel.expression", errs)


def selectors(items: list[Dict] | None, path: str, errs: Causes) -> None:
    each(items, MAX_LIST, selector, path, errs)


def raw_object(value: Any, path: str, errs: Causes, limit: int = MAX_PARAMETERS) -> None:
    """Somebody else's object within ours."""
    if value is None:
        errs.append(required(path))
    elif len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()) > limit:
        errs.append(too_long(path, limit))
    elif not isinstance(value, dict):
        errs.append(invalid(path, "<value omitted>", "must be a valid JSON object"))


def opaque(config: Dict, path: str, errs: Causes) -> None:
    """The one kind of DeviceConfiguration."""
    given = config.get("opaque")
    if given is None:
        errs.append(required(f"{path}.opaque"))
        return
    driver_name(given.get("driver"), f"{path}.opaque.driver", errs)
    raw_object(given.get("parameters"), f"{path}.opaque.parameters", errs)


# --- taints ------------------------------------------------------------------------------------


def taint(item: Dict, path: str, errs: Causes) -> None:
    qualified_name(item.get("key") or "", f"{path}.key", errs)
    if item.get("value"):
        by_rule(item["value"], names.is_label_value, f"{path}.value", errs)
    one_of(item.get("effect"), EFFECTS, f"{path}.effect", errs)


def toleration(item: Dict, path: str, errs: Causes) -> None:
    value, effect = item.get("value") or "", item.get("effect")
    if item.get("key"):
        qualified_name(item["key"], f"{path}.key", errs)
    if item.get("operator") == "Exists" and value:
        errs.append(invalid(f"{path}.value", value, "must be empty for operator `Exists`"))
    elif item.get("operator") == "Equal":
        by_rule(value, names.is_label_value, f"{path}.value", errs)
    one_of(item.get("operator"), ("Equal", "Exists"), f"{path}.operator", errs)
    if effect and effect not in EFFECTS:
        errs.append(not_supported(f"{path}.effect", effect, EFFECTS))


def conditions(items: list[Dict] | None, path: str, errs: Causes) -> None:
    """meta/v1 Conditions: eight at most, each type once."""
    if len(items or ()) > 8:
        errs.append(too_many(path, len(items or ()), 8))
    seen = set()
    for i, item in enumerate(items or ()):
        where, kind = f"{path}[{i}]", item.get("type") or ""
        if kind in seen:
            errs.append(duplicate(f"{where}.type", kind))
        seen.add(kind)
        if kind:
            qualified_name(kind, f"{where}.type", errs)
        else:
            errs.append(required(f"{where}.type"))
        if item.get("status") not in ("True", "False", "Unknown"):
            errs.append(not_supported(f"{where}.status", item.get("status") or "", ("False", "True", "Unknown")))
        if not item.get("lastTransitionTime"):
            errs.append(required(f"{where}.lastTransitionTime"))
        if not item.get("reason"):
            errs.append(required(f"{where}.reason"))


def binding_conditions(item: Dict, path: str, errs: Causes) -> None:
    """What has to be true of a device before a Pod is bound, and what tells that it never will be."""
    wanted, failures = item.get("bindingConditions") or [], item.get("bindingFailureConditions") or []
    each(wanted, 4, qualified_name, f"{path}.bindingConditions", errs, same)
    each(failures, 4, qualified_name, f"{path}.bindingFailureConditions", errs, same)
    for i, condition in enumerate(failures):
        if condition in wanted:
            where = f"{path}.bindingFailureConditions[{i}]"
            errs.append(invalid(where, condition, "bindingFailureConditions must not overlap with bindingConditions"))
    if failures and not wanted:
        words = "bindingConditions are required to use bindingFailureConditions"
        errs.append(invalid(f"{path}.bindingConditions", wanted, words))
    if wanted and not failures:
        words = "bindingFailureConditions are required to use bindingConditions"
        errs.append(invalid(f"{path}.bindingFailureConditions", failures, words))
