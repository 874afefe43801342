"""Typed objects of certificates/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class CertificateSigningRequest(Struct):
    api_version: str = msgspec.field(default="certificates.k8s.io/v1", name="apiVersion")
    kind: str = "CertificateSigningRequest"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: CertificateSigningRequestSpec = msgspec.field(default_factory=lambda: CertificateSigningRequestSpec())
    status: CertificateSigningRequestStatus = msgspec.field(default_factory=lambda: CertificateSigningRequestStatus())


class CertificateSigningRequestCondition(Struct):
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    last_update_time: str | None = msgspec.field(default=None, name="lastUpdateTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class CertificateSigningRequestList(Struct):
    api_version: str = msgspec.field(default="certificates.k8s.io/v1", name="apiVersion")
    items: list[CertificateSigningRequest] = msgspec.field(default_factory=list)
    kind: str = "CertificateSigningRequestList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class CertificateSigningRequestSpec(Struct):
    expiration_seconds: int | None = msgspec.field(default=None, name="expirationSeconds")
    extra: dict[str, list[str]] = msgspec.field(default_factory=dict)
    groups: list[str] = msgspec.field(default_factory=list)
    request: str = ""
    signer_name: str = msgspec.field(default="", name="signerName")
    uid: str = ""
    usages: list[str] = msgspec.field(default_factory=list)
    username: str = ""


class CertificateSigningRequestStatus(Struct):
    certificate: str = ""
    conditions: list[CertificateSigningRequestCondition] = msgspec.field(default_factory=list)


class ClusterTrustBundle(Struct):
    api_version: str = msgspec.field(default="certificates.k8s.io/v1", name="apiVersion")
    kind: str = "ClusterTrustBundle"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ClusterTrustBundleSpec = msgspec.field(default_factory=lambda: ClusterTrustBundleSpec())


class ClusterTrustBundleList(Struct):
    api_version: str = msgspec.field(default="certificates.k8s.io/v1", name="apiVersion")
    items: list[ClusterTrustBundle] = msgspec.field(default_factory=list)
    kind: str = "ClusterTrustBundleList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ClusterTrustBundleSpec(Struct):
    signer_name: str = msgspec.field(default="", name="signerName")
    trust_bundle: str = msgspec.field(default="", name="trustBundle")


class PodCertificateRequest(Struct):
    api_version: str = msgspec.field(default="certificates.k8s.io/v1", name="apiVersion")
    kind: str = "PodCertificateRequest"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: PodCertificateRequestSpec = msgspec.field(default_factory=lambda: PodCertificateRequestSpec())
    status: PodCertificateRequestStatus = msgspec.field(default_factory=lambda: PodCertificateRequestStatus())


class PodCertificateRequestList(Struct):
    api_version: str = msgspec.field(default="certificates.k8s.io/v1", name="apiVersion")
    items: list[PodCertificateRequest] = msgspec.field(default_factory=list)
    kind: str = "PodCertificateRequestList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class PodCertificateRequestSpec(Struct):
    max_expiration_seconds: int | None = msgspec.field(default=None, name="maxExpirationSeconds")
    node_name: str = msgspec.field(default="", name="nodeName")
    node_uid: str = msgspec.field(default="", name="nodeUID")
    pod_name: str = msgspec.field(default="", name="podName")
    pod_uid: str = msgspec.field(default="", name="podUID")
    service_account_name: str = msgspec.field(default="", name="serviceAccountName")
    service_account_uid: str = msgspec.field(default="", name="serviceAccountUID")
    signer_name: str = msgspec.field(default="", name="signerName")
    stub_pkcs10_request: str = msgspec.field(default="", name="stubPKCS10Request")
    unverified_user_annotations: dict[str, str] = msgspec.field(default_factory=dict, name="unverifiedUserAnnotations")


class PodCertificateRequestStatus(Struct):
    begin_refresh_at: str | None = msgspec.field(default=None, name="beginRefreshAt")
    certificate_chain: str = msgspec.field(default="", name="certificateChain")
    conditions: list[meta_v1.Condition] = msgspec.field(default_factory=list)
    not_after: str | None = msgspec.field(default=None, name="notAfter")
    not_before: str | None = msgspec.field(default=None, name="notBefore")
