"""Defaults of Pods and Pod templates (upstream's core/v1 defaults and conversions)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from wherry.api.strategy.rules import round_up_to_milli
from wherry.apimachinery import quantity

Dict = dict[str, Any]

FILE_MODE = 0o644
TOKEN_SECONDS = 3600
SUPPORTED_POD_LEVEL = ("cpu", "memory")

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REFERENCE = re.compile(
    rf"(?:(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?P<digest>@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)


@lru_cache(maxsize=4096)
def pull_policy(image: str) -> str:
    """Always for `latest`, named or implied; IfNotPresent for any other tag or a digest."""
    found = _REFERENCE.fullmatch(image)
    if found is None:
        return "IfNotPresent"
    tag = found["tag"] or ("" if found["digest"] else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"


# --- containers --------------------------------------------------------------------------------


def default_container(container: Dict) -> None:
    get = container.get
    if not get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    if not get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(get("image") or "")
    resources = get("resources")
    if resources:
        round_up_to_milli(resources.get("limits"))
        round_up_to_milli(resources.get("requests"))
    elif resources is None:
        container["resources"] = {}
    for port in get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for variable in get("env") or ():
        source = variable.get("valueFrom")
        if source:
            _field_ref(source)
            _resource_field_ref(source)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = get(name)
        if probe is not None:
            _probe(probe)
    lifecycle = get("lifecycle")
    if lifecycle:
        for name in ("postStart", "preStop"):
            _http_get((lifecycle.get(name) or {}).get("httpGet"))


def _field_ref(source: Dict) -> None:
    ref = source.get("fieldRef")
    if ref is not None and not ref.get("apiVersion"):
        ref["apiVersion"] = "v1"


def _resource_field_ref(source: Dict) -> None:
    ref = source.get("resourceFieldRef")
    if ref is not None and not ref.get("divisor"):
        ref["divisor"] = "0"


_PROBE = (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3))


def _probe(probe: Dict) -> None:
    for name, value in _PROBE:
        if not probe.get(name):
            probe[name] = value
    _http_get(probe.get("httpGet"))
    grpc = probe.get("grpc")
    if grpc is not None and grpc.get("service") is None:
        grpc["service"] = ""


def _http_get(action: Dict | None) -> None:
    if action is None:
        return
    if not action.get("path"):
        action["path"] = "/"
    if not action.get("scheme"):
        action["scheme"] = "HTTP"


# --- volumes -----------------------------------------------------------------------------------


def _mode(source: Dict) -> None:
    if source.get("defaultMode") is None:
        source["defaultMode"] = FILE_MODE


def _downward(source: Dict) -> None:
    _mode(source)
    _downward_items(source)


def _downward_items(source: Dict) -> None:
    for item in source.get("items") or ():
        _field_ref(item)
        _resource_field_ref(item)


def _projected(source: Dict) -> None:
    _mode(source)
    for part in source.get("sources") or ():
        token = part.get("serviceAccountToken")
        if token is not None and token.get("expirationSeconds") is None:
            token["expirationSeconds"] = TOKEN_SECONDS
        if part.get("downwardAPI"):
            _downward_items(part["downwardAPI"])


def host_path(source: Dict) -> None:
    if source.get("type") is None:
        source["type"] = ""


def _fill(**values: Any) -> Callable[[Dict], None]:
    def fill(source: Dict) -> None:
        for name, value in values.items():
            if source.get(name) in (None, ""):
                source[name] = value

    return fill


def _ephemeral(source: Dict) -> None:
    template = source.get("volumeClaimTemplate")
    if template is not None:
        template.setdefault("metadata", {})
        default_claim_spec(template.setdefault("spec", {}))


def _image(source: Dict) -> None:
    if not source.get("pullPolicy"):
        source["pullPolicy"] = pull_policy(source.get("reference") or "")


iscsi = _fill(iscsiInterface="default")
rbd = _fill(pool="rbd", user="admin", keyring="/etc/ceph/keyring")
azure_disk = _fill(cachingMode="ReadWrite", kind="Shared", fsType="ext4", readOnly=False)
scale_io = _fill(storageMode="ThinProvisioned", fsType="xfs")

_VOLUMES: dict[str, Callable[[Dict], None]] = {
    "secret": _mode, "configMap": _mode, "downwardAPI": _downward, "projected": _projected, "hostPath": host_path,
    "iscsi": iscsi, "rbd": rbd, "azureDisk": azure_disk, "scaleIO": scale_io, "ephemeral": _ephemeral, "image": _image,
}


def default_claim_spec(spec: Dict) -> None:
    """A PersistentVolumeClaimSpec, of a claim or of a template of one."""
    if not spec.get("volumeMode"):
        spec["volumeMode"] = "Filesystem"
    resources = spec.get("resources")
    if resources is None:
        spec["resources"] = {}
    elif resources:
        round_up_to_milli(resources.get("limits"))
        round_up_to_milli(resources.get("requests"))


def _default_volume(volume: Dict) -> None:
    empty = True
    for name, source in volume.items():
        if name != "name" and source is not None:
            empty = False
            default = _VOLUMES.get(name)
            if default is not None:
                default(source)
    if empty:
        volume["emptyDir"] = {}


# --- specs -------------------------------------------------------------------------------------

_SPEC = (("restartPolicy", "Always"), ("dnsPolicy", "ClusterFirst"), ("schedulerName", "default-scheduler"))


def default_pod_spec(spec: Dict) -> None:
    """What Pods and Pod templates have in common."""
    get = spec.get
    for name, value in _SPEC:
        if not get(name):
            spec[name] = value
    if get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = 30
    if get("securityContext") is None:
        spec["securityContext"] = {}
    account = get("serviceAccountName") or get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for volume in get("volumes") or ():
        _default_volume(volume)
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in get(kind) or ():
            default_container(container)
    round_up_to_milli(get("overhead"))


def default_template(owner: Dict, name: str = "template") -> None:
    """The Pod template of a workload, which has no defaults of its own beyond its spec's.

    `schedulingGroup` is dropped, as by every server of 1.37 without the feature GenericWorkload (off by default).
    """
    template = owner.get(name)
    if template is None:
        template = owner[name] = {}
    if template.get("metadata") is None:
        template["metadata"] = {}
    if template.get("spec") is None:
        template["spec"] = {}
    template["spec"].pop("schedulingGroup", None)
    default_pod_spec(template["spec"])


def _host_ports(spec: Dict) -> None:
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            for port in container.get("ports") or ():
                if not port.get("hostPort") and port.get("containerPort"):
                    port["hostPort"] = port["containerPort"]


def _requests_from_limits(resources: Dict) -> None:
    limits = resources.get("limits")
    if not limits:
        return
    requests = resources.get("requests")
    if not requests:
        resources["requests"] = dict(limits)
        return
    for name, amount in limits.items():
        requests.setdefault(name, amount)


def _pod_level_requests(spec: Dict) -> None:
    """Requests of the Pod as a whole: those of its containers together, else its limits."""
    resources = spec.get("resources")
    if not resources:
        return
    requests = dict(resources.get("requests") or {})
    for name in SUPPORTED_POD_LEVEL:
        if name in requests:
            continue
        total = aggregate_requests(spec, name)
        if total is not None:
            requests[name] = str(total)
    for name, amount in (resources.get("limits") or {}).items():
        if name in SUPPORTED_POD_LEVEL or name.startswith("hugepages-"):
            requests.setdefault(name, amount)
    if requests:
        resources["requests"] = requests


def aggregate_requests(spec: Dict, name: str) -> quantity.Quantity | None:
    """What all containers together request of a resource (sidecars count beside what starts after them)."""
    found = False

    def amount(container: Dict) -> quantity.Quantity:
        nonlocal found
        text = ((container.get("resources") or {}).get("requests") or {}).get(name)
        if text is None:
            return quantity.ZERO
        found = True
        return quantity.parse(text)

    total = quantity.ZERO
    for container in spec.get("containers") or ():
        total = total + amount(container)
    sidecars, peak = quantity.ZERO, quantity.ZERO
    for container in spec.get("initContainers") or ():
        one = amount(container)
        if container.get("restartPolicy") == "Always":
            sidecars, total = sidecars + one, total + one
            one = sidecars
        else:
            one = one + sidecars
        peak = max(peak, one)
    return max(total, peak) if found else None


def default_pod(pod: Dict) -> None:
    """A Pod: its spec's defaults, and those that templates do not have."""
    spec = pod.get("spec")
    if spec is None:
        spec = pod["spec"] = {}
    default_pod_spec(spec)
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            if container["resources"]:
                _requests_from_limits(container["resources"])
    if spec.get("resources"):
        round_up_to_milli(spec["resources"].get("limits"))
        round_up_to_milli(spec["resources"].get("requests"))
        _pod_level_requests(spec)
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    if spec.get("hostNetwork"):
        _host_ports(spec)
    if status := pod.get("status"):
        default_pod_status(status)


def default_pod_status(status: Dict) -> None:
    """Addresses in both forms, and the times that upstream's types always show, known or not."""
    if status.get("podIP") and not status.get("podIPs"):
        status["podIPs"] = [{"ip": status["podIP"]}]
    for condition in status.get("conditions") or ():
        condition.setdefault("lastProbeTime", None)
        condition.setdefault("lastTransitionTime", None)
    for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for each in status.get(kind) or ():
            for name in ("state", "lastState"):
                if ended := (each.get(name) or {}).get("terminated"):
                    ended.setdefault("startedAt", None)
                    ended.setdefault("finishedAt", None)
