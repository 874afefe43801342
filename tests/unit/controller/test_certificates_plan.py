"""What signers accept, what is approved unasked, and when a request has served its time."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.types import certificates_v1, meta_v1
from wherry.controller.certificates import plan
from wherry.controller.certificates.plan import Asked
from wherry.util.clock import rfc3339

NOW = 1_700_000_000.0
NODE = Asked("system:node:n1", ("system:nodes",))
CLIENT = ("digital signature", "key encipherment", "client auth")
SERVING = ("digital signature", "server auth")
CONDITION = certificates_v1.CertificateSigningRequestCondition


def csr(*conditions: tuple[str, float], created: float = NOW, certificate: str = "", **spec: Any) -> certificates_v1.CertificateSigningRequest:
    return certificates_v1.CertificateSigningRequest(
        metadata=meta_v1.ObjectMeta(name="x", creation_timestamp=rfc3339(created)),
        spec=certificates_v1.CertificateSigningRequestSpec(**spec),
        status=certificates_v1.CertificateSigningRequestStatus(
            certificate=certificate,
            conditions=[CONDITION(type=kind, status="True", last_update_time=rfc3339(NOW - ago)) for kind, ago in conditions],
        ),
    )


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "why"),
    [
        pytest.param(plan.CLIENT, Asked("jane"), ("client auth",), "", id="client"),
        pytest.param(plan.CLIENT, Asked("jane"), CLIENT, "", id="client-with-encipherment"),
        pytest.param(
            plan.CLIENT, Asked("jane"), ("server auth",), "invalid usage for client certificate: server auth", id="client-serving",
        ),
        pytest.param(
            plan.CLIENT, Asked("jane"), ("digital signature",), "missing required usage for client certificate: client auth",
            id="client-without-auth",
        ),
        pytest.param(plan.KUBELET_CLIENT, NODE, CLIENT, "", id="kubelet"),
        pytest.param(plan.KUBELET_CLIENT, NODE, CLIENT[::2], "", id="kubelet-elliptic-curve"),
        pytest.param(
            plan.KUBELET_CLIENT, Asked("system:node:n1"), CLIENT, "subject organization is not system:nodes", id="kubelet-no-group",
        ),
        pytest.param(
            plan.KUBELET_CLIENT, Asked("n1", ("system:nodes",)), CLIENT, "subject common name does not begin with system:node:",
            id="kubelet-other-name",
        ),
        pytest.param(
            plan.KUBELET_CLIENT, Asked("system:node:n1", ("system:nodes",), dns=("n1",)), CLIENT,
            "DNS subjectAltNames are not allowed", id="kubelet-with-dns",
        ),
        pytest.param(
            plan.KUBELET_CLIENT, NODE, SERVING, "usages did not match [client auth digital signature key encipherment]",
            id="kubelet-other-usages",
        ),
        pytest.param(
            plan.KUBELET_SERVING, NODE, SERVING, "DNS or IP subjectAltName is required", id="serving-without-name",
        ),
        pytest.param(
            plan.KUBELET_SERVING, Asked("system:node:n1", ("system:nodes",), addresses=("10.0.0.1",)), SERVING, "", id="serving",
        ),
        pytest.param(
            plan.KUBELET_SERVING, Asked("system:node:n1", ("system:nodes",), dns=("n1",), emails=("a@b",)), SERVING,
            "Email subjectAltNames are not allowed", id="serving-with-email",
        ),
        pytest.param(
            plan.KUBELET_SERVING, Asked("system:node:n1", ("others",), dns=("n1",)), SERVING, "subject organization is not system:nodes",
            id="serving-others",
        ),
        pytest.param(
            plan.KUBELET_SERVING, Asked("system:node:n1", ("system:nodes",), dns=("n1",)), CLIENT,
            "usages did not match [digital signature key encipherment server auth]", id="serving-for-clients",
        ),
        pytest.param(
            plan.KUBELET_SERVING, Asked("n1", ("system:nodes",), dns=("n1",)), SERVING,
            "subject common name does not begin with system:node:", id="serving-other-name",
        ),
        pytest.param(plan.LEGACY_UNKNOWN, Asked("who"), ("any",), "", id="legacy-takes-all"),
    ],
)
def test_refusal(signer: str, asked: Asked, usages: tuple[str, ...], why: str) -> None:
    assert plan.refusal(signer, asked, usages) == why


@pytest.mark.parametrize(
    ("user", "signer", "asked", "found"),
    [
        pytest.param("system:node:n1", plan.KUBELET_CLIENT, NODE, ["selfnodeclient", "nodeclient"], id="itself"),
        pytest.param("system:bootstrap:x", plan.KUBELET_CLIENT, NODE, ["nodeclient"], id="bootstrap"),
        pytest.param("system:node:n1", plan.CLIENT, NODE, [], id="other-signer"),
        pytest.param("jane", plan.KUBELET_CLIENT, Asked("jane"), [], id="no-node"),
    ],
)
def test_recognized(user: str, signer: str, asked: Asked, found: list[str]) -> None:
    request = csr(username=user, signer_name=signer, usages=list(CLIENT))
    assert [each.subresource for each in plan.recognized(request, asked)] == found


@pytest.mark.parametrize(
    ("asked", "given"),
    [(None, 31536000), (600, 600), (86400, 86400), (10**9, 31536000)],
    ids=["default", "shortest", "a-day", "never-longer-than-a-year"],
)
def test_lifetime(asked: int | None, given: int) -> None:
    assert plan.lifetime(asked) == given


@pytest.mark.parametrize(
    ("request_", "not_after", "gone"),
    [
        pytest.param(csr(created=NOW - 86300), None, False, id="pending-a-day"),
        pytest.param(csr(created=NOW - 86500), None, True, id="pending-for-longer"),
        pytest.param(csr(("Denied", 3500)), None, False, id="denied"),
        pytest.param(csr(("Denied", 3700)), None, True, id="denied-an-hour-ago"),
        pytest.param(csr(("Approved", 10), ("Failed", 3700)), None, True, id="failed-an-hour-ago"),
        pytest.param(csr(("Approved", 3500), certificate="x"), NOW + 9, False, id="issued"),
        pytest.param(csr(("Approved", 3700), certificate="x"), NOW + 9, True, id="issued-an-hour-ago"),
        pytest.param(csr(("Approved", 86300)), None, False, id="approved-and-not-issued-yet"),
        pytest.param(csr(("Approved", 86500)), None, True, id="approved-and-never-issued"),
        pytest.param(csr(("Approved", 10), certificate="x"), NOW - 1, True, id="expired"),
        pytest.param(csr(("Approved", 10), certificate="x"), NOW, False, id="expires-now"),
        pytest.param(csr(("Denied", 10), certificate="x"), NOW - 1, False, id="expired-and-never-approved"),
        pytest.param(csr(("Denied", 3600)), None, False, id="denied-just-an-hour-ago"),
        pytest.param(csr(("Odd", 99999)), None, False, id="decided-by-nobody"),
    ],
)
def test_served_its_time(request_: certificates_v1.CertificateSigningRequest, not_after: float | None, gone: bool) -> None:
    assert plan.served_its_time(request_, NOW, not_after) is gone


@pytest.mark.parametrize(("conditions", "certificate", "signer", "expected"), [
    pytest.param(("Approved",), "", plan.CLIENT, True, id="approved"),
    pytest.param((), "", plan.CLIENT, False, id="pending"),
    pytest.param(("Denied",), "", plan.CLIENT, False, id="denied"),
    pytest.param(("Approved", "Failed"), "", plan.CLIENT, False, id="failed"),
    pytest.param(("Approved",), "x", plan.CLIENT, False, id="issued"),
    pytest.param(("Approved",), "", "example.com/own", False, id="somebody else's"),
])
def test_what_is_signed(conditions: tuple[str, ...], certificate: str, signer: str, expected: bool) -> None:
    made = csr(*((kind, 1.0) for kind in conditions), certificate=certificate, signer_name=signer)
    assert plan.to_sign(made) is expected


@pytest.mark.parametrize(("status", "expected"), [("True", True), ("", True), ("False", False), ("Unknown", False)])
def test_a_condition_counts_when_it_is_true(status: str, expected: bool) -> None:
    made = certificates_v1.CertificateSigningRequest(
        status=certificates_v1.CertificateSigningRequestStatus(conditions=[CONDITION(type="Approved", status=status)]),
    )
    assert (plan.has(made, "Approved", "Denied"), plan.has(made, "Failed")) == (expected, False)
