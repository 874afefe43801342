"""What may stand in a Job's spec, and in the one that a CronJob makes Jobs from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from wherry.api.strategy.pod.validation import validate_template
from wherry.api.strategy.rules import Causes, dns_subdomain, not_negative, qualified_name, supported_if_set
from wherry.apimachinery.fielderrors import duplicate, invalid, invalid_whole, not_supported, quote, required, too_long, too_many
from wherry.apimachinery.names import regex_words

Dict = dict[str, Any]

MODES = ("Indexed", "NonIndexed")
ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
OPERATORS = ("In", "NotIn")
CONDITION_STATUSES = ("False", "True", "Unknown")
MAX_PARALLELISM, MAX_FAILED_INDEXES = 100_000, 100_000  # of Indexed Jobs, whose status lists indexes
MANY_COMPLETIONS, MAX_WITH_MANY = 100_000, 10_000  # above so many completions, indexes of their own limit are held shorter
MAX_RULES, MAX_VALUES, MAX_PATTERNS, MAX_MANAGED_BY, MAX_INDEXES_TEXT = 20, 255, 20, 63, 64 * 1024

_COUNTS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_PATH_PATTERN = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_PATH = re.compile(_PATH_PATTERN)
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def validate_job_spec(spec: Dict, path: str, errs: Causes) -> None:
    """What Jobs and the templates of CronJobs have in common."""
    for name in _COUNTS:
        not_negative(spec.get(name), f"{path}.{name}", errs)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errs.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    _managed_by(spec.get("managedBy"), f"{path}.managedBy", errs)
    supported_if_set(spec.get("completionMode"), MODES, f"{path}.completionMode", errs)
    if spec.get("completionMode") == "Indexed":
        _indexed(spec, path, errs)
    else:
        for name in ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"):
            if spec.get(name) is not None:
                errs.append(invalid(f"{path}.{name}", spec[name], "requires indexed completion mode"))
    policy = spec.get("podFailurePolicy")
    if policy is not None:
        _pod_failure_policy(policy, spec, f"{path}.podFailurePolicy", errs)
    replacements = ("Failed",) if policy is not None else ("Failed", "TerminatingOrFailed")
    supported_if_set(spec.get("podReplacementPolicy"), replacements, f"{path}.podReplacementPolicy", errs)
    validate_template(spec.get("template") or {}, f"{path}.template", errs)
    _restart_policy(spec, f"{path}.template.spec.restartPolicy", errs)


def _restart_policy(spec: Dict, path: str, errs: Causes) -> None:
    restart = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if restart in (None, "", "Always"):  # Always is what Pods have when nothing is said
        errs.append(required(path, 'valid values: "OnFailure", "Never"'))
    elif restart not in ("OnFailure", "Never"):
        errs.append(not_supported(path, restart, ("OnFailure", "Never")))
    elif spec.get("podFailurePolicy") is not None and restart != "Never":
        errs.append(invalid(path, restart, 'only "Never" is supported when podFailurePolicy is specified'))


def _managed_by(value: str | None, path: str, errs: Causes) -> None:
    if value is None:
        return
    host, slash, rest = value.partition("/")
    if not value:
        errs.append(required(path))
    elif not (slash and host and rest):
        errs.append(invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")'))
    else:
        dns_subdomain(host, path, errs)
        if _PATH.fullmatch(rest) is None:
            errs.append(invalid(path, rest, regex_words("Invalid path", _PATH_PATTERN)))
    if len(value.encode()) > MAX_MANAGED_BY:
        errs.append(too_long(path, MAX_MANAGED_BY))


def _indexed(spec: Dict, path: str, errs: Causes) -> None:
    completions, most, parallelism = spec.get("completions"), spec.get("maxFailedIndexes"), spec.get("parallelism") or 0
    if completions is None:
        errs.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism > MAX_PARALLELISM:
        words = f"must be less than or equal to {MAX_PARALLELISM} when completion mode is Indexed"
        errs.append(invalid(f"{path}.parallelism", parallelism, words))
    if most is not None and completions is not None and most > completions:
        errs.append(invalid(f"{path}.maxFailedIndexes", most, "must be less than or equal to completions"))
    if most is not None and most > MAX_FAILED_INDEXES:
        errs.append(invalid(f"{path}.maxFailedIndexes", most, f"must be less than or equal to {MAX_FAILED_INDEXES}"))
    if completions is not None and completions > MANY_COMPLETIONS and spec.get("backoffLimitPerIndex") is not None:
        words = (f"must be less than or equal to {MAX_WITH_MANY} when completions are above {MANY_COMPLETIONS}"
                 " and used with backoff limit per index")
        if most is None:
            errs.append(required(f"{path}.maxFailedIndexes", f"must be specified when completions is above {MANY_COMPLETIONS}"))
        if parallelism > MAX_WITH_MANY:
            errs.append(invalid(f"{path}.parallelism", parallelism, words))
        if most is not None and most > MAX_WITH_MANY:
            errs.append(invalid(f"{path}.maxFailedIndexes", most, words))
    if spec.get("successPolicy") is not None:
        _success_policy(spec["successPolicy"], completions or 0, f"{path}.successPolicy.rules", errs)


# --- policies ----------------------------------------------------------------------------------


def _chosen(value: Any, supported: tuple[str, ...], path: str, errs: Causes) -> None:
    """A required value out of a few, which the refusal names."""
    if not value:
        errs.append(required(path, f"valid values: [{' '.join(map(quote, supported))}]"))
    elif value not in supported:
        errs.append(not_supported(path, value, supported))


def _pod_failure_policy(policy: Dict, spec: Dict, path: str, errs: Causes) -> None:
    rules, pod = policy.get("rules") or [], (spec.get("template") or {}).get("spec") or {}
    containers = {c.get("name") for kind in ("containers", "initContainers") for c in pod.get(kind) or ()}
    if len(rules) > MAX_RULES:
        errs.append(too_many(f"{path}.rules", len(rules), MAX_RULES))
    for i, rule in enumerate(rules):
        where, codes, conditions = f"{path}.rules[{i}]", rule.get("onExitCodes"), rule.get("onPodConditions") or ()
        if rule.get("action") != "FailIndex":
            _chosen(rule.get("action"), ACTIONS, f"{where}.action", errs)
        elif spec.get("backoffLimitPerIndex") is None:
            errs.append(invalid(f"{where}.action", "FailIndex", "requires the backoffLimitPerIndex to be set"))
        if codes is not None:
            _exit_codes(codes, containers, f"{where}.onExitCodes", errs)
        if len(conditions) > MAX_PATTERNS:
            errs.append(too_many(f"{where}.onPodConditions", len(conditions), MAX_PATTERNS))
        for j, pattern in enumerate(conditions):
            qualified_name(pattern.get("type") or "", f"{where}.onPodConditions[{j}].type", errs)
            _chosen(pattern.get("status"), CONDITION_STATUSES, f"{where}.onPodConditions[{j}].status", errs)
        if codes is not None and conditions:
            errs.append(invalid_whole(where, "specifying both OnExitCodes and OnPodConditions is not supported"))
        elif codes is None and not conditions:
            errs.append(invalid_whole(where, "specifying one of OnExitCodes and OnPodConditions is required"))


def _exit_codes(codes: Dict, containers: set[Any], path: str, errs: Causes) -> None:
    operator, values, name = codes.get("operator"), codes.get("values") or [], codes.get("containerName")
    _chosen(operator, OPERATORS, f"{path}.operator", errs)
    if name is not None and name not in containers:
        words = "must be one of the container or initContainer names in the pod template"
        errs.append(invalid(f"{path}.containerName", name, words))
    if not values:
        errs.append(invalid(f"{path}.values", values, "at least one value is required"))
    elif len(values) > MAX_VALUES:
        errs.append(too_many(f"{path}.values", len(values), MAX_VALUES))
    seen: set[int] = set()
    for i, value in enumerate(values):
        if operator == "In" and value == 0:
            errs.append(invalid(f"{path}.values[{i}]", value, "must not be 0 for the In operator"))
        if value in seen:
            errs.append(duplicate(f"{path}.values[{i}]", value))
        seen.add(value)
    if values != sorted(values):
        errs.append(invalid(f"{path}.values", values, "must be ordered"))


def _success_policy(policy: Dict, completions: int, path: str, errs: Causes) -> None:
    rules = policy.get("rules") or []
    if not rules:
        errs.append(required(path, "at least one rules must be specified when the successPolicy is specified"))
    if len(rules) > MAX_RULES:
        errs.append(too_many(path, len(rules), MAX_RULES))
    for i, rule in enumerate(rules):
        where, count, text, total = f"{path}[{i}]", rule.get("succeededCount"), rule.get("succeededIndexes"), 0
        if count is None and text is None:
            errs.append(required(where, "at least one of succeededCount or succeededIndexes must be specified"))
        if text is not None:
            if len(text.encode()) > MAX_INDEXES_TEXT:
                errs.append(too_long(f"{where}.succeededIndexes", MAX_INDEXES_TEXT))
            try:
                total = sum(last - first + 1 for first, last in intervals(text, completions))
            except ValueError as error:
                errs.append(invalid(f"{where}.succeededIndexes", text, f"error parsing succeededIndexes: {error}"))
        if count is not None:
            where += ".succeededCount"
            not_negative(count, where, errs)
            if count > completions:
                errs.append(invalid(where, count, f"must be less than or equal to {completions} (the number of specified completions)"))
            if text is not None and count > total:
                words = f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
                errs.append(invalid(where, count, words))


# --- completion indexes ------------------------------------------------------------------------


def intervals(text: str, completions: int) -> Iterator[tuple[int, int]]:
    """The intervals of indexes as a person may write them: `0,2-4`.  Raises ValueError, in upstream's words."""
    previous = -1
    for part in text.split(",") if text else ():
        first, last = interval(part, completions)
        if previous >= first:
            raise ValueError(f"non-increasing order, previous: {previous}, current: {first}")
        yield first, last
        previous = last


def interval(text: str, completions: int) -> tuple[int, int]:
    """Both ends of one.  Raises ValueError."""
    ends = text.split("-")
    if len(ends) > 2:
        words = "violates the requirement that an index interval can have at most two parts separated by '-'"
        raise ValueError(f"the fragment {quote(text)} {words}")
    numbers = []
    for end in ends:
        if _INTEGER.fullmatch(end) is None:
            raise ValueError(f"cannot convert string to integer for index: {quote(end)}")
        if int(end) >= completions:
            raise ValueError(f"too large index: {quote(end)}")
        numbers.append(int(end))
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise ValueError(f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}")
    return numbers[0], numbers[-1]
