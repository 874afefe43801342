"""Secrets that ask for a token: what they get, whom it authenticates, and when it ends."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request
from wherry.apiserver.authentication.authenticators import ServiceAccountTokens
from wherry.controller.controller import Options
from wherry.controller.serviceaccounttoken.controller import ServiceAccountTokenController
from wherry.controller.serviceaccounttoken.plan import NAME, TYPE, UID, Steps, steps, without_reference

Worlds = Callable[[], Any]
ACCOUNT = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="ci", namespace="default", uid="u"))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(annotations: dict[str, str], data: dict[str, str] | None = None, kind: str = TYPE) -> core_v1.Secret:
    meta = meta_v1.ObjectMeta(name="ci-token", namespace="default", annotations=annotations)
    return core_v1.Secret(metadata=meta, type=kind, data=data or {})


WHOLE = {"token": "x", "namespace": b64("default"), "ca.crt": b64("CA")}
NOTES = {NAME: "ci", UID: "u"}


@pytest.mark.parametrize(
    ("given", "account", "wanted"),
    [
        pytest.param(
            secret({NAME: "ci"}), ACCOUNT, Steps(data={"ca.crt": b64("CA"), "namespace": b64("default")}, token=True, annotations=NOTES),
            id="new",
        ),
        pytest.param(secret(NOTES, WHOLE), ACCOUNT, Steps(annotations=NOTES), id="whole"),
        pytest.param(
            secret(NOTES, {**WHOLE, "ca.crt": b64("old")}), ACCOUNT, Steps(data={"ca.crt": b64("CA")}, annotations=NOTES), id="other-ca",
        ),
        pytest.param(secret({NAME: "ci"}), None, Steps(delete=True), id="no-account"),
        pytest.param(secret({NAME: "ci", UID: "old"}, WHOLE), ACCOUNT, Steps(delete=True), id="account-made-anew"),
        pytest.param(secret({NAME: "ci"}, kind="Opaque"), None, Steps(), id="other-type"),
    ],
)
def test_steps(given: core_v1.Secret, account: core_v1.ServiceAccount | None, wanted: Steps) -> None:
    assert steps(given, account, "CA") == wanted


def test_without_reference() -> None:
    names = [core_v1.ObjectReference(name="a"), core_v1.ObjectReference(name="b")]
    account = core_v1.ServiceAccount(secrets=names)
    assert without_reference(account, "a") == names[1:]
    assert without_reference(account, "c") is None


async def token_of(w: Any) -> str:
    """Ask for a token by a Secret, as the exam's notes do."""
    w.start(ServiceAccountTokenController, options=Options(root_ca="CA", sign_token=w.signer.sign))
    await w.namespace()
    await w.client.create(core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="ci", namespace="default")))
    await w.client.create(secret({NAME: "ci"}))
    await w.settle()
    found = await w.client.get(core_v1.Secret, "ci-token", "default")
    assert found.data["ca.crt"] == b64("CA")
    assert found.data["namespace"] == b64("default")
    return base64.b64decode(found.data["token"]).decode()


def authenticated(w: Any, token: str) -> str:
    checks = next(each for each in w.server.authenticators if isinstance(each, ServiceAccountTokens))
    user = checks.authenticate(Request("GET", "/", headers={"authorization": f"Bearer {token}"}))
    assert user is not None
    assert "system:serviceaccounts:default" in user.groups
    return str(user.name)


async def test_a_secrets_token_authenticates(world: Worlds) -> None:
    async with world() as w:
        token = await token_of(w)
        assert authenticated(w, token) == "system:serviceaccount:default:ci"
        await w.clock.advance(48 * 3600)
        assert authenticated(w, token) == "system:serviceaccount:default:ci"  # it has no end of its own


@pytest.mark.parametrize("change", ["secret-deleted", "token-replaced", "marked-invalid", "account-deleted"])
async def test_a_secrets_token_ends(world: Worlds, change: str) -> None:
    async with world() as w:
        token = await token_of(w)
        if change == "secret-deleted":
            await w.client.delete(core_v1.Secret, "ci-token", "default")
        elif change == "token-replaced":
            await w.client.patch(core_v1.Secret, "ci-token", {"data": {"token": b64("other")}}, "default")
        elif change == "marked-invalid":
            labels = {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}
            await w.client.patch(core_v1.Secret, "ci-token", {"metadata": {"labels": labels}}, "default")
        else:
            await w.client.delete(core_v1.ServiceAccount, "ci", "default")
        with pytest.raises(StatusError) as caught:
            authenticated(w, token)
        assert caught.value.code == 401


async def test_secrets_go_with_their_account(world: Worlds) -> None:
    async with world() as w:
        await token_of(w)
        await w.client.delete(core_v1.ServiceAccount, "ci", "default")
        await w.settle()
        assert (await w.client.list(core_v1.Secret, "default")).items == []


async def test_an_account_forgets_a_secret_that_is_gone(world: Worlds) -> None:
    async with world() as w:
        await token_of(w)
        await w.client.patch(core_v1.ServiceAccount, "ci", {"secrets": [{"name": "ci-token"}, {"name": "other"}]}, "default")
        await w.settle()
        await w.client.delete(core_v1.Secret, "ci-token", "default")
        await w.settle()
        assert [each.name for each in (await w.client.get(core_v1.ServiceAccount, "ci", "default")).secrets] == ["other"]
