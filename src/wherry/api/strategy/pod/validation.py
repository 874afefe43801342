"""Validation of Pods, Pod specs and Pod templates (upstream's ValidatePodSpec and what calls it)."""

from __future__ import annotations

from typing import Any

from wherry.api.strategy.rules import (
    MAX_INT32,
    Causes,
    annotation_values,
    between,
    by_rule,
    dns_label,
    dns_subdomain,
    labels,
    one_of,
    supported_if_set,
    valid_ip,
)
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, required

from .container import (
    Surroundings,
    validate_containers,
    validate_ephemeral_containers,
    validate_image_of_pod,
    validate_init_containers,
)
from .memory import remembered, remembered_if_good
from .resources import validate_pod_level, validate_requirements
from .scheduling import validate_affinity, validate_gates, validate_tolerations, validate_topology_spread
from .security import validate_host_users, validate_os, validate_pod_security_context
from .volumes import validate_volumes

Dict = dict[str, Any]
RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION = ("PreemptLowerPriority", "Never")
CONTAINER_KINDS = ("initContainers", "containers", "ephemeralContainers")
MIRROR = "kubernetes.io/config.mirror"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
MAX_NAMESERVERS, MAX_SEARCHES, MAX_SEARCH_CHARACTERS = 3, 32, 2048


def each_container(spec: Dict, path: str) -> list[tuple[Dict, str]]:
    """Every container with its path, in upstream's order: init, regular, ephemeral."""
    return [(c, f"{path}.{kind}[{i}]") for kind in CONTAINER_KINDS for i, c in enumerate(spec.get(kind) or ())]


# --- parts of a spec ---------------------------------------------------------------------------


