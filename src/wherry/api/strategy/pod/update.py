"""What may change in a Pod that exists: its spec's few mutable fields, its status, and through subresources."""

from __future__ import annotations

import copy
from typing import Any

from wherry.api.strategy.rules import MAX_INT32, Causes, between, by_rule, immutable, valid_ip
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_supported, required
from wherry.apimachinery.quantity import compare

from .diff import container_diff, spec_diff
from .qos import compute_qos_class, qos_class
from .scheduling import REQUIRED, validate_tolerations
from .validation import MIRROR

Dict = dict[str, Any]
UPDATABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_KINDS = ("containers", "initContainers")


def validate_pod_update(pod: Dict, old: Dict) -> list[Cause]:
    """ValidatePodUpdate, without what `validate_pod` finds."""
    errs: Causes = []
    _annotations(pod, old, errs)
    new_spec, old_spec = pod["spec"], old["spec"]
    if new_spec == old_spec:
        return errs
    for kind in _KINDS:
        if len(new_spec.get(kind) or ()) != len(old_spec.get(kind) or ()):
            errs.append(forbidden(f"spec.{kind}", "pod updates may not add or remove containers"))
            return errs
    if not _deadline(new_spec.get("activeDeadlineSeconds"), old_spec.get("activeDeadlineSeconds"), errs):
        return errs
    _tolerations(new_spec, old_spec, errs)
    _gates(new_spec, old_spec, errs)
    munged = _munge(new_spec, old_spec)
    if old_spec.get("schedulingGates"):
        _gated(munged, old_spec, errs)
    if munged != old_spec:
        diff = spec_diff(old_spec, munged)
        errs.append(forbidden("spec", f"pod updates may not change fields other than {UPDATABLE}\n{diff}"))
    return errs


def _annotations(pod: Dict, old: Dict, errs: Causes) -> None:
    new_values, old_values = pod["metadata"].get("annotations") or {}, old["metadata"].get("annotations") or {}
    if new_values.get(MIRROR) != old_values.get(MIRROR):
        verb = "remove or update" if MIRROR in old_values else "add"
        errs.append(forbidden(f"metadata.annotations[{MIRROR}]", f"may not {verb} mirror pod annotation"))


def _deadline(new: int | None, old: int | None, errs: Causes) -> bool:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        if old is not None:
            errs.append(invalid(path, None, "must not update from a positive integer to nil value"))
        return True
    if not 0 <= new <= MAX_INT32:
        errs.append(invalid(path, new, between(0, MAX_INT32)))
        return False
    if old is not None and old < new:
        errs.append(invalid(path, new, "must be less than or equal to previous value"))
        return False
    return True


