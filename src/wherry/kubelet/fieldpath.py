"""The downward API: a Pod's own fields and its containers' resources as text.

https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
"""

from __future__ import annotations

import json
import re

from wherry.api.types import core_v1
from wherry.apimachinery import quantity
from wherry.kubelet.podutil import Container

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")


class FieldPathError(ValueError):
    """A path that names no field, in upstream's words."""


def _map_text(entries: dict[str, str]) -> str:
    return "\n".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(entries.items()))


def pod_field(pod: core_v1.Pod, path: str, *, host_ip: str = "", pod_ips: tuple[str, ...] = ()) -> str:
    """The value of `path`.  Addresses are given, because the Pod object may not have them yet."""
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        entries = pod.metadata.labels if subscript[1] == "labels" else pod.metadata.annotations
        return entries.get(subscript[2], "")
    host = pod.spec.host_network
    ips = pod_ips or ((host_ip,) if host else ())
    fields = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.metadata.uid,
        "metadata.labels": _map_text(pod.metadata.labels),
        "metadata.annotations": _map_text(pod.metadata.annotations),
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": host_ip,
        "status.hostIPs": host_ip,
        "status.podIP": ips[0] if ips else "",
        "status.podIPs": ",".join(ips),
    }
    if path not in fields:
        raise FieldPathError(f"unsupported fieldPath: {path}")
    return fields[path]


def resource_field(container: Container, resource: str, divisor: str, allocatable: dict[str, str]) -> str:
    """A request or limit in units of `divisor`, rounded up; a limit that is not set is the node's allocatable."""
    which, _, name = resource.partition(".")
    if which not in ("limits", "requests") or not name:
        raise FieldPathError(f"unsupported container resource: {resource}")
    limit = container.resources.limits.get(name)
    if which == "requests":
        text = container.resources.requests.get(name) or limit or "0"
    else:
        text = limit or allocatable.get(name, "0")
    unit = quantity.parse(divisor or "0").nanos or quantity.parse("1").nanos
    return str(-(-quantity.parse(text).nanos // unit))
