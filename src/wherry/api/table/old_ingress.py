"""The definitions of Ingress v1beta1, which the published document no longer has: facts in the compiled table's words."""

from __future__ import annotations

from typing import Any

PACKAGE = "io.k8s.api.networking.v1beta1"
INGRESS = f"{PACKAGE}.Ingress"
_V1 = "@io.k8s.api.networking.v1"


def _list(item: str) -> dict[str, Any]:
    return {"listType": "atomic", "type": "array", "items": item}


def _object(required: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    return {"type": "object", "fields": fields, "required": list(required)}


DEFINITIONS: dict[str, dict[str, Any]] = {
    INGRESS: {
        **_object(
            apiVersion="string", kind="string", metadata="@io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
            spec=f"@{PACKAGE}.IngressSpec", status=f"{_V1}.IngressStatus",
        ),
        "gvk": [["networking.k8s.io", "v1beta1", "Ingress"], ["extensions", "v1beta1", "Ingress"]],
    },
    f"{PACKAGE}.IngressSpec": _object(
        backend=f"@{PACKAGE}.IngressBackend", ingressClassName="string", rules=_list(f"@{PACKAGE}.IngressRule"),
        tls=_list(f"{_V1}.IngressTLS"),
    ),
    f"{PACKAGE}.IngressBackend": _object(
        resource="@io.k8s.api.core.v1.TypedLocalObjectReference", serviceName="string", servicePort="int-or-string",
    ),
    f"{PACKAGE}.IngressRule": _object(host="string", http=f"@{PACKAGE}.HTTPIngressRuleValue"),
    f"{PACKAGE}.HTTPIngressRuleValue": _object(("paths",), paths=_list(f"@{PACKAGE}.HTTPIngressPath")),
    f"{PACKAGE}.HTTPIngressPath": _object(
        ("backend",), backend=f"@{PACKAGE}.IngressBackend", path="string", pathType="string",
    ),
}
