"""Selectable fields: what `--field-selector` may name for each kind, with the getter of its value.

A value is the text that a selector compares with, as upstream's `ToSelectableFields` write it:
absent is the empty string, booleans are `true` and `false`.  metadata.name and metadata.namespace
belong to every kind and are the API server's.
"""

from __future__ import annotations

from wherry.api.resource import Object, SelectableField


def at(path: str, default: str = "") -> SelectableField:
    """The getter of the scalar at a dotted path."""
    first, *others = path.split(".")

    def text(value: object) -> str:
        if value is None:
            return default
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def of_two(obj: Object) -> str:
        """At two steps, as nearly all are: told for every version of an object."""
        above = obj.get(first)
        value = above.get(others[0]) if isinstance(above, dict) else None
        return value if type(value) is str else text(value)

    def of_any(obj: Object) -> str:
        value: object = obj.get(first)
        for step in others:
            value = value.get(step) if isinstance(value, dict) else None
        return text(value)

    return SelectableField(of_two if len(others) == 1 else of_any, (path,))


def paths(*names: str) -> dict[str, SelectableField]:
    """Fields whose selector name is their path."""
    return {name: at(name) for name in names}


def _pod_ips(obj: Object) -> str:
    addresses = (obj.get("status") or {}).get("podIPs")
    return ",".join(each.get("ip", "") for each in addresses) if addresses else ""


def _event_source(obj: Object) -> str:
    return (obj.get("source") or {}).get("component") or obj.get("reportingComponent") or ""


POD: dict[str, SelectableField] = {
    **paths(
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    "spec.hostNetwork": at("spec.hostNetwork", "false"),
    "status.podIPs": SelectableField(_pod_ips, ("status.podIPs",)),
}
EVENT: dict[str, SelectableField] = {
    **paths(
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
        "reason", "reportingComponent", "type",
    ),
    "source": SelectableField(_event_source, ("source.component", "reportingComponent")),
}
EVENTS_K8S_IO = {
    **{name.replace("involvedObject", "regarding"): name for name in EVENT if name.startswith("involvedObject.")},
    "reason": "reason", "type": "type", "reportingController": "reportingComponent",
}
NODE: dict[str, SelectableField] = {"spec.unschedulable": at("spec.unschedulable", "false")}
REPLICAS: dict[str, SelectableField] = {"status.replicas": at("status.replicas", "0")}
JOB: dict[str, SelectableField] = {"status.successful": at("status.succeeded", "0")}
NAMESPACE = paths("status.phase")
SECRET = paths("type")
SERVICE = paths("spec.clusterIP", "spec.type")
SIGNER = paths("spec.signerName")
POD_CERTIFICATE_REQUEST = paths("spec.signerName", "spec.podName", "spec.nodeName")
RESOURCE_SLICE = paths("spec.nodeName", "spec.driver")
