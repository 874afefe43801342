"""Services: defaults, what changes with the type, and what may not change.  Addresses are the allocator's.

`clusterIP` and `clusterIPs[0]` are the same thing told twice, in the old way and in the new: what a client
changes in one is carried to the other before anything else looks.
"""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.service_validation import validate, validate_create, validate_status, validate_update
from wherry.api.strategy.workload import fill, spec_of

Dict = dict[str, Any]
STICKY_SECONDS = 10800
WITH_CLUSTER_IP = ("ClusterIP", "NodePort", "LoadBalancer")
EXTERNAL = ("NodePort", "LoadBalancer")


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    if not spec.get("sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or {}).get("clientIP")
        if not client or client.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": STICKY_SECONDS}}
    if not spec.get("type"):
        spec["type"] = "ClusterIP"
    for port in spec.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port", 0)
    external = spec["type"] in EXTERNAL or (spec["type"] == "ClusterIP" and spec.get("externalIPs"))
    if external and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if spec["type"] in WITH_CLUSTER_IP:
        fill(spec, internalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        fill(spec, allocateLoadBalancerNodePorts=True)
    status = obj.get("status")
    if status is None:
        status = obj["status"] = {}
    fill(status, loadBalancer={})
    for ingress in status["loadBalancer"].get("ingress") or ():
        if ingress.get("ip"):
            fill(ingress, ipMode="VIP")


def init_ip_families(spec: Dict, cluster: tuple[str, ...] = ("IPv4",)) -> None:
    """Address families of a new Service in a cluster that has `cluster`'s (the allocator then takes the addresses)."""
    if spec.get("type") not in WITH_CLUSTER_IP:
        return
    headless = spec.get("clusterIPs") == ["None"]
    if headless and not spec.get("selector"):
        # Nobody selects its endpoints, so nobody knows their families: any.
        if not spec.get("ipFamilyPolicy"):
            spec["ipFamilyPolicy"] = "RequireDualStack" if not spec.get("ipFamilies") else "SingleStack"
        if not spec.get("ipFamilies"):
            other = "IPv6" if cluster[0] == "IPv4" else "IPv4"
            spec["ipFamilies"] = [cluster[0]] if spec["ipFamilyPolicy"] == "SingleStack" else [cluster[0], other]
        return
    if not spec.get("ipFamilyPolicy"):
        two = len(spec.get("ipFamilies") or ()) > 1 or len(spec.get("clusterIPs") or ()) > 1
        spec["ipFamilyPolicy"] = "RequireDualStack" if two else "SingleStack"
    if not spec.get("ipFamilies"):
        given = [ip for ip in spec.get("clusterIPs") or () if ip != "None"]
        families = ["IPv6" if ":" in ip else "IPv4" for ip in given] or [cluster[0]]
        if spec["ipFamilyPolicy"] != "SingleStack":
            families += [family for family in cluster if family not in families]
        spec["ipFamilies"] = families


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = {"loadBalancer": {}}
    spec = obj["spec"]
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    init_ip_families(spec)


# --- update ------------------------------------------------------------------------------------


def _has_cluster_ip(spec: Dict) -> bool:
    return spec.get("type") in WITH_CLUSTER_IP


def _has_node_ports(spec: Dict) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False)


def _has_health_check(spec: Dict) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _set(spec: Dict, name: str, value: Any) -> None:
    if value in (None, "", []):
        spec.pop(name, None)
    else:
        spec[name] = value


def _keep_allocated(new: Dict, old: Dict) -> None:
    """What the server chose stays when a client leaves it out (a PUT of its own manifest)."""
    if _has_cluster_ip(new) and _has_cluster_ip(old):
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not new.get(name):
                _set(new, name, old.get(name))
    if _has_node_ports(new) and _has_node_ports(old):
        known = {(p.get("protocol"), p.get("port")): p.get("nodePort") for p in old.get("ports") or ()}
        used = {p.get("nodePort") for p in new.get("ports") or ()}
        for port in new.get("ports") or ():
            before = known.get((port.get("protocol"), port.get("port")))
            if not port.get("nodePort") and before and before not in used:
                port["nodePort"] = before
    if _has_health_check(new) and _has_health_check(old) and not new.get("healthCheckNodePort"):
        _set(new, "healthCheckNodePort", old.get("healthCheckNodePort"))


def _normalize_cluster_ips(new: Dict, old: Dict) -> None:
    before, before_all = old.get("clusterIP") or "", old.get("clusterIPs") or []
    ip, ips = new.get("clusterIP") or "", new.get("clusterIPs") or []
    if not before and ip and not ips:
        new["clusterIPs"] = [ip]
    elif before and not ip and ips == before_all:
        new.pop("clusterIPs", None)
    elif before_all and not ips and ip == before:
        new.pop("clusterIP", None)
    elif ip != before and ips == before_all and ip:
        new["clusterIPs"] = [ip, *ips[1:]]
    elif ips != before_all and ip == before and ips:
        new["clusterIP"] = ips[0]


def _node_ports(spec: Dict) -> list[Any]:
    return [port.get("nodePort") for port in spec.get("ports") or ()]


def _drop_dependent(new: Dict, old: Dict) -> None:
    """A change of type drops what the new type cannot have, unless the client changed that too."""
    if _has_cluster_ip(old) and not _has_cluster_ip(new):
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if new.get(name) == old.get(name):
                new.pop(name, None)
    if _has_node_ports(old) and not _has_node_ports(new) and _node_ports(new) == _node_ports(old):
        for port in new.get("ports") or ():
            port.pop("nodePort", None)
    checks = "healthCheckNodePort"
    if _has_health_check(old) and not _has_health_check(new) and new.get(checks) == old.get(checks):
        new.pop(checks, None)
    if old.get("type") == "LoadBalancer" != new.get("type"):
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if new.get(name) == old.get(name):
                new.pop(name, None)
    policy = "externalTrafficPolicy"
    hidden = old.get("type") in EXTERNAL and new.get("type") not in EXTERNAL and not new.get("externalIPs")
    if hidden and new.get(policy) == old.get(policy):
        new.pop(policy, None)
    if old.get("type") == "ExternalName" != new.get("type") and new.get("externalName") == old.get("externalName"):
        new.pop("externalName", None)


def prepare_for_update(obj: Dict, old: Dict) -> None:
    new_spec, old_spec = obj["spec"], old["spec"]
    _drop_dependent(new_spec, old_spec)
    _keep_allocated(new_spec, old_spec)
    _normalize_cluster_ips(new_spec, old_spec)
    if not _has_cluster_ip(old_spec) and _has_cluster_ip(new_spec):
        init_ip_families(new_spec)


def warnings(obj: Dict) -> list[str]:
    found = []
    spec = obj.get("spec") or {}
    if "service.kubernetes.io/topology-aware-hints" in ((obj.get("metadata") or {}).get("annotations") or {}):
        found.append(
            "annotation service.kubernetes.io/topology-aware-hints is deprecated, "
            "please use service.kubernetes.io/topology-mode instead"
        )
    if spec.get("clusterIPs") == ["None"] or spec.get("clusterIP") == "None":
        if spec.get("loadBalancerIP"):
            found.append("spec.loadBalancerIP is ignored when spec.clusterIP is \"None\"")
        if spec.get("externalIPs"):
            found.append("spec.externalIPs is ignored when spec.clusterIP is \"None\"")
        if spec.get("sessionAffinity") not in (None, "", "None"):
            found.append("spec.SessionAffinity is ignored for headless services")
    return found


SERVICE = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    prepare_for_update=prepare_for_update,
    validate=validate,
    validate_create=validate_create,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=warnings,
    has_generation=False,
)