def _resource_claims(claims: list[Dict], path: str, errs: Causes) -> set[str]:
    seen: set[str] = set()
    for i, claim in enumerate(claims):
        where, name = f"{path}[{i}]", claim.get("name") or ""
        if not name:
            errs.append(required(f"{where}.name"))
        elif name in seen:
            errs.append(duplicate(f"{where}.name", name))
        else:
            dns_label(name, f"{where}.name", errs)
            seen.add(name)
        given = [key for key in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(key) is not None]
        shown = {
            "Name": name, "ResourceClaimName": claim.get("resourceClaimName"),
            "ResourceClaimTemplateName": claim.get("resourceClaimTemplateName"),
        }
        if len(given) > 1:
            words = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            errs.append(invalid(where, shown, words))
        if not given:
            errs.append(invalid(where, shown, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"))
        for key in given:
            dns_subdomain(claim[key], f"{where}.{key}", errs)
    return seen


def _host_network_ports(spec: Dict, is_pod: bool, path: str, errs: Causes) -> None:
    for i, container in enumerate(spec.get("containers") or ()):
        for j, port in enumerate(container.get("ports") or ()):
            host, inside = port.get("hostPort") or 0, port.get("containerPort") or 0
            if (is_pod or host) and host != inside:
                where = f"{path}.containers[{i}].ports[{j}].hostPort"
                errs.append(invalid(where, host, "must match `containerPort` when `hostNetwork` is true"))


def _dns_config(config: Dict | None, policy: str | None, path: str, errs: Causes) -> None:
    if policy == "None":
        if config is None:
            errs.append(required(path, "must provide `dnsConfig` when `dnsPolicy` is None"))
            return
        if not config.get("nameservers"):
            words = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            errs.append(required(f"{path}.nameservers", words))
            return
    if config is None:
        return
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > MAX_NAMESERVERS:
        errs.append(invalid(f"{path}.nameservers", servers, f"must not have more than {MAX_NAMESERVERS} nameservers"))
    for i, server in enumerate(servers):
        valid_ip(server, f"{path}.nameservers[{i}]", errs)
    if len(searches) > MAX_SEARCHES:
        errs.append(invalid(f"{path}.searches", searches, f"must not have more than {MAX_SEARCHES} search paths"))
    if len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        words = f"must not have more than {MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        errs.append(invalid(f"{path}.searches", searches, words))
    for i, search in enumerate(searches):
        if search != ".":
            by_rule(search.removesuffix("."), names.is_dns1123_subdomain_with_underscore, f"{path}.searches[{i}]", errs)
    for i, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errs.append(required(f"{path}.options[{i}]", "must not be empty"))


def _host_aliases(aliases: list[Dict], path: str, errs: Causes) -> None:
    for i, alias in enumerate(aliases):
        valid_ip(alias.get("ip") or "", f"{path}[{i}].ip", errs)
        for j, name in enumerate(alias.get("hostnames") or ()):
            dns_subdomain(name, f"{path}[{i}].hostnames[{j}]", errs)


_NAMES = (
    ("serviceAccountName", names.is_dns1123_subdomain), ("nodeName", names.is_dns1123_subdomain),
    ("hostname", names.is_dns1123_label), ("subdomain", names.is_dns1123_label),
    ("priorityClassName", names.is_dns1123_subdomain), ("runtimeClassName", names.is_dns1123_subdomain),
)


def _rare(spec: Dict, path: str, errs: Causes) -> None:
    """Fields that few Pods set."""
    get = spec.get
    if get("affinity"):
        validate_affinity(spec["affinity"], f"{path}.affinity", errs)
    if get("dnsConfig") is not None or get("dnsPolicy") == "None":
        _dns_config(get("dnsConfig"), get("dnsPolicy"), f"{path}.dnsConfig", errs)
    for i, gate in enumerate(get("readinessGates") or ()):
        by_rule(gate.get("conditionType") or "", names.is_qualified_name, f"{path}.readinessGates[{i}].conditionType", errs)
    if get("schedulingGates"):
        validate_gates(spec["schedulingGates"], f"{path}.schedulingGates", errs)
    if get("topologySpreadConstraints"):
        validate_topology_spread(spec["topologySpreadConstraints"], f"{path}.topologySpreadConstraints", errs)
    if get("hostUsers") is False:
        validate_host_users(spec, path, errs)


def validate_pod_spec(spec: Dict, path: str, errs: Causes, *, pod_name: str = "", is_pod: bool = False) -> None:
    """ValidatePodSpec: everything that Pods and templates have in common."""
    get = spec.get
    grace = get("terminationGracePeriodSeconds")
    if grace is None:
        errs.append(required(f"{path}.terminationGracePeriodSeconds"))
    volumes, around_claims = get("volumes"), set[str]()
    good = validate_volumes(volumes, pod_name, f"{path}.volumes", errs) if volumes else {}
    if get("resourceClaims"):
        around_claims = _resource_claims(spec["resourceClaims"], f"{path}.resourceClaims", errs)
    around = Surroundings(good, around_claims, grace, get("restartPolicy") or "", get("hostUsers") is not False)
    containers = get("containers")
    validate_containers(containers, f"{path}.containers", around, errs)
    if get("initContainers"):
        validate_init_containers(spec["initContainers"], containers or [], f"{path}.initContainers", around, errs)
    if get("ephemeralContainers"):
        validate_ephemeral_containers(spec["ephemeralContainers"], spec, f"{path}.ephemeralContainers", around, errs)
    if get("resources") is not None:
        validate_pod_level(spec, around_claims, f"{path}.resources", errs)
    if get("hostNetwork"):
        _host_network_ports(spec, is_pod, path, errs)
    one_of(get("restartPolicy"), RESTART_POLICIES, f"{path}.restartPolicy", errs)
    one_of(get("dnsPolicy"), DNS_POLICIES, f"{path}.dnsPolicy", errs)
    if get("nodeSelector"):
        labels(spec["nodeSelector"], f"{path}.nodeSelector", errs)
    context = get("securityContext")
    if context or get("shareProcessNamespace"):
        validate_pod_security_context(context or {}, spec, f"{path}.securityContext", errs)
    _rare(spec, path, errs)
    _named_and_numbered(spec, path, errs)


def _named_and_numbered(spec: Dict, path: str, errs: Causes) -> None:
    get = spec.get
    for name, rule in _NAMES[:2]:
        if get(name) and rule(spec[name]):
            by_rule(spec[name], rule, f"{path}.{name}", errs)
    deadline = get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= MAX_INT32:
        errs.append(invalid(f"{path}.activeDeadlineSeconds", deadline, between(1, MAX_INT32)))
    for name, rule in _NAMES[2:4]:
        if get(name):
            by_rule(spec[name], rule, f"{path}.{name}", errs)
    if get("tolerations"):
        validate_tolerations(spec["tolerations"], f"{path}.tolerations", errs)
    if get("hostAliases"):
        _host_aliases(spec["hostAliases"], f"{path}.hostAliases", errs)
    for name, rule in _NAMES[4:]:
        if get(name):
            by_rule(spec[name], rule, f"{path}.{name}", errs)
    if get("preemptionPolicy") is not None:
        supported_if_set(spec["preemptionPolicy"], PREEMPTION, f"{path}.preemptionPolicy", errs)
    if get("overhead"):
        validate_requirements({"limits": spec["overhead"]}, set(), f"{path}.overhead", errs)
    if get("os") is not None:
        validate_os(spec, path, lambda: each_container(spec, path), errs)


# --- annotations that carry Pod fields ---------------------------------------------------------


def validate_pod_annotations(values: dict[str, str] | None, spec: Dict, path: str, errs: Causes) -> None:
    """ValidatePodSpecificAnnotations."""
    if not values:
        return
    if MIRROR in values and not spec.get("nodeName"):
        errs.append(invalid(f"{path}[{MIRROR}]", values[MIRROR], "must set spec.nodeName if mirror pod annotation is set"))
    cost = values.get(DELETION_COST)
    if cost is not None:
        plain = cost.removeprefix("-")
        if not (plain.isascii() and plain.isdigit() and -(2**31) <= int(cost) <= MAX_INT32 and (plain == "0" or plain[0] != "0")):
            errs.append(invalid(f"{path}[{DELETION_COST}]", cost, "must be a 32bit integer"))


# --- Pods and templates ------------------------------------------------------------------------


def validate_pod(pod: Dict) -> list[Cause]:
    """A whole Pod but its ObjectMeta; what may be wrong on create only is in `validate_pod_create`."""
    errs: Causes = []
    meta, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    if meta.get("annotations"):
        validate_pod_annotations(meta["annotations"], spec, "metadata.annotations", errs)
    if any(volume.get("ephemeral") is not None for volume in spec.get("volumes") or ()):  # whose claims have the Pod's name in theirs
        validate_pod_spec(spec, "spec", errs, pod_name=meta.get("name") or "", is_pod=True)
    else:
        errs += remembered_if_good(spec, lambda: _spec_faults(spec))
    for kind in ("containers", "initContainers"):
        for i, container in enumerate(spec.get(kind) or ()):
            image = container.get("image") or ""
            if image[:1].isspace() or image[-1:].isspace():
                validate_image_of_pod(container, f"spec.{kind}[{i}]", errs)
    return errs


def _spec_faults(spec: Dict) -> Causes:
    errs: Causes = []
    validate_pod_spec(spec, "spec", errs, is_pod=True)
    return errs


def validate_pod_create(pod: Dict) -> list[Cause]:
    """What a new Pod may not have, and an old one may."""
    errs: Causes = []
    spec = pod.get("spec") or {}
    if spec.get("ephemeralContainers"):
        errs.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        errs.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return errs


def validate_template(template: Dict, path: str, errs: Causes) -> None:
    """ValidatePodTemplateSpec."""
    errs += _template_faults(template, path)


@remembered
def _template_faults(template: Dict, path: str) -> Causes:
    errs: Causes = []
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    if meta.get("labels"):
        labels(meta["labels"], f"{path}.labels", errs)
    if meta.get("annotations"):
        annotation_values(meta["annotations"], f"{path}.annotations", errs)
        validate_pod_annotations(meta["annotations"], spec, f"{path}.annotations", errs)
    validate_pod_spec(spec, f"{path}.spec", errs)
    if spec.get("ephemeralContainers"):
        errs.append(forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template"))
    return errs
