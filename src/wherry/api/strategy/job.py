"""Jobs, and the part of them that CronJobs make Jobs from."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.defaults import default_template
from wherry.api.strategy.pod.validation import validate_template
from wherry.api.strategy.pod.warnings import template_warnings
from wherry.api.strategy.rules import MAX_INT32, Causes, immutable, label_selector, not_negative, one_of, supported_if_set
from wherry.api.strategy.workload import fill, spec_of, validate_selected
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, invalid, not_supported, required

Dict = dict[str, Any]
CONTROLLER_UID, JOB_NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
OLD_CONTROLLER_UID, OLD_JOB_NAME = "controller-uid", "job-name"
MODES = ("Indexed", "NonIndexed")
MAX_INDEXED_PARALLELISM, MAX_INDEXES_PER_POLICY = 100_000, 100_000
ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    fill(
        spec, parallelism=1, completionMode="NonIndexed", suspend=False, manualSelector=False,
        backoffLimit=6 if spec.get("backoffLimitPerIndex") is None else MAX_INT32,
        podReplacementPolicy="TerminatingOrFailed" if spec.get("podFailurePolicy") is None else "Failed",
    )
    default_template(spec)
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            fill(pattern, status="True")
    labels = spec["template"]["metadata"].get("labels")
    meta = obj.setdefault("metadata", {})
    if labels and not meta.get("labels"):
        meta["labels"] = dict(labels)


def _generate_selector(obj: Dict) -> None:
    """Labels that make the Job's Pods its own, and the selector of them."""
    spec, meta = obj["spec"], obj["metadata"]
    template = spec["template"]["metadata"]
    # A Job without labels of its own has its template's, the generated ones too: upstream defaults them when it reads the store.
    shared = not meta.get("labels") or meta["labels"] == template.get("labels")
    uid, name = meta.get("uid", ""), meta.get("name", "")
    labels = dict(template.get("labels") or {})
    for key, value in ((OLD_CONTROLLER_UID, uid), (OLD_JOB_NAME, name), (CONTROLLER_UID, uid), (JOB_NAME, name)):
        labels.setdefault(key, value)
    template["labels"] = labels
    if shared:
        meta["labels"] = dict(labels)
    selector = spec.get("selector")
    if selector is None:
        selector = spec["selector"] = {}
    fill(selector, matchLabels={})
    selector["matchLabels"].setdefault(CONTROLLER_UID, uid)


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = {}
    if not obj["spec"].get("manualSelector"):
        _generate_selector(obj)


# --- validation --------------------------------------------------------------------------------


def _pod_failure_policy(policy: Dict, spec: Dict, path: str, errs: Causes) -> None:
    rules, pod = policy.get("rules") or [], (spec.get("template") or {}).get("spec") or {}
    containers = {c.get("name") for kind in ("containers", "initContainers") for c in pod.get(kind) or ()}
    if len(rules) > 20:
        errs.append(Cause("FieldValueTooMany", f"Too many: {len(rules)}: must have at most 20 items", f"{path}.rules"))
    for i, rule in enumerate(rules):
        where, codes, conditions = f"{path}.rules[{i}]", rule.get("onExitCodes"), rule.get("onPodConditions")
        if rule.get("action") == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            words = "requires the backoffLimitPerIndex to be set"
            errs.append(invalid(f"{where}.action", "FailIndex", words))
        else:
            one_of(rule.get("action"), ACTIONS, f"{where}.action", errs)
        if codes is not None and conditions:
            shown = {key[0].upper() + key[1:]: value for key, value in rule.items()}
            errs.append(invalid(where, shown, "specifying both OnExitCodes and OnPodConditions is not supported"))
        if codes is None and not conditions:
            words = "specifying one of OnExitCodes and OnPodConditions is required"
            errs.append(invalid(where, {"Action": rule.get("action")}, words))
        if codes is not None:
            _exit_codes(codes, containers, f"{where}.onExitCodes", errs)


