"""What a cluster holds from its first moment: namespaces, the `kubernetes` and `kube-dns` Services, priority
classes, the default StorageClass, RBAC's bootstrap policy.  Each `up` makes what is missing and leaves the rest as it is."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

from wherry.api.registry import BUILTIN
from wherry.api.resource import Object
from wherry.api.volumes import DEFAULT_CLASS
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.apiserver.authorization.policy import bootstrap_objects
from wherry.client import Client
from wherry.client.paths import ResourceInfo
from wherry.cluster.config import ClusterConfig
from wherry.cluster.pki import FRONT_PROXY_CLIENT, PKI
from wherry.kubelet.provisioner.plan import PROVISIONER

log = logging.getLogger(__name__)
# What an `up` brings up to date: the API may have another port or address than last time.
_OURS = {"EndpointSlice": ("endpoints", "ports"), "Endpoints": ("subsets",)}
AUTHENTICATION = "extension-apiserver-authentication"
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def _named(kind: str, api_version: str, name: str, namespace: str = "", **more: Any) -> Object:
    meta = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **more}


def authentication(pki: PKI) -> dict[str, str]:
    """How a server of an aggregated API knows clients of this cluster, and the API server that passes their requests on."""
    headers = {"username": "X-Remote-User", "uid": "X-Remote-Uid", "group": "X-Remote-Group"}
    return {
        "client-ca-file": pki.ca.certificate.read_text(),
        "requestheader-client-ca-file": pki.front_proxy_ca.certificate.read_text(),
        "requestheader-allowed-names": f'["{FRONT_PROXY_CLIENT}"]',
        "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
        **{f"requestheader-{what}-headers": f'["{header}"]' for what, header in headers.items()},
    }


def objects(config: ClusterConfig, today: str, known_by: dict[str, str]) -> list[Object]:
    """Everything, in the order it is made.  `known_by`: what `authentication` tells.  Pure."""
    found = [_named("Namespace", "v1", name) for name in NAMESPACES]
    # Since when the API server keeps the days on which tokens of Secrets were used.
    found.append(_named("ConfigMap", "v1", "kube-apiserver-legacy-service-account-token-tracking", "kube-system", data={"since": today}))
    found.append(_named("ConfigMap", "v1", AUTHENTICATION, "kube-system", data=known_by))
    found += [
        _named("PriorityClass", "scheduling.k8s.io/v1", "system-node-critical", value=2000001000,
               description="Used for system critical pods that must not be moved from their current node."),
        _named("PriorityClass", "scheduling.k8s.io/v1", "system-cluster-critical", value=2000000000,
               description="Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."),
    ]
    found += bootstrap_objects()
    found.append(_named(
        "StorageClass", "storage.k8s.io/v1", "standard", metadata={"annotations": {DEFAULT_CLASS: "true"}}, provisioner=PROVISIONER,
        reclaimPolicy="Delete", volumeBindingMode="WaitForFirstConsumer", allowVolumeExpansion=True,
    ))
    labels = {"component": "apiserver", "provider": "kubernetes"}
    found.append(_named(
        "Service", "v1", "kubernetes", "default", metadata={"labels": labels},
        spec={"clusterIP": config.api_service_ip, "ports": [{"name": "https", "port": 443, "targetPort": config.port, "protocol": "TCP"}]},
    ))
    if config.fidelity == "real":
        found += _endpoints("kubernetes", "default", config.bridge_address, [("https", config.port, "TCP")])
        dns = [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP")]
        found.append(_named(
            "Service", "v1", "kube-dns", "kube-system", metadata={"labels": {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"}},
            spec={"clusterIP": config.dns_service_ip, "ports": [{"name": n, "port": p, "protocol": proto} for n, p, proto in dns]},
        ))
        found += _endpoints("kube-dns", "kube-system", config.bridge_address, dns)
    return found


def _endpoints(service: str, namespace: str, address: str, ports: list[tuple[str, int, str]]) -> list[Object]:
    """An EndpointSlice by hand, for a Service without a selector: its server is the host itself."""
    labels = {"kubernetes.io/service-name": service, "endpointslice.kubernetes.io/managed-by": "wherry"}
    shown = [{"name": n, "port": p, "protocol": proto} for n, p, proto in ports]
    endpoints = [{"addresses": [address], "conditions": {"ready": True}}]
    return [
        _named("EndpointSlice", "discovery.k8s.io/v1", service, namespace, metadata={"labels": labels},
               addressType="IPv4", ports=shown, endpoints=endpoints),
        _named("Endpoints", "v1", service, namespace, metadata={"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
               subsets=[{"addresses": [{"ip": address}], "ports": shown}]),
    ]


async def bootstrap(client: Client, config: ClusterConfig, pki: PKI) -> None:
    """Make what is missing.  Raises StatusError."""
    for obj in objects(config, datetime.now(UTC).strftime("%Y-%m-%d"), authentication(pki)):
        group, _, version = obj["apiVersion"].rpartition("/")
        found = BUILTIN.by_kind(group, version, obj["kind"])
        assert found is not None, obj["kind"]
        info = ResourceInfo(group, version, found[0].plural, found[0].namespaced)
        namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        try:
            await client.raw("GET", info.path(namespace, name))
        except StatusError as error:
            if not is_not_found(error):
                raise
            await client.create_raw(info, obj, namespace)
            continue
        kept = ("data",) if name == AUTHENTICATION else _OURS.get(obj["kind"], ())
        if parts := {k: v for k, v in obj.items() if k in kept}:
            body = msgspec.json.encode(parts)
            await client.raw("PATCH", info.path(namespace, name), body=body, content_type="application/merge-patch+json")
