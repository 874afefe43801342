"""Validation of Services (upstream's ValidateService and its updates)."""

from __future__ import annotations

from typing import Any

from wherry.api.strategy.rules import (
    PROTOCOLS,
    Causes,
    dns_label,
    dns_subdomain,
    labels,
    non_special_ip,
    one_of,
    port_number,
    port_number_or_name,
    qualified_name,
    supported_if_set,
    valid_cidr,
    valid_ip,
)
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_supported, required

Dict = dict[str, Any]
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
FAMILIES = ("IPv4", "IPv6")
POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
MAX_STICKY = 86400
ONLY_LB = "may only be used when `type` is 'LoadBalancer'"
NOT_EXTERNAL_NAME = "may not be set for ExternalName services"
UNCHANGED = "may not change once set"
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def is_headless(spec: Dict) -> bool:
    return bool(spec.get("clusterIPs") == ["None"])


def _type(spec: Dict, errs: Causes) -> None:
    kind = spec.get("type")
    if not spec.get("ports") and not is_headless(spec) and kind != "ExternalName":
        errs.append(required("spec.ports"))
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        errs.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind != "ExternalName":
        return
    addresses = ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
    errs += [forbidden(f"spec.{name}", NOT_EXTERNAL_NAME) for name in addresses if spec.get(name)]
    name = (spec.get("externalName") or "").removesuffix(".")
    if name:
        dns_subdomain(name, "spec.externalName", errs)
    else:
        errs.append(required("spec.externalName"))


def _port(port: Dict, many: bool, seen: set[str], path: str, errs: Causes) -> None:
    name = port.get("name")
    if name:
        dns_label(name, f"{path}.name", errs)
        if name in seen:
            errs.append(duplicate(f"{path}.name", name))
        seen.add(name)
    elif many:
        errs.append(required(f"{path}.name"))
    port_number(port.get("port") or 0, f"{path}.port", errs)
    one_of(port.get("protocol"), PROTOCOLS, f"{path}.protocol", errs)
    port_number_or_name(port.get("targetPort"), f"{path}.targetPort", errs)
    if port.get("appProtocol") is not None:
        qualified_name(port["appProtocol"], f"{path}.appProtocol", errs)


def _affinity(spec: Dict, errs: Causes) -> None:
    kind, config, path = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig"), "spec.sessionAffinityConfig"
    one_of(kind, ("ClientIP", "None"), "spec.sessionAffinity", errs)
    if kind == "None" and config is not None:
        errs.append(forbidden(path, "must not be set when session affinity is None"))
    if kind != "ClientIP":
        return
    seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
    if seconds is None:
        errs.append(required(path, "when session affinity type is ClientIP"))
    elif not 0 < seconds <= MAX_STICKY:
        errs.append(invalid(f"{path}.clientIP.timeoutSeconds", seconds, f"must be greater than 0 and less than {MAX_STICKY}"))


def validate_cluster_ips(spec: Dict, errs: Causes) -> None:
    """ValidateServiceClusterIPsRelatedFields."""
    if spec.get("type") == "ExternalName":
        return
    ip, ips, families = spec.get("clusterIP") or "", spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    path = "spec.clusterIPs"
    if ip and not ips:
        errs.append(required(path))
    elif ip and ips[0] != ip:
        errs.append(invalid(path, ips, "first value must match `clusterIP`"))
    elif ips and not ip:
        errs.append(invalid(path, ips, "must be empty when `clusterIP` is not specified"))
    for i, family in enumerate(families):
        if family not in FAMILIES:
            errs.append(not_supported(f"spec.ipFamilies[{i}]", family, FAMILIES))
        if family in families[:i]:
            errs.append(duplicate(f"spec.ipFamilies[{i}]", family))
    supported_if_set(spec.get("ipFamilyPolicy"), POLICIES, "spec.ipFamilyPolicy", errs)
    good = True
    for i, one in enumerate(ips):
        if i == 0 and one == "None":
            if len(ips) > 1:
                good = False
                errs.append(invalid(path, ips, "'None' must be the first and only value"))
        elif not valid_ip(one, f"{path}[{i}]", errs):
            good = False
    if len(ips) > 2:
        errs.append(invalid(path, ips, "may only hold up to 2 values"))
    if not good:
        return
    if len(ips) > 1 and len({":" in one for one in ips}) < 2:
        errs.append(invalid(path, ips, "may specify no more than one IP for each IP family"))
    if is_headless(spec):
        return
    for i, (one, family) in enumerate(zip(ips, families, strict=False)):
        if (family == "IPv6") != (":" in one):
            errs.append(invalid(f"{path}[{i}]", one, f"expected an {family} value as indicated by `ipFamilies[{i}]`"))