def _exit_codes(codes: Dict, containers: set[Any], path: str, errs: Causes) -> None:
    operator, values = codes.get("operator"), codes.get("values") or []
    one_of(operator, ("In", "NotIn"), f"{path}.operator", errs)
    name = codes.get("containerName")
    if name is not None and name not in containers:
        words = "must be one of the container or initContainer names in the pod template"
        errs.append(invalid(f"{path}.containerName", name, words))
    if not values:
        errs.append(invalid(f"{path}.values", values, "at least one value is required"))
    for i, value in enumerate(values):
        if operator == "In" and value == 0:
            errs.append(invalid(f"{path}.values[{i}]", value, "must not be 0 for the In operator"))
        elif value in values[:i]:
            errs.append(duplicate(f"{path}.values[{i}]", value))
        elif i and value < values[i - 1]:
            errs.append(invalid(f"{path}.values", values, "must be ordered"))
            break


def _indexed(spec: Dict, path: str, errs: Causes) -> None:
    indexed, completions = spec.get("completionMode") == "Indexed", spec.get("completions")
    supported_if_set(spec.get("completionMode"), MODES, f"{path}.completionMode", errs)
    if indexed and completions is None:
        errs.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if indexed and (spec.get("parallelism") or 0) > MAX_INDEXED_PARALLELISM:
        words = f"must be less than or equal to {MAX_INDEXED_PARALLELISM} when completion mode is Indexed"
        errs.append(invalid(f"{path}.parallelism", spec["parallelism"], words))
    per_index, most_failed = spec.get("backoffLimitPerIndex"), spec.get("maxFailedIndexes")
    if per_index is not None and not indexed:
        errs.append(invalid(f"{path}.backoffLimitPerIndex", per_index, "requires indexed completion mode"))
    if most_failed is not None:
        if per_index is None:
            errs.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
        if completions is not None and most_failed > completions:
            errs.append(invalid(f"{path}.maxFailedIndexes", most_failed, "must be less than or equal to completions"))
    if spec.get("successPolicy") is not None:
        if not indexed:
            errs.append(invalid(f"{path}.successPolicy", spec["successPolicy"], "requires indexed completion mode"))
        elif not spec["successPolicy"].get("rules"):
            words = "at least one rules must be specified when the successPolicy is specified"
            errs.append(required(f"{path}.successPolicy.rules", words))


_COUNTS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex",
    "maxFailedIndexes",
)


def validate_job_spec(spec: Dict, path: str, errs: Causes) -> None:
    """What Jobs and the templates of CronJobs have in common (validateJobSpec)."""
    for name in _COUNTS:
        not_negative(spec.get(name), f"{path}.{name}", errs)
    _indexed(spec, path, errs)
    policy = spec.get("podFailurePolicy")
    if policy is not None:
        _pod_failure_policy(policy, spec, f"{path}.podFailurePolicy", errs)
    replacement = spec.get("podReplacementPolicy")
    if replacement is not None:
        allowed = ("Failed",) if policy is not None else ("Failed", "TerminatingOrFailed")
        supported_if_set(replacement, allowed, f"{path}.podReplacementPolicy", errs)
    validate_template(spec.get("template") or {}, f"{path}.template", errs)
    where = f"{path}.template.spec.restartPolicy"
    restart = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if restart in (None, "", "Always"):
        errs.append(required(where, 'valid values: "OnFailure", "Never"'))
    elif restart not in ("OnFailure", "Never"):
        errs.append(not_supported(where, restart, ("OnFailure", "Never")))
    elif policy is not None and restart != "Never":
        errs.append(invalid(where, restart, 'only "Never" is supported when podFailurePolicy is specified'))


