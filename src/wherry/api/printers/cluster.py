"""Roles, webhooks, policies, flow control, certificates, leases, classes and devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wherry.api.printers.duration import duration_text
from wherry.api.printers.text import AGE, NAME, NONE, UNSET, age, column, condition, deleting, name, part, selector_text, wide
from wherry.api.resource import Cell, Object, Printer


def _binding(obj: Object) -> list[Cell]:
    role = part(obj, "roleRef")
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        kind, who = subject.get("kind", ""), subject.get("name", "")
        subjects.setdefault(kind, []).append(f"{subject.get('namespace', '')}/{who}" if kind == "ServiceAccount" else who)
    users, groups, accounts = (", ".join(subjects[kind]) for kind in ("User", "Group", "ServiceAccount"))
    return [name(obj), f"{role.get('kind')}/{role.get('name')}", age(obj), users, groups, accounts]


def _policy(rules: str) -> Callable[[Object], Sequence[Cell]]:
    def cells(obj: Object) -> list[Cell]:
        spec = part(obj, "spec")
        kind = part(spec, "paramKind")
        return [
            name(obj), len(spec.get(rules) or ()), f"{kind.get('apiVersion')}/{kind.get('kind')}" if kind else UNSET, age(obj),
        ]

    return cells


def _policy_binding(obj: Object) -> list[Cell]:
    spec = part(obj, "spec")
    parameter, text = part(spec, "paramRef"), UNSET
    if parameter.get("name"):
        text = f"{parameter['namespace']}/{parameter['name']}" if parameter.get("namespace") else parameter["name"]
    elif parameter.get("selector") is not None:
        text = selector_text(parameter["selector"])
    return [name(obj), spec.get("policyName", ""), text, age(obj)]


def _api_service(obj: Object) -> list[Cell]:
    service = part(obj, "spec").get("service")
    where = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    available = condition(obj, "Available")
    word = "Unknown"
    if available is not None:
        word = "True" if available.get("status") == "True" else f"{available.get('status')} ({available.get('reason', '')})"
    return [name(obj), where, word, age(obj)]


def _flow_schema(obj: Object) -> list[Cell]:
    spec = part(obj, "spec")
    dangling = condition(obj, "Dangling") or {}
    return [
        name(obj), part(spec, "priorityLevelConfiguration").get("name", ""), spec.get("matchingPrecedence", 0),
        part(spec, "distinguisherMethod").get("type") or NONE, age(obj), dangling.get("status", "?"),
    ]


def _priority_level(obj: Object) -> list[Cell]:
    limited = part(obj, "spec").get("limited")
    queuing = part(limited or {}, "limitResponse").get("queuing")
    shares: Cell = limited.get("nominalConcurrencyShares", 0) if limited else NONE
    queues = [queuing.get(each, 0) if queuing else NONE for each in ("queues", "handSize", "queueLengthLimit")]
    return [name(obj), part(obj, "spec").get("type", ""), shares, *queues, age(obj)]


def _signing_request(obj: Object) -> list[Cell]:
    spec, status = part(obj, "spec"), part(obj, "status")
    seen = {each.get("type") for each in status.get("conditions") or ()}
    words = ["Denied" if "Denied" in seen else "Approved" if "Approved" in seen else "Pending"]
    words += ["Failed"] if "Failed" in seen else []
    words += ["Issued"] if status.get("certificate") else []
    seconds = spec.get("expirationSeconds")
    return [
        name(obj), age(obj), spec.get("signerName") or NONE, spec.get("username", ""),
        NONE if seconds is None else duration_text(seconds), ",".join(words),
    ]


def _claim_state(obj: Object) -> str:
    status, words = part(obj, "status"), ["deleted"] if deleting(obj) else []
    if status.get("allocation") is None:
        words += [] if deleting(obj) else ["pending"]
    else:
        words += ["allocated", "reserved"] if status.get("reservedFor") else ["allocated"]
    return ",".join(words)


def _priority_class(obj: Object) -> list[Cell]:
    return [
        name(obj), obj.get("value", 0), bool(obj.get("globalDefault")), age(obj), obj.get("preemptionPolicy", ""),
    ]


def _resource_slice(obj: Object) -> list[Cell]:
    spec = part(obj, "spec")
    return [name(obj), spec.get("nodeName", ""), spec.get("driver", ""), part(spec, "pool").get("name", ""), age(obj)]


_PARAM_KIND = column("ParamKind", "The kind of its parameters.")
ROLE_BINDING = Printer(
    (
        NAME, column("Role", "The role that it gives."), AGE, wide("Users", "Users that have it."),
        wide("Groups", "Groups that have it."), wide("ServiceAccounts", "Service accounts that have it."),
    ),
    _binding,
)
WEBHOOKS = Printer(
    (NAME, column("Webhooks", "How many webhooks it has.", "integer"), AGE),
    lambda obj: [name(obj), len(obj.get("webhooks") or ()), age(obj)],
)
VALIDATING_ADMISSION_POLICY = Printer(
    (NAME, column("Validations", "How many rules it has.", "integer"), _PARAM_KIND, AGE), _policy("validations"),
)
MUTATING_ADMISSION_POLICY = Printer(
    (NAME, column("Mutations", "How many changes it makes.", "integer"), _PARAM_KIND, AGE), _policy("mutations"),
)
ADMISSION_POLICY_BINDING = Printer(
    (NAME, column("PolicyName", "The policy."), column("ParamRef", "Its parameters."), AGE), _policy_binding,
)
API_SERVICE = Printer(
    (NAME, column("Service", "Who serves it."), column("Available", "Whether it answers."), AGE), _api_service,
)
FLOW_SCHEMA = Printer(
    (
        NAME, column("PriorityLevel", "Where its requests queue."), column("MatchingPrecedence", "Lower ones match first."),
        column("DistinguisherMethod", "What tells its flows apart."), AGE,
        column("MissingPL", "Whether its priority level is not there."),
    ),
    _flow_schema,
)
PRIORITY_LEVEL_CONFIGURATION = Printer(
    (
        NAME, column("Type", "Limited or Exempt."), column("NominalConcurrencyShares", "Its share of the seats."),
        column("Queues", "How many queues."), column("HandSize", "Queues that a flow may use."),
        column("QueueLengthLimit", "Requests that a queue holds."), AGE,
    ),
    _priority_level,
)
CERTIFICATE_SIGNING_REQUEST = Printer(
    (
        NAME, AGE, column("SignerName", "Who is to sign."), column("Requestor", "Who asked."),
        column("RequestedDuration", "How long it is to hold."), column("Condition", "What became of it."),
    ),
    _signing_request,
)
CLUSTER_TRUST_BUNDLE = Printer(
    (NAME, column("SignerName", "Whose certificates it trusts.")),
    lambda obj: [name(obj), part(obj, "spec").get("signerName") or NONE],
)
LEASE = Printer(
    (NAME, column("Holder", "Who holds it."), AGE),
    lambda obj: [name(obj), part(obj, "spec").get("holderIdentity") or "", age(obj)],
)
RUNTIME_CLASS = Printer(
    (NAME, column("Handler", "What runs its Pods."), AGE), lambda obj: [name(obj), obj.get("handler", ""), age(obj)],
)
PRIORITY_CLASS = Printer(
    (
        NAME, column("Value", "Higher ones go first.", "integer"),
        column("Global-Default", "Whether Pods without a class have it.", "boolean"), AGE,
        column("PreemptionPolicy", "Whether its Pods may evict others."),
    ),
    _priority_class,
)
RESOURCE_CLAIM = Printer(
    (NAME, column("State", "Whether it has its devices."), AGE), lambda obj: [name(obj), _claim_state(obj), age(obj)],
)
RESOURCE_SLICE = Printer(
    (
        NAME, column("Node", "Where its devices are."), column("Driver", "Whose they are."), column("Pool", "Their pool."), AGE,
    ),
    _resource_slice,
)
