"""Webhook configurations and admission policies."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, label_selector, one_of, port_number, qualified_name, supported_if_set
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_supported, required

Dict = dict[str, Any]
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
REVIEW_VERSIONS = ("v1", "v1beta1")
FAILURE_POLICIES = ("Fail", "Ignore")


def _rules(rules: list[Dict] | None) -> None:
    for rule in rules or ():
        fill(rule, scope="*")


def _default_webhook(hook: Dict) -> None:
    fill(hook, failurePolicy="Fail", matchPolicy="Equivalent", namespaceSelector={}, objectSelector={}, timeoutSeconds=10)
    service = (hook.get("clientConfig") or {}).get("service")
    if service is not None:
        fill(service, port=443)
    _rules(hook.get("rules"))


def default_validating(obj: Dict) -> None:
    for hook in obj.get("webhooks") or ():
        _default_webhook(hook)


def default_mutating(obj: Dict) -> None:
    for hook in obj.get("webhooks") or ():
        _default_webhook(hook)
        fill(hook, reinvocationPolicy="Never")


# --- webhooks ----------------------------------------------------------------------------------


def validate_rule(rule: Dict, path: str, errs: Causes) -> None:
    for name in ("apiGroups", "apiVersions", "resources", "operations"):
        values = rule.get(name) or []
        if not values:
            errs.append(required(f"{path}.{name}"))
        if "*" in values and len(values) > 1 and name != "resources":
            errs.append(invalid(f"{path}.{name}", values, f"if '*' is present, must not specify other {_PLURALS[name]}"))
    for i, version in enumerate(rule.get("apiVersions") or ()):
        if version == "":
            errs.append(required(f"{path}.apiVersions[{i}]"))
    for i, operation in enumerate(rule.get("operations") or ()):
        if operation not in OPERATIONS:
            errs.append(not_supported(f"{path}.operations[{i}]", operation, OPERATIONS))
    resources = rule.get("resources") or []
    if "*/*" in resources and len(resources) > 1:
        words = "if '*/*' is present, must not specify other resources"
        errs.append(invalid(f"{path}.resources", resources, words))
    for i, resource in enumerate(resources):
        if resource == "":
            errs.append(required(f"{path}.resources[{i}]"))
    supported_if_set(rule.get("scope"), SCOPES, f"{path}.scope", errs)


_PLURALS = {"apiGroups": "API groups", "apiVersions": "API versions", "operations": "operations"}


def _client(config: Dict, path: str, errs: Causes) -> None:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        errs.append(required(path, "exactly one of url or service is required"))
    elif url is not None:
        validate_https_url(url, f"{path}.url", errs)
    elif service is not None:
        for name in ("name", "namespace"):
            if not service.get(name):
                errs.append(required(f"{path}.service.{name}", f"service {name} is required"))
        text = service.get("path")
        if text is not None and not text.startswith("/"):
            errs.append(invalid(f"{path}.service.path", text, "must start with a '/'"))
        port_number(service.get("port") or 443, f"{path}.service.port", errs)


def validate_https_url(url: str, path: str, errs: Causes) -> None:
    scheme, separator, rest = url.partition("://")
    form = "desired format: https://host[/path]"
    if not separator or scheme != "https":
        errs.append(invalid(path, scheme if separator else "", f"'https' is the only allowed URL scheme; {form}"))
    host = rest.partition("/")[0]
    if not host:
        errs.append(invalid(path, host, f"host must be specified; {form}"))
    if "@" in host:
        errs.append(invalid(path, host.partition("@")[0], "user information is not permitted in the URL"))
    for mark, word in (("#", "fragments"), ("?", "query parameters")):
        if mark in rest:
            errs.append(invalid(path, rest.partition(mark)[2], f"{word} are not permitted in the URL"))


def _conditions(conditions: list[Dict] | None, path: str, errs: Causes) -> None:
    seen: set[str] = set()
    for i, condition in enumerate(conditions or ()):
        where, name = f"{path}[{i}]", condition.get("name") or ""
        if not (condition.get("expression") or "").strip():
            errs.append(required(f"{where}.expression"))
        if not name:
            errs.append(required(f"{where}.name"))
        else:
            qualified_name(name, f"{where}.name", errs)
        if name and name in seen:
            errs.append(duplicate(f"{where}.name", name))
        seen.add(name)


def _webhook(hook: Dict, mutating: bool, path: str, errs: Causes) -> None:
    name = hook.get("name") or ""
    faults = names.is_dns1123_subdomain(name)
    if not name:
        errs.append(required(f"{path}.name"))
    elif faults:
        errs.extend(invalid(f"{path}.name", name, fault) for fault in faults)
    elif name.count(".") < 2:
        errs.append(invalid(f"{path}.name", name, "should be a domain with at least three segments separated by dots"))
    versions = hook.get("admissionReviewVersions") or []
    if not versions:
        errs.append(required(f"{path}.admissionReviewVersions", f"must specify one of {', '.join(REVIEW_VERSIONS)}"))
    elif not set(versions) & set(REVIEW_VERSIONS):
        words = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        errs.append(invalid(f"{path}.admissionReviewVersions", versions, words))
    for i, rule in enumerate(hook.get("rules") or ()):
        validate_rule(rule, f"{path}.rules[{i}]", errs)
    supported_if_set(hook.get("failurePolicy"), FAILURE_POLICIES, f"{path}.failurePolicy", errs)
    supported_if_set(hook.get("matchPolicy"), ("Equivalent", "Exact"), f"{path}.matchPolicy", errs)
    one_of(hook.get("sideEffects"), ("None", "NoneOnDryRun"), f"{path}.sideEffects", errs)
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        errs.append(invalid(f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds"))
    for selector in ("namespaceSelector", "objectSelector"):
        label_selector(hook.get(selector), f"{path}.{selector}", errs)
    if mutating:
        supported_if_set(hook.get("reinvocationPolicy"), ("IfNeeded", "Never"), f"{path}.reinvocationPolicy", errs)
    _client(hook.get("clientConfig") or {}, f"{path}.clientConfig", errs)
    _conditions(hook.get("matchConditions"), f"{path}.matchConditions", errs)


def _configuration(obj: Dict, mutating: bool) -> list[Cause]:
    errs: Causes = []
    seen: set[str] = set()
    for i, hook in enumerate(obj.get("webhooks") or ()):
        _webhook(hook, mutating, f"webhooks[{i}]", errs)
        name = hook.get("name") or ""
        if name and name in seen:
            errs.append(duplicate(f"webhooks[{i}].name", name))
        seen.add(name)
    return errs


VALIDATING_WEBHOOK_CONFIGURATION = Strategy(
    default=default_validating, validate=lambda obj: _configuration(obj, False), allow_unconditional_update=False,
)
MUTATING_WEBHOOK_CONFIGURATION = Strategy(
    default=default_mutating, validate=lambda obj: _configuration(obj, True), allow_unconditional_update=False,
)


# --- policies ----------------------------------------------------------------------------------


def _match(resources: Dict | None) -> None:
    if resources is None:
        return
    fill(resources, matchPolicy="Equivalent", namespaceSelector={}, objectSelector={})
    _rules(resources.get("resourceRules"))
    _rules(resources.get("excludeResourceRules"))


def default_policy(obj: Dict) -> None:
    spec = spec_of(obj)
    fill(spec, failurePolicy="Fail")
    _match(spec.get("matchConstraints"))


def default_validating_policy(obj: Dict) -> None:
    default_policy(obj)
    fill(obj, status={})


def prepare_policy_for_create(obj: Dict) -> None:
    obj["status"] = {}


def default_policy_binding(obj: Dict) -> None:
    spec = spec_of(obj)
    _match(spec.get("matchResources"))
    reference = spec.get("paramRef")
    if reference is not None and not reference.get("parameterNotFoundAction"):
        reference["parameterNotFoundAction"] = "Deny"


def _match_resources(resources: Dict, path: str, errs: Causes) -> None:
    for selector in ("namespaceSelector", "objectSelector"):
        label_selector(resources.get(selector), f"{path}.{selector}", errs)
    for name in ("resourceRules", "excludeResourceRules"):
        for i, rule in enumerate(resources.get(name) or ()):
            validate_rule(rule, f"{path}.{name}[{i}]", errs)
    supported_if_set(resources.get("matchPolicy"), ("Equivalent", "Exact"), f"{path}.matchPolicy", errs)


def _policy(obj: Dict, members: tuple[str, ...]) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    supported_if_set(spec.get("failurePolicy"), FAILURE_POLICIES, "spec.failurePolicy", errs)
    constraints = spec.get("matchConstraints")
    if constraints is None:
        errs.append(required("spec.matchConstraints"))
    else:
        _match_resources(constraints, "spec.matchConstraints", errs)
        if not constraints.get("resourceRules"):
            errs.append(required("spec.matchConstraints.resourceRules"))
    _conditions(spec.get("matchConditions"), "spec.matchConditions", errs)
    if not any(spec.get(name) for name in members):
        errs.append(required(f"spec.{members[0]}", f"{' or '.join(members)} must contain at least one item"))
    for i, check in enumerate(spec.get("validations") or ()):
        if not (check.get("expression") or "").strip():
            errs.append(required(f"spec.validations[{i}].expression", "expression is not specified"))
    return errs


def _policy_binding(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    if not spec.get("policyName"):
        errs.append(required("spec.policyName"))
    else:
        errs.extend(invalid("spec.policyName", spec["policyName"], fault) for fault in names.is_dns1123_subdomain(spec["policyName"]))
    reference = spec.get("paramRef")
    if reference is not None and bool(reference.get("name")) == (reference.get("selector") is not None):
        errs.append(forbidden("spec.paramRef.name", "name and selector are mutually exclusive") if reference.get("name")
                    else required("spec.paramRef", "one of name or selector must be specified"))
    if spec.get("matchResources") is not None:
        _match_resources(spec["matchResources"], "spec.matchResources", errs)
    return errs


def _validating_policy_binding(obj: Dict) -> list[Cause]:
    errs = _policy_binding(obj)
    actions = (obj.get("spec") or {}).get("validationActions") or []
    if not actions:
        errs.append(required("spec.validationActions", "at least one validation action is required"))
    for i, action in enumerate(actions):
        if action not in ("Audit", "Deny", "Warn"):
            errs.append(not_supported(f"spec.validationActions[{i}]", action, ("Audit", "Deny", "Warn")))
        elif action in actions[:i]:
            errs.append(duplicate(f"spec.validationActions[{i}]", action))
    if {"Deny", "Warn"} <= set(actions):
        words = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API response "
            "and headers serves no purpose)"
        )
        errs.append(invalid("spec.validationActions", actions, words))
    return errs


VALIDATING_ADMISSION_POLICY = Strategy(
    default=default_validating_policy, prepare_for_create=prepare_policy_for_create,
    validate=lambda obj: _policy(obj, ("validations", "auditAnnotations")),
    allow_unconditional_update=False,
)
MUTATING_ADMISSION_POLICY = Strategy(
    default=default_policy, validate=lambda obj: _policy(obj, ("mutations",)), allow_unconditional_update=False,
)
VALIDATING_ADMISSION_POLICY_BINDING = Strategy(
    default=default_policy_binding, validate=_validating_policy_binding, allow_unconditional_update=False,
)
MUTATING_ADMISSION_POLICY_BINDING = Strategy(
    default=default_policy_binding, validate=_policy_binding, allow_unconditional_update=False,
)