def _without_seconds(toleration: Dict) -> Dict:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _tolerations(new: Dict, old: Dict, errs: Causes) -> None:
    tolerations = new.get("tolerations") or []
    kept = [_without_seconds(toleration) for toleration in tolerations]
    if any(_without_seconds(toleration) not in kept for toleration in old.get("tolerations") or ()):
        errs.append(forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"))
        return
    validate_tolerations(tolerations, "spec.tolerations", errs)


def _gates(new: Dict, old: Dict, errs: Causes) -> None:
    known = {gate.get("name") for gate in old.get("schedulingGates") or ()}
    for i, gate in enumerate(new.get("schedulingGates") or ()):
        if gate.get("name") not in known:
            words = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            errs.append(forbidden(f"spec.schedulingGates[{i}].name", words))


def _carry(munged: Dict, old: Dict, name: str) -> None:
    if name in old:
        munged[name] = old[name]
    else:
        munged.pop(name, None)


def _munge(new: Dict, old: Dict) -> Dict:
    """The new spec with every field that may change as it was: what differs then may not."""
    munged = dict(new)
    for kind in _KINDS:
        if new.get(kind):
            munged[kind] = [{**c, "image": o.get("image")} for c, o in zip(new[kind], old[kind], strict=True)]
    for name in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        _carry(munged, old, name)
    grace = "terminationGracePeriodSeconds"
    if (old.get(grace) or 0) < 0 and munged.get(grace) == 1:
        munged[grace] = old[grace]
    return munged


def _gated(munged: Dict, old: Dict, errs: Causes) -> None:
    """A Pod that still waits for its gates may be narrowed to fewer nodes."""
    new_selector, old_selector = munged.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    if new_selector != old_selector:
        for key, value in old_selector.items():
            if new_selector.get(key) != value:
                shown = new_selector.get(key, "")
                words = f"only additions to spec.nodeSelector are allowed (no mutations or deletions): {key}"
                errs.append(invalid("spec.nodeSelector", shown or new_selector, words))
        _carry(munged, old, "nodeSelector")
    new_affinity, old_affinity = munged.get("affinity") or {}, old.get("affinity") or {}
    new_node, old_node = new_affinity.get("nodeAffinity"), old_affinity.get("nodeAffinity")
    if new_node == old_node:
        return
    _node_affinity(new_node or {}, old_node or {}, errs)
    rest = {key: value for key, value in new_affinity.items() if key != "nodeAffinity"}
    if old_node is not None:
        rest["nodeAffinity"] = old_node
    if rest or "affinity" in old:
        munged["affinity"] = rest
    else:
        munged.pop("affinity", None)


def _node_affinity(new: Dict, old: Dict, errs: Causes) -> None:
    path = f"spec.affinity.nodeAffinity.{REQUIRED}"
    old_terms, new_terms = (a.get(REQUIRED, {}).get("nodeSelectorTerms") for a in (old, new))
    if old_terms is None:
        return
    if new_terms is None or len(new_terms) != len(old_terms):
        words = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        errs.append(invalid(f"{path}.nodeSelectorTerms", new_terms, words))
        return
    for i, (new_term, old_term) in enumerate(zip(new_terms, old_terms, strict=True)):
        for name in ("matchExpressions", "matchFields"):
            before = old_term.get(name) or []
            if not old_term or (new_term.get(name) or [])[: len(before)] != before:
                words = "only additions are allowed (no mutations or deletions)"
                errs.append(invalid(f"{path}.nodeSelectorTerms[{i}]", new_term, words))
                break


# --- status ------------------------------------------------------------------------------------


def validate_pod_status(pod: Dict, old: Dict) -> list[Cause]:
    """ValidatePodStatusUpdate."""
    errs: Causes = []
    status, before = pod.get("status") or {}, old.get("status") or {}
    for i, condition in enumerate(status.get("conditions") or ()):
        if names.is_qualified_name(condition.get("type") or ""):
            by_rule(condition.get("type") or "", names.is_qualified_name, f"metadata.conditions[{i}].Type", errs)
    nominated = status.get("nominatedNodeName")
    if nominated and nominated != before.get("nominatedNodeName"):
        by_rule(nominated, names.is_dns1123_subdomain, "status.nominatedNodeName", errs)
    immutable(qos_class(pod), qos_class(old), "status.qosClass", errs)
    spec = old.get("spec") or {}
    sidecars = {c.get("name") for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
    own_policy = {c.get("name") for c in spec.get("containers") or () if c.get("restartPolicy") or c.get("restartPolicyRules")}
    policy = spec.get("restartPolicy")
    _transitions(status, before, "containerStatuses", policy, own_policy, errs)
    _transitions(status, before, "initContainerStatuses", policy, sidecars, errs)
    _transitions(status, before, "ephemeralContainerStatuses", "Never", set(), errs)
    for name in ("podIPs", "hostIPs"):
        _addresses(status, name, errs)
    return errs


def _transitions(new: Dict, old: Dict, kind: str, policy: str | None, exempt: set[str], errs: Causes) -> None:
    """Containers that end for good stay ended."""
    if policy == "Always":
        return
    running = {s.get("name") for s in new.get(kind) or () if not (s.get("state") or {}).get("terminated")}
    for i, status in enumerate(old.get(kind) or ()):
        ended = (status.get("state") or {}).get("terminated")
        if not ended or status.get("name") in exempt or (ended.get("exitCode") and policy == "OnFailure"):
            continue
        if status.get("name") in running:
            errs.append(forbidden(f"status.{kind}[{i}].state", "may not be transitioned to non-terminated state"))


def _addresses(status: Dict, name: str, errs: Causes) -> None:
    path, given = f"status.{name}", status.get(name) or []
    seen: set[str] = set()
    if name == "hostIPs" and given and given[0].get("ip") != status.get("hostIP"):
        errs.append(invalid(f"{path}[0].ip", given[0].get("ip"), "must be equal to `hostIP`"))
    for i, one in enumerate(given):
        ip = one.get("ip") or ""
        valid_ip(ip, f"{path}[{i}]", errs)
        if ip in seen:
            errs.append(duplicate(f"{path}[{i}]", {"IP": ip}))
        seen.add(ip)
    if len(given) > 1 and (len(given) > 2 or (":" in given[0].get("ip", "")) == (":" in given[1].get("ip", ""))):
        errs.append(invalid(path, [{"IP": one.get("ip")} for one in given], "may specify no more than one IP for each IP family"))


# --- subresources ------------------------------------------------------------------------------


def keep_all_but_ephemeral_containers(pod: Dict, old: Dict) -> None:
    """The `ephemeralcontainers` subresource changes nothing else."""
    added = (pod.get("spec") or {}).get("ephemeralContainers")
    _become(pod, old)
    if added:
        pod["spec"]["ephemeralContainers"] = added
    else:
        pod["spec"].pop("ephemeralContainers", None)


def validate_ephemeral_containers_update(pod: Dict, old: Dict) -> list[Cause]:
    """ValidatePodEphemeralContainersUpdate, without what `validate_pod` finds."""
    path, errs = "spec.ephemeralContainers", list[Cause]()
    if MIRROR in (old["metadata"].get("annotations") or {}):
        return [forbidden("", "static pods do not support ephemeral containers")]
    new = {container.get("name"): container for container in pod["spec"].get("ephemeralContainers") or ()}
    for container in old["spec"].get("ephemeralContainers") or ():
        name = container.get("name")
        if name not in new:
            errs.append(forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif new[name] != container:
            diff = container_diff(container, new[name])
            errs.append(forbidden(path, f'existing ephemeral containers "{name}" may not be changed\n{diff}'))
    return errs


def keep_all_but_resources(pod: Dict, old: Dict) -> None:
    """The `resize` subresource changes nothing else.  Other containers than before are left for validation to refuse."""
    given = pod.get("spec") or {}
    if any([c.get("name") for c in given.get(kind) or ()] != [c.get("name") for c in old["spec"].get(kind) or ()] for kind in _KINDS):
        return
    _become(pod, old)
    for kind in _KINDS:
        for container, new in zip(pod["spec"].get(kind) or (), given.get(kind) or (), strict=True):
            for name in ("resources", "resizePolicy"):
                _carry(container, new, name)


def _become(pod: Dict, old: Dict) -> None:
    """What it was, but for who owns which field."""
    fields = pod["metadata"].get("managedFields")
    pod.clear()
    pod.update(copy.deepcopy(old))
    if fields is not None:
        pod["metadata"]["managedFields"] = fields


def validate_resize(pod: Dict, old: Dict) -> list[Cause]:
    """ValidatePodResize, without what `validate_pod` finds: amounts of CPU and memory alone may change."""
    errs: Causes = []
    if MIRROR in (old["metadata"].get("annotations") or {}):
        return [forbidden("", "static pods cannot be resized")]
    if qos_class(old) != compute_qos_class(pod):
        errs.append(invalid("spec", qos_class(old), "Pod QOS Class may not change as a result of resizing"))
    new_spec, old_spec = copy.deepcopy(pod["spec"]), old["spec"]
    for kind in _KINDS:
        new_ones, old_ones = new_spec.get(kind) or [], old_spec.get(kind) or []
        if len(new_ones) != len(old_ones):
            return [*errs, forbidden("spec", "only cpu and memory resources are mutable")]
        for i, (new_one, old_one) in enumerate(zip(new_ones, old_ones, strict=True)):
            if kind == "containers" or old_one.get("restartPolicy") == "Always":
                _resize(new_one, old_one, f"spec.{kind}[{i}].resources", errs)
                new_one["resources"], new_one["resizePolicy"] = _with_old_compute(new_one, old_one), old_one.get("resizePolicy")
                if new_one["resizePolicy"] is None:
                    del new_one["resizePolicy"]
            elif new_one != old_one:
                errs.append(forbidden("spec", "resources for non-sidecar init containers are immutable"))
    if not errs and new_spec != old_spec:
        errs.append(forbidden("spec", "only cpu and memory resources are mutable"))
    return errs


def _resize(new: Dict, old: Dict, path: str, errs: Causes) -> None:
    for kind in ("requests", "limits"):
        have, had = ((c.get("resources") or {}).get(kind) or {} for c in (new, old))
        if any(name not in have for name in had):
            errs.append(forbidden(f"{path}.{kind}", f"resource {kind} cannot be removed"))
    policies = {p.get("resourceName"): p.get("restartPolicy") for p in new.get("resizePolicy") or ()}
    have, had = (((c.get("resources") or {}).get("limits") or {}).get("memory") for c in (new, old))
    if policies.get("memory") == "RestartContainer" or have is None:
        return
    if had is not None and compare(have, had) < 0 and policies.get("memory") not in (None, "NotRequired"):
        words = "memory limits cannot be decreased unless resizePolicy is RestartContainer"
        errs.append(forbidden(f"{path}.limits[memory]", words))


def _with_old_compute(new: Dict, old: Dict) -> Dict:
    """The new resources with the old amounts of CPU and memory."""
    new_resources, old_resources = new.get("resources") or {}, old.get("resources") or {}
    found = dict(new_resources)
    for kind in ("limits", "requests"):
        had = old_resources.get(kind)
        kept = {n: a for n, a in (new_resources.get(kind) or {}).items() if n not in ("cpu", "memory")}
        kept |= {n: a for n, a in (had or {}).items() if n in ("cpu", "memory")}
        if kept or had is not None:
            found[kind] = kept
        else:
            found.pop(kind, None)
    return found


def validate_binding(binding: Dict) -> list[Cause]:
    """ValidatePodBinding."""
    errs: Causes = []
    target = binding.get("target") or {}
    if target.get("kind") not in (None, "", "Node"):
        errs.append(not_supported("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        errs.append(required("target.name"))
    return errs
