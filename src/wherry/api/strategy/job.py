"""Jobs: the labels and the selector that make their Pods their own, and what may change of them."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.job_spec import validate_job_spec
from wherry.api.strategy.job_status import validate_status
from wherry.api.strategy.pod.defaults import default_template
from wherry.api.strategy.pod.warnings import template_warnings
from wherry.api.strategy.rules import MAX_INT32, Causes, immutable, label_selector
from wherry.api.strategy.workload import fill, spec_of, validate_selected
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid, required
from wherry.apimachinery.labels import from_label_selector
from wherry.apimachinery.names import is_dns1123_label

Dict = dict[str, Any]
CONTROLLER_UID, JOB_NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
OLD_CONTROLLER_UID, OLD_JOB_NAME = "controller-uid", "job-name"
MANY_COMPLETIONS, MANY_AT_ONCE = 100_000, 10_000  # of Indexed Jobs; above both, lists of indexes may not fit a status


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
    drop_alpha_fields(obj["spec"], {})
    if not obj["spec"].get("manualSelector"):
        _generate_selector(obj)


def prepare_for_update(obj: Dict, old: Dict) -> None:
    drop_alpha_fields(obj["spec"], old["spec"])


def drop_alpha_fields(spec: Dict, old: Dict) -> None:
    """What upstream's gates, at their defaults, do not let in: `scheduling` (WorkloadWithJob, KEP-5547)."""
    if "scheduling" not in old:
        spec.pop("scheduling", None)


# --- validation --------------------------------------------------------------------------------


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
    generated = {CONTROLLER_UID: uid, OLD_CONTROLLER_UID: uid, JOB_NAME: name, OLD_JOB_NAME: name}
    if not _selects(spec["selector"], generated):
        errs.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))


def _selects(selector: Dict, labels: dict[str, str]) -> bool:
    """A selector that cannot be read is told of elsewhere."""
    try:
        return from_label_selector(selector).matches(labels)
    except ValueError:
        return True


def _host_name(obj: Dict, errs: Causes) -> None:
    """The Pod of the last index has the longest host name: better said now than when it is made."""
    spec, name = obj.get("spec") or {}, (obj.get("metadata") or {}).get("name") or ""
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        longest = f"{name}-{completions - 1}"
        if is_dns1123_label(longest):
            errs.append(invalid("metadata.name", name, f"will not able to create pod with invalid DNS label: {longest}"))


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    if spec.get("selector") is not None:
        _generated_selector(obj, errs)
    validate_job_spec(spec, "spec", errs)
    if spec.get("selector") is None:
        errs.append(required("spec.selector"))
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
        errs.append(invalid("spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`"))
    else:
        label_selector(spec["selector"], "spec.selector", errs)
        validate_selected(spec, "spec.template", errs)
    _host_name(obj, errs)
    return errs


_PLACING = ("nodeSelector", "tolerations", "schedulingGates")


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
    if _but_nodes(spec.get("affinity")) == _but_nodes(was.get("affinity")):
        spec.pop("affinity", None)
        spec |= {key: value for key, value in was.items() if key == "affinity"}
    for kind in ("containers", "initContainers"):
        if kind in spec:
            spec[kind] = _with_resources_of(was.get(kind) or [], spec[kind])
    return {**template, "metadata": before.get("metadata", {}), "spec": spec}


def _but_nodes(affinity: Dict | None) -> Dict:
    """Affinity and anti-affinity between Pods stay as they are."""
    return {key: value for key, value in (affinity or {}).items() if key != "nodeAffinity" and value is not None}


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


def spec_warnings(spec: Dict, path: str) -> list[str]:
    """Of a Job's spec, in a Job or a CronJob."""
    found = []
    many = (spec.get("completions") or 0) > MANY_COMPLETIONS and (spec.get("parallelism") or 0) > MANY_AT_ONCE
    if spec.get("completionMode") == "Indexed" and many:
        found.append(
            "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
            "Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
        )
    return [*found, *template_warnings(spec.get("template"), f"{path}.template")]


def name_warnings(obj: Dict) -> list[str]:
    """Of a name that Pods' names and host names are made from."""
    faults = is_dns1123_label((obj.get("metadata") or {}).get("name") or "")
    words = "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended"
    return [f"metadata.name: {words}: [{' '.join(faults)}]"] if faults else []


JOB = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    prepare_for_update=prepare_for_update,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=lambda obj: spec_warnings(obj.get("spec") or {}, "spec"),
    warnings_on_create=name_warnings,
)
