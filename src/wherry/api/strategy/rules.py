"""Rules that many kinds share: ports, keys, addresses, labels, selectors, quantities, immutability.

A checker is given a value, its field path and the list of causes that it adds to; paths are built only
where something is wrong or a checker goes deeper, for most objects are right.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from wherry.apimachinery import names, quantity
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_supported, required, too_long

Causes = list[Cause]
Faults = Callable[[str], list[str]]

NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"
MAX_INT32 = 2**31 - 1
PROTOCOLS = ("SCTP", "TCP", "UDP")

_PORT_CHARACTERS = re.compile(r"[-a-z0-9]+")
_KEY_PATTERN = "[-._a-zA-Z0-9]+"
_KEY = re.compile(_KEY_PATTERN)
_KEY_WORDS = names.regex_words(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'", _KEY_PATTERN,
    "key.name", "KEY_NAME", "key-name",
)
_HEADER_PATTERN = "[-A-Za-z0-9]+"
_HEADER = re.compile(_HEADER_PATTERN)
_HEADER_WORDS = names.regex_words(
    "a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER_PATTERN, "X-Header-Name",
)


def between(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


PORT_RANGE = between(1, 65535)


# --- words about one string or number ----------------------------------------------------------


def port_name_faults(name: str) -> list[str]:
    """IANA service names, which name ports (RFC 6335)."""
    found = []
    if len(name) > 15:
        found.append(names.max_length(15))
    if _PORT_CHARACTERS.fullmatch(name) is None:
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= c <= "z" for c in name):
        found.append("must contain at least one letter (a-z)")
    if "--" in name:
        found.append("must not contain consecutive hyphens")
    if name and (name[0] == "-" or name[-1] == "-"):
        found.append("must not begin or end with a hyphen")
    return found


@lru_cache(maxsize=4096)
def _key_faults(key: str) -> tuple[str, ...]:
    found = []
    if len(key) > 253:
        found.append(names.max_length(253))
    if _KEY.fullmatch(key) is None:
        found.append(_KEY_WORDS)
    if key in (".", ".."):
        found.append(f"must not be '{key}'")
    elif key.startswith(".."):
        found.append("must not start with '..'")
    return tuple(found)


def config_map_key_faults(key: str) -> list[str]:
    """Keys of ConfigMaps and Secrets, which become file names."""
    return list(_key_faults(key))


def env_name_faults(name: str) -> list[str]:
    """Names of environment variables, as relaxed since 1.30."""
    found = [] if name else ["environment variable name must be non-empty"]
    if any(not " " <= c <= "~" or c == "=" for c in name):
        found.append("a valid environment variable name must consist only of printable ASCII characters other than '='")
    return found


def header_name_faults(name: str) -> list[str]:
    return [] if _HEADER.fullmatch(name) else [_HEADER_WORDS]


_REASON_PATTERN = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON = re.compile(_REASON_PATTERN)
_REASON_WORDS = names.regex_words(
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and"
    " must end with an alphanumeric character or '_'",
    _REASON_PATTERN, "my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB",
)
CONDITION_STATUSES = ("False", "True", "Unknown")
MAX_REASON, MAX_MESSAGE = 1024, 32 * 1024  # bytes


# --- checkers ----------------------------------------------------------------------------------


def by_rule(value: str, rule: Faults, path: str, errs: Causes) -> None:
    """Everything that `rule` finds wrong with `value`."""
    for fault in rule(value):
        errs.append(invalid(path, value, fault))


def dns_label(value: str, path: str, errs: Causes) -> None:
    by_rule(value, names.is_dns1123_label, path, errs)


def dns_subdomain(value: str, path: str, errs: Causes) -> None:
    by_rule(value, names.is_dns1123_subdomain, path, errs)


def qualified_name(value: str, path: str, errs: Causes) -> None:
    by_rule(value, names.is_qualified_name, path, errs)


def conditions(found: Iterable[Mapping[str, Any]] | None, path: str, errs: Causes) -> None:
    """metav1.Conditions, one of a type."""
    seen: set[str] = set()
    for i, each in enumerate(found or ()):
        where, type_, reason = f"{path}[{i}]", each.get("type") or "", each.get("reason") or ""
        if type_ in seen:
            errs.append(duplicate(f"{where}.type", type_))
        seen.add(type_)
        qualified_name(type_, f"{where}.type", errs)
        if each.get("status") not in CONDITION_STATUSES:
            errs.append(not_supported(f"{where}.status", each.get("status") or "", CONDITION_STATUSES))
        if (each.get("observedGeneration") or 0) < 0:
            errs.append(invalid(f"{where}.observedGeneration", each["observedGeneration"], "must be greater than or equal to zero"))
        if not each.get("lastTransitionTime"):
            errs.append(required(f"{where}.lastTransitionTime", "must be set"))
        if not reason:
            errs.append(required(f"{where}.reason", "must be set"))
        elif _REASON.fullmatch(reason) is None:
            errs.append(invalid(f"{where}.reason", reason, _REASON_WORDS))
        for name, limit in (("reason", MAX_REASON), ("message", MAX_MESSAGE)):
            if len((each.get(name) or "").encode()) > limit:
                errs.append(too_long(f"{where}.{name}", limit))


def one_of(value: Any, supported: tuple[str, ...], path: str, errs: Causes) -> None:
    """A required value out of a few."""
    if value in supported:
        return
    errs.append(not_supported(path, value, supported) if value else required(path))


def supported_if_set(value: Any, supported: tuple[str, ...], path: str, errs: Causes) -> None:
    """A value out of a few, or none (a nil pointer; "" is a value)."""
    if value is not None and value not in supported:
        errs.append(not_supported(path, value, supported))


def not_negative(value: int | None, path: str, errs: Causes) -> None:
    if value is not None and value < 0:
        errs.append(invalid(path, value, NEGATIVE))


def port_number(port: int, path: str, errs: Causes) -> None:
    if not 1 <= port <= 65535:
        errs.append(invalid(path, port, PORT_RANGE))


def port_number_or_name(port: int | str | None, path: str, errs: Causes) -> None:
    if isinstance(port, str):
        by_rule(port, port_name_faults, path, errs)
    else:
        port_number(port or 0, path, errs)


def ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def valid_ip(text: str, path: str, errs: Causes) -> bool:
    if ip_address(text) is not None and "%" not in text:
        return True
    errs.append(invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"))
    return False


def valid_cidr(text: str, path: str, errs: Causes) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
        if "/" in text:
            return True
    except ValueError:
        pass
    errs.append(invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"))
    return False


def non_special_ip(text: str, path: str, errs: Causes) -> None:
    """Addresses that an endpoint or an external IP may have."""
    ip = ip_address(text)
    if ip is None:
        errs.append(invalid(path, text, "must be a valid IP address"))
        return
    if ip.is_unspecified:
        errs.append(invalid(path, text, f"may not be unspecified ({text})"))
    if ip.is_loopback:
        errs.append(invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
    if ip.is_link_local:
        errs.append(invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
    if ip.is_multicast and (ip in _LINK_LOCAL_MULTICAST_4 if ip.version == 4 else ip in _LINK_LOCAL_MULTICAST_6):
        errs.append(invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"))


_LINK_LOCAL_MULTICAST_4 = ipaddress.ip_network("224.0.0.0/24")
_LINK_LOCAL_MULTICAST_6 = ipaddress.ip_network("ff02::/16")


def labels(values: Mapping[str, str] | None, path: str, errs: Causes) -> None:
    """Label keys and values, as of metadata, node selectors and Service selectors."""
    for key, value in (values or {}).items():
        by_rule(key, names.is_qualified_name, path, errs)
        by_rule(value, names.is_label_value, path, errs)


def annotation_values(values: Mapping[str, str] | None, path: str, errs: Causes) -> None:
    """Annotation keys (any case) and the 256 KiB that they may take."""
    total = 0
    for key, value in (values or {}).items():
        by_rule(key.lower(), names.is_qualified_name, path, errs)
        total += len(key) + len(value)
    if total > 256 << 10:
        errs.append(Cause("FieldValueTooLong", f"Too long: may not be more than {256 << 10} bytes", path))


def label_selector(selector: Mapping[str, Any] | None, path: str, errs: Causes) -> None:
    """A metav1.LabelSelector; none is fine."""
    if not selector:
        return
    labels(selector.get("matchLabels"), f"{path}.matchLabels", errs)
    for i, expression in enumerate(selector.get("matchExpressions") or ()):
        _label_expression(expression, f"{path}.matchExpressions[{i}]", errs)


def _label_expression(expression: Mapping[str, Any], path: str, errs: Causes) -> None:
    operator, values = expression.get("operator", ""), expression.get("values") or ()
    if operator in ("In", "NotIn"):
        if not values:
            errs.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            errs.append(forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    else:
        errs.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    by_rule(expression.get("key", ""), names.is_qualified_name, f"{path}.key", errs)
    for j, value in enumerate(values):
        by_rule(value, names.is_label_value, f"{path}.values[{j}]", errs)


def matches(selector: Mapping[str, Any], values: Mapping[str, str] | None) -> bool:
    """Whether a valid metav1.LabelSelector selects labels."""
    values = values or {}
    for key, wanted in (selector.get("matchLabels") or {}).items():
        if values.get(key) != wanted:
            return False
    for expression in selector.get("matchExpressions") or ():
        key, operator = expression.get("key", ""), expression.get("operator")
        found = {
            "In": values.get(key) in (expression.get("values") or ()),
            "NotIn": values.get(key) not in (expression.get("values") or ()),
            "Exists": key in values,
            "DoesNotExist": key not in values,
        }.get(operator or "", False)
        if not found:
            return False
    return True


def is_empty_selector(selector: Mapping[str, Any] | None) -> bool:
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))


def immutable(new: Any, old: Any, path: str, errs: Causes) -> None:
    if new != old:
        errs.append(invalid(path, new, IMMUTABLE))


def unique(values: Iterable[Any], path: Callable[[int], str], errs: Causes) -> None:
    """Each repetition is a duplicate."""
    seen = set()
    for i, value in enumerate(values):
        if value in seen:
            errs.append(duplicate(path(i), value))
        seen.add(value)


def round_up_to_milli(resources: dict[str, str] | None) -> None:
    """Resource lists know no finer unit than thousandths: upstream rounds what is finer up."""
    for name, text in (resources or {}).items():
        if isinstance(text, str) and text[-1:] in ("n", "u"):
            resources[name] = str(quantity.from_milli(quantity.milli(text)))  # type: ignore[index]


def sorted_items(values: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    """Items in key order, so that causes have an order (upstream's maps have none)."""
    return sorted((values or {}).items())
