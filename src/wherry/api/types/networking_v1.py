"""Typed objects of networking/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import core_v1
from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class HTTPIngressPath(Struct):
    backend: IngressBackend = msgspec.field(default_factory=lambda: IngressBackend())
    path: str = ""
    path_type: str = msgspec.field(default="", name="pathType")


class HTTPIngressRuleValue(Struct):
    paths: list[HTTPIngressPath] = msgspec.field(default_factory=list)


class IPAddress(Struct):
    api_version: str = msgspec.field(default="networking.k8s.io/v1", name="apiVersion")
    kind: str = "IPAddress"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: IPAddressSpec = msgspec.field(default_factory=lambda: IPAddressSpec())


class IPAddressList(Struct):
    api_version: str = msgspec.field(default="networking.k8s.io/v1", name="apiVersion")
    items: list[IPAddress] = msgspec.field(default_factory=list)
    kind: str = "IPAddressList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class IPAddressSpec(Struct):
    parent_ref: ParentReference = msgspec.field(default_factory=lambda: ParentReference(), name="parentRef")


class IPBlock(Struct):
    cidr: str = ""
    except_: list[str] = msgspec.field(default_factory=list, name="except")


class Ingress(Struct):
    api_version: str = msgspec.field(default="networking.k8s.io/v1", name="apiVersion")
    kind: str = "Ingress"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: IngressSpec = msgspec.field(default_factory=lambda: IngressSpec())
    status: IngressStatus = msgspec.field(default_factory=lambda: IngressStatus())


class IngressBackend(Struct):
    resource: core_v1.TypedLocalObjectReference | None = None
    service: IngressServiceBackend | None = None


class IngressClass(Struct):
    api_version: str = msgspec.field(default="networking.k8s.io/v1", name="apiVersion")
    kind: str = "IngressClass"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: IngressClassSpec = msgspec.field(default_factory=lambda: IngressClassSpec())


class IngressClassList(Struct):
    api_version: str = msgspec.field(default="networking.k8s.io/v1", name="apiVersion")
    items: list[IngressClass] = msgspec.field(default_factory=list)
    kind: str = "IngressClassList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class IngressClassParametersReference(Struct):
    api_group: str = msgspec.field(default="", name="apiGroup")
    kind: str = ""
    name: str = ""
    namespace: str = ""
    scope: str = ""


class IngressClassSpec(Struct):
    controller: str = ""
    parameters: IngressClassParametersReference | None = None


class IngressList(Struct):
    api_version: str = msgspec.field(default="networking.k8s.io/v1", name="apiVersion")
    items: list[Ingress] = msgspec.field(default_factory=list)
    kind: str = "IngressList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class IngressLoadBalancerIngress(Struct):
    hostname: str = ""
    ip: str = ""
    ports: list[IngressPortStatus] = msgspec.field(default_factory=list)


class IngressLoadBalancerStatus(Struct):
    ingress: list[IngressLoadBalancerIngress] = msgspec.field(default_factory=list)


class IngressPortStatus(Struct):
    error: str = ""
    port: int = 0
    protocol: str = ""


class IngressRule(Struct):
    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressServiceBackend(Struct):
    name: str = ""
    port: ServiceBackendPort | None = None


class IngressSpec(Struct):
    default_backend: IngressBackend | None = msgspec.field(default=None, name="defaultBackend")
    ingress_class_name: str | None = msgspec.field(default=None, name="ingressClassName")
    rules: list[IngressRule] = msgspec.field(default_factory=list)
    tls: list[IngressTLS] = msgspec.field(default_factory=list)


class IngressStatus(Struct):
    load_balancer: IngressLoadBalancerStatus = msgspec.field(default_factory=lambda: IngressLoadBalancerStatus(), name="loadBalancer")


class IngressTLS(Struct):
    hosts: list[str] = msgspec.field(default_factory=list)
    secret_name: str = msgspec.field(default="", name="secretName")


class NetworkPolicy(Struct):
    api_version: str = msgspec.field(default="networking.k8s.io/v1", name="apiVersion")
    kind: str = "NetworkPolicy"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: NetworkPolicySpec = msgspec.field(default_factory=lambda: NetworkPolicySpec())


class NetworkPolicyEgressRule(Struct):
    ports: list[NetworkPolicyPort] = msgspec.field(default_factory=list)
    to: list[NetworkPolicyPeer] = msgspec.field(default_factory=list)


class NetworkPolicyIngressRule(Struct):
    from_: list[NetworkPolicyPeer] = msgspec.field(default_factory=list, name="from")
    ports: list[NetworkPolicyPort] = msgspec.field(default_factory=list)


class NetworkPolicyList(Struct):
    api_version: str = msgspec.field(default="networking.k8s.io/v1", name="apiVersion")
    items: list[NetworkPolicy] = msgspec.field(default_factory=list)
    kind: str = "NetworkPolicyList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class NetworkPolicyPeer(Struct):
    ip_block: IPBlock | None = msgspec.field(default=None, name="ipBlock")
    namespace_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="namespaceSelector")
    pod_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="podSelector")


class NetworkPolicyPort(Struct):
    end_port: int | None = msgspec.field(default=None, name="endPort")
    port: int | str | None = None
    protocol: str = ""


class NetworkPolicySpec(Struct):
    egress: list[NetworkPolicyEgressRule] = msgspec.field(default_factory=list)
    ingress: list[NetworkPolicyIngressRule] = msgspec.field(default_factory=list)
    pod_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="podSelector")
    policy_types: list[str] = msgspec.field(default_factory=list, name="policyTypes")


class ParentReference(Struct):
    group: str = ""
    name: str = ""
    namespace: str = ""
    resource: str = ""


class ServiceBackendPort(Struct):
    name: str = ""
    number: int | None = None


class ServiceCIDR(Struct):
    api_version: str = msgspec.field(default="networking.k8s.io/v1", name="apiVersion")
    kind: str = "ServiceCIDR"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ServiceCIDRSpec = msgspec.field(default_factory=lambda: ServiceCIDRSpec())
    status: ServiceCIDRStatus = msgspec.field(default_factory=lambda: ServiceCIDRStatus())


class ServiceCIDRList(Struct):
    api_version: str = msgspec.field(default="networking.k8s.io/v1", name="apiVersion")
    items: list[ServiceCIDR] = msgspec.field(default_factory=list)
    kind: str = "ServiceCIDRList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ServiceCIDRSpec(Struct):
    cidrs: list[str] = msgspec.field(default_factory=list)


class ServiceCIDRStatus(Struct):
    conditions: list[meta_v1.Condition] = msgspec.field(default_factory=list)