def _duplicate_ports(ports: list[Dict], errs: Causes) -> None:
    nodes, seen = set(), set()
    for i, port in enumerate(ports):
        node = port.get("nodePort")
        if node:
            if (port.get("protocol"), node) in nodes:
                errs.append(duplicate(f"spec.ports[{i}].nodePort", node))
            nodes.add((port.get("protocol"), node))
    for i, port in enumerate(ports):
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            shown = {"Name": "", "Protocol": key[0], "AppProtocol": None, "Port": key[1], "TargetPort": 0, "NodePort": 0}
            errs.append(duplicate(f"spec.ports[{i}]", shown))
        seen.add(key)


def _load_balancer(obj: Dict, spec: Dict, errs: Causes) -> None:
    balanced = spec.get("type") == "LoadBalancer"
    ranges = spec.get("loadBalancerSourceRanges")
    note = ((obj.get("metadata") or {}).get("annotations") or {}).get(SOURCE_RANGES)
    path = f"metadata.annotations[{SOURCE_RANGES}]"
    if ranges:
        if not balanced:
            errs.append(forbidden("spec.LoadBalancerSourceRanges", ONLY_LB))
        for i, text in enumerate(ranges):
            valid_cidr(text.strip(), f"spec.LoadBalancerSourceRanges[{i}]", errs)
    elif note is not None:
        if not balanced:
            errs.append(forbidden(path, ONLY_LB))
        for text in note.strip().split(",") if note.strip() else ():
            valid_cidr(text.strip(), path, errs)
    allocate = spec.get("allocateLoadBalancerNodePorts")
    if allocate is not None and not balanced:
        errs.append(forbidden("spec.allocateLoadBalancerNodePorts", ONLY_LB))
    if balanced and allocate is None:
        errs.append(required("allocateLoadBalancerNodePorts"))
    own = spec.get("loadBalancerClass")
    if own is not None:
        if not balanced:
            errs.append(forbidden("spec.loadBalancerClass", ONLY_LB))
        else:
            qualified_name(own, "spec.loadBalancerClass", errs)


def _traffic(spec: Dict, errs: Causes) -> None:
    kind, policy = spec.get("type"), spec.get("externalTrafficPolicy") or ""
    outside = kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    if not outside:
        if policy:
            words = "may only be set for externally-accessible services"
            errs.append(invalid("spec.externalTrafficPolicy", policy, words))
    else:
        one_of(policy, ("Cluster", "Local"), "spec.externalTrafficPolicy", errs)
    check = spec.get("healthCheckNodePort") or 0
    if kind == "LoadBalancer" and policy == "Local":
        if not check:
            errs.append(required("spec.healthCheckNodePort"))
        else:
            port_number(check, "spec.healthCheckNodePort", errs)
    elif check:
        words = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errs.append(invalid("spec.healthCheckNodePort", check, words))
    inside = spec.get("internalTrafficPolicy")
    if inside is None and kind in ("NodePort", "LoadBalancer", "ClusterIP"):
        errs.append(required("spec.internalTrafficPolicy"))
    supported_if_set(inside, ("Cluster", "Local"), "spec.internalTrafficPolicy", errs)
    supported_if_set(spec.get("trafficDistribution"), DISTRIBUTIONS, "spec.trafficDistribution", errs)


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    ports = spec.get("ports") or []
    _type(spec, errs)
    seen: set[str] = set()
    for i, port in enumerate(ports):
        _port(port, len(ports) > 1, seen, f"spec.ports[{i}]", errs)
    labels(spec.get("selector"), "spec.selector", errs)
    _affinity(spec, errs)
    validate_cluster_ips(spec, errs)
    for i, ip in enumerate(spec.get("externalIPs") or ()):
        if valid_ip(ip, f"spec.externalIPs[{i}]", errs):
            non_special_ip(ip, f"spec.externalIPs[{i}]", errs)
    one_of(spec.get("type"), TYPES, "spec.type", errs)
    if spec.get("type") == "ClusterIP":
        for i, port in enumerate(ports):
            if port.get("nodePort"):
                errs.append(forbidden(f"spec.ports[{i}].nodePort", "may not be used when `type` is 'ClusterIP'"))
    _duplicate_ports(ports, errs)
    _load_balancer(obj, spec, errs)
    _traffic(spec, errs)
    return errs


