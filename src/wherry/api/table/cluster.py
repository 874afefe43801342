"""Rows of the small groups: certificates, coordination, node, resource (dynamic allocation), scheduling."""

from __future__ import annotations

from wherry.api import selectable
from wherry.api.printers import cluster as printers
from wherry.api.printers.default import NAME_AGE
from wherry.api.resource import Resource, Subresource
from wherry.api.strategy import certificates as certificates_strategy
from wherry.api.strategy import lease as lease_strategy
from wherry.api.strategy import scheduling as scheduling_strategy
from wherry.api.strategy.resource import claims as device_claims
from wherry.api.strategy.resource import classes as device_classes
from wherry.api.strategy.resource import slices as device_slices
from wherry.api.table.rows import PLAIN, PLAIN_STATUS, READ_WRITE, old, served, status

CERTIFICATES = "certificates.k8s.io"
COORDINATION = "coordination.k8s.io"
NODE = "node.k8s.io"
RESOURCE = "resource.k8s.io"
SCHEDULING = "scheduling.k8s.io"

CERTIFICATE_SIGNING_REQUEST = Resource(
    "certificatesigningrequests", "CertificateSigningRequest", CERTIFICATES,
    served(CERTIFICATES, "CertificateSigningRequest"), namespaced=False, short_names=("csr",),
    subresources=(Subresource("approval", "CertificateSigningRequest", READ_WRITE), status("CertificateSigningRequest")),
    selectable_fields=selectable.SIGNER, strategy=certificates_strategy.CERTIFICATE_SIGNING_REQUEST,
    printer=printers.CERTIFICATE_SIGNING_REQUEST,
)
CLUSTER_TRUST_BUNDLE = Resource(
    "clustertrustbundles", "ClusterTrustBundle", CERTIFICATES, served(CERTIFICATES, "ClusterTrustBundle"), namespaced=False,
    selectable_fields=selectable.SIGNER, strategy=PLAIN, name_rule="path", printer=printers.CLUSTER_TRUST_BUNDLE,
)
POD_CERTIFICATE_REQUEST = Resource(
    "podcertificaterequests", "PodCertificateRequest", CERTIFICATES, served(CERTIFICATES, "PodCertificateRequest"),
    subresources=(status("PodCertificateRequest"),), selectable_fields=selectable.POD_CERTIFICATE_REQUEST, strategy=PLAIN_STATUS,
)
LEASE = Resource(
    "leases", "Lease", COORDINATION, served(COORDINATION, "Lease"), strategy=lease_strategy.LEASE, printer=printers.LEASE,
)
RUNTIME_CLASS = Resource(
    "runtimeclasses", "RuntimeClass", NODE, served(NODE, "RuntimeClass"), namespaced=False, singular="runtimeclass",
    strategy=scheduling_strategy.RUNTIME_CLASS, printer=printers.RUNTIME_CLASS,
)
DEVICE_CLASS = Resource(
    "deviceclasses", "DeviceClass", RESOURCE, served(RESOURCE, "DeviceClass"), namespaced=False, printer=NAME_AGE,
    strategy=device_classes.DEVICE_CLASS,
)
DEVICE_TAINT_RULE = Resource(
    "devicetaintrules", "DeviceTaintRule", RESOURCE, served(RESOURCE, "DeviceTaintRule"), namespaced=False,
    subresources=(status("DeviceTaintRule"),), strategy=device_classes.DEVICE_TAINT_RULE,
)
RESOURCE_CLAIM = Resource(
    "resourceclaims", "ResourceClaim", RESOURCE, served(RESOURCE, "ResourceClaim"), subresources=(status("ResourceClaim"),),
    strategy=device_claims.CLAIM, printer=printers.RESOURCE_CLAIM,
)
RESOURCE_CLAIM_TEMPLATE = Resource(
    "resourceclaimtemplates", "ResourceClaimTemplate", RESOURCE, served(RESOURCE, "ResourceClaimTemplate"),
    strategy=device_claims.TEMPLATE, printer=NAME_AGE,
)
RESOURCE_SLICE = Resource(
    "resourceslices", "ResourceSlice", RESOURCE, served(RESOURCE, "ResourceSlice"), namespaced=False,
    selectable_fields=selectable.RESOURCE_SLICE, strategy=device_slices.SLICE, printer=printers.RESOURCE_SLICE,
)
PRIORITY_CLASS = Resource(
    "priorityclasses", "PriorityClass", SCHEDULING,
    (*served(SCHEDULING, "PriorityClass"), old(f"{SCHEDULING}/v1beta1", "PriorityClass", f"{SCHEDULING}/v1", "v1.14", "v1.22")),
    namespaced=False,
    short_names=("pc",), printer=printers.PRIORITY_CLASS, strategy=scheduling_strategy.PRIORITY_CLASS,
)

ROWS = (
    CERTIFICATE_SIGNING_REQUEST, CLUSTER_TRUST_BUNDLE, POD_CERTIFICATE_REQUEST, LEASE, RUNTIME_CLASS, DEVICE_CLASS,
    DEVICE_TAINT_RULE, RESOURCE_CLAIM, RESOURCE_CLAIM_TEMPLATE, RESOURCE_SLICE, PRIORITY_CLASS,
)