def _generated_selector(obj: Dict, errs: Causes) -> None:
    spec, meta = obj["spec"], obj.get("metadata") or {}
    if spec.get("manualSelector"):
        return
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    uid, name = meta.get("uid", ""), meta.get("name", "")
    for key, value in ((OLD_CONTROLLER_UID, uid), (OLD_JOB_NAME, name), (CONTROLLER_UID, uid), (JOB_NAME, name)):
        where = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            errs.append(required(where, f"must be '{value}'"))
        elif labels[key] != value:
            errs.append(invalid(where, labels, f"must be '{value}'"))
    wanted = (spec["selector"].get("matchLabels") or {})
    generated = ({CONTROLLER_UID: uid}, {OLD_CONTROLLER_UID: uid})
    if wanted not in generated or spec["selector"].get("matchExpressions"):
        errs.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    if spec.get("selector") is not None:
        _generated_selector(obj, errs)
    validate_job_spec(spec, "spec", errs)
    if spec.get("selector") is None:
        errs.append(required("spec.selector"))
    else:
        label_selector(spec["selector"], "spec.selector", errs)
        validate_selected(spec, "spec.template", errs)
    by = spec.get("managedBy")
    if by is not None and "/" not in by:
        errs.append(invalid("spec.managedBy", by, "must be a domain-prefixed path (such as \"acme.io/foo\")"))
    return errs


_PLACING = ("nodeSelector", "tolerations", "affinity", "schedulingGates")


def _rests(job: Dict) -> bool:
    """It is suspended and nothing of it runs: it never began, or it is known that its Pods are gone (KEP-5440)."""
    status = job.get("status") or {}
    told = any(each.get("type") == "Suspended" and each.get("status") == "True" for each in status.get("conditions") or ())
    return bool(job["spec"].get("suspend")) and (not status.get("startTime") or (told and not status.get("active")))


def _template_of(new: Dict, old: Dict) -> Dict:
    """The new template; of a Job that rests, with the old one's placing and resources, which may change."""
    template: Dict = new["spec"].get("template") or {}
    if not _rests(old):
        return template
    before = old["spec"].get("template") or {}
    was: Dict = before.get("spec") or {}
    spec = {key: value for key, value in (template.get("spec") or {}).items() if key not in _PLACING}
    spec |= {key: value for key, value in was.items() if key in _PLACING}
    for kind in ("containers", "initContainers"):
        if kind in spec:
            spec[kind] = _with_resources_of(was.get(kind) or [], spec[kind])
    return {**template, "metadata": before.get("metadata", {}), "spec": spec}


def _with_resources_of(old: list[Dict], new: list[Dict]) -> list[Dict]:
    """The new containers with the requests and limits that the old ones of the same places have."""
    result = []
    for container, before in zip_longest(new, old):
        if container is not None:
            made = {key: value for key, value in container.items() if key != "resources"}
            result.append(made | {key: value for key, value in (before or {}).items() if key == "resources"})
    return result


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    new_spec, old_spec = obj["spec"], old["spec"]
    have, had = new_spec.get("completions"), old_spec.get("completions")
    if have != had:
        elastic = new_spec.get("completionMode") == "Indexed" and have is not None and had is not None
        if not elastic:
            errs.append(invalid("spec.completions", have, "field is immutable"))
        elif have != new_spec.get("parallelism"):
            words = "can only be modified in tandem with spec.parallelism"
            errs.append(invalid("spec.completions", have, words))
    immutable(new_spec.get("selector"), old_spec.get("selector"), "spec.selector", errs)
    if _template_of(obj, old) != old_spec.get("template"):
        errs.append(invalid("spec.template", new_spec.get("template"), "field is immutable"))
    for name in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        immutable(new_spec.get(name), old_spec.get(name), f"spec.{name}", errs)
    return errs


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    status = obj.get("status") or {}
    for name in ("active", "succeeded", "failed", "ready", "terminating"):
        not_negative(status.get(name), f"status.{name}", errs)
    finished = {c.get("type") for c in status.get("conditions") or () if c.get("status") == "True"}
    if {"Complete", "Failed"} <= finished:
        both = "Complete=True and Failed=True"
        errs.append(invalid("status.conditions", both, f"cannot set {both} conditions"))
    if status.get("completionTime") and "Complete" not in finished:
        words = "cannot set completionTime when there is no Complete=True condition"
        errs.append(invalid("status.completionTime", status["completionTime"], words))
    return errs


JOB = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=lambda obj: template_warnings((obj.get("spec") or {}).get("template"), "spec.template"),
)