def validate_create(obj: Dict) -> list[Cause]:
    """Families that a single-stack IPv4 cluster does not have."""
    spec, errs = obj.get("spec") or {}, list[Cause]()
    if is_headless(spec) and not spec.get("selector"):
        return errs
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        errs.append(invalid("spec.ipFamilyPolicy", "RequireDualStack", "this cluster is not configured for dual-stack services"))
    for i, family in enumerate(spec.get("ipFamilies") or ()):
        if family == "IPv6":
            errs.append(invalid(f"spec.ipFamilies[{i}]", family, "not configured on this cluster"))
    return errs


def _kept(new: list[str], old: list[str], field: str, policy: str | None, errs: Causes) -> None:
    """The first of a list stays; a second may come, and go when the policy says so."""
    path = f"spec.{field}s" if field == "clusterIP" else "spec.ipFamilies"
    if len(new) == len(old):
        for i, (now, was) in enumerate(zip(new, old, strict=True)):
            if now != was:
                errs.append(invalid(f"{path}[{i if field == 'clusterIP' else 0}]", new, UNCHANGED))
        return
    if not new:
        errs.append(invalid(f"{path}[0]", new, f"primary {field} can not be unset"))
    elif old and new[0] != old[0]:
        errs.append(invalid(f"{path}[0]", new, UNCHANGED))
    if len(new) == 1 and len(old) > 1 and policy != "SingleStack":
        words = f"must be set to 'SingleStack' when releasing the secondary {field}"
        errs.append(invalid("spec.ipFamilyPolicy", policy, words))


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    new_spec, old_spec = obj["spec"], old["spec"]
    named = "ExternalName" in (new_spec.get("type"), old_spec.get("type"))
    if not named and not (is_headless(new_spec) and is_headless(old_spec)):
        policy = new_spec.get("ipFamilyPolicy")
        _kept(new_spec.get("clusterIPs") or [], old_spec.get("clusterIPs") or [], "clusterIP", policy, errs)
        if is_headless(new_spec) == is_headless(old_spec):
            _kept(new_spec.get("ipFamilies") or [], old_spec.get("ipFamilies") or [], "ipFamily", policy, errs)
    both = all(spec.get("type") == "LoadBalancer" for spec in (new_spec, old_spec))
    own = "loadBalancerClass"
    if both and new_spec.get(own) != old_spec.get(own):
        errs.append(invalid(f"spec.{own}", new_spec.get(own), UNCHANGED))
    local = both and all(spec.get("externalTrafficPolicy") == "Local" for spec in (new_spec, old_spec))
    check = "healthCheckNodePort"
    if local and new_spec.get(check) != old_spec.get(check):
        errs.append(forbidden(f"spec.{check}", "field is immutable"))
    return errs


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    balancer = (obj.get("status") or {}).get("loadBalancer") or {}
    if balancer.get("ingress") and (obj.get("spec") or {}).get("type") != "LoadBalancer":
        errs.append(forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is \"LoadBalancer\""))
    for i, ingress in enumerate(balancer.get("ingress") or ()):
        path = f"status.loadBalancer.ingress[{i}]"
        if ingress.get("ip"):
            valid_ip(ingress["ip"], f"{path}.ip", errs)
        if ingress.get("hostname"):
            dns_subdomain(ingress["hostname"], f"{path}.hostname", errs)
            if valid_ip(ingress["hostname"], "", []):
                words = "must be a DNS name, not an IP address"
                errs.append(invalid(f"{path}.hostname", ingress["hostname"], words))
    return errs
