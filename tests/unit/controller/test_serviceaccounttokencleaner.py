"""Tokens of Secrets that nobody uses: what happens to them, and when."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request
from wherry.apiserver.authentication.authenticators import ServiceAccountTokens
from wherry.controller.controller import Options
from wherry.controller.serviceaccounttoken.controller import ServiceAccountTokenController
from wherry.controller.serviceaccounttoken.plan import NAME, TYPE
from wherry.controller.serviceaccounttokencleaner.controller import TRACKING, LegacyServiceAccountTokenCleaner
from wherry.controller.serviceaccounttokencleaner.plan import (
    DELETE,
    INVALID_SINCE,
    LAST_USED,
    LEAVE,
    MARK,
    mounted_secrets,
    step,
    tracked_long_enough,
)

Worlds = Callable[[], Any]
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
OLD, YOUNG = "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"


def secret(labels: dict[str, str] | None = None, *, made: str = OLD, kind: str = TYPE, **meta: Any) -> core_v1.Secret:
    return core_v1.Secret(type=kind, metadata=meta_v1.ObjectMeta(
        name="t", namespace="default", creation_timestamp=made, annotations={NAME: "ci"}, labels=labels or {}, **meta,
    ))


def account(*secrets: str) -> core_v1.ServiceAccount:
    return core_v1.ServiceAccount(
        metadata=meta_v1.ObjectMeta(name="ci", namespace="default"), secrets=[core_v1.ObjectReference(name=each) for each in secrets],
    )


@pytest.mark.parametrize(
    ("given", "owner", "mounted", "what"),
    [
        pytest.param(secret(), account("t"), (), MARK, id="never-used"),
        pytest.param(secret({LAST_USED: "2025-11-27"}), account("t"), (), MARK, id="used-long-ago"),
        pytest.param(secret({LAST_USED: "2025-11-28"}), account("t"), (), LEAVE, id="used-a-year-ago"),
        pytest.param(secret({LAST_USED: "yesterday"}), account("t"), (), LEAVE, id="who-knows-when"),
        pytest.param(secret(made=YOUNG), account("t"), (), LEAVE, id="young"),
        pytest.param(secret(), account("other"), (), LEAVE, id="made-by-hand"),
        pytest.param(secret(), None, (), LEAVE, id="no-account"),
        pytest.param(secret(), account("t"), ("t",), LEAVE, id="mounted"),
        pytest.param(secret(kind="Opaque"), account("t"), (), LEAVE, id="no-token"),
        pytest.param(secret(deletion_timestamp=OLD), account("t"), (), LEAVE, id="on-its-way"),
        pytest.param(secret({INVALID_SINCE: "long ago"}), account("t"), (), MARK, id="marked-wrongly"),
        pytest.param(secret({INVALID_SINCE: "2025-11-28"}), account("t"), (), LEAVE, id="invalid-for-a-year"),
        pytest.param(secret({INVALID_SINCE: "2025-11-27"}), account("t"), (), DELETE, id="invalid-for-longer"),
        pytest.param(secret({INVALID_SINCE: "2025-01-01", LAST_USED: "2026-11-01"}), account("t"), (), LEAVE, id="invalid-but-asked-for"),
    ],
)
def test_what_becomes_of_a_secret(given: core_v1.Secret, owner: core_v1.ServiceAccount | None, mounted: tuple[str, ...], what: str) -> None:
    assert step(given, owner, mounted, NOW) == what


@pytest.mark.parametrize(("since", "enough"), [("2025-11-27", True), ("2025-11-28", False), ("", False), ("2025-13-01", False)])
def test_uses_are_noted_long_enough(since: str, enough: bool) -> None:
    assert tracked_long_enough(since, NOW) is enough


def test_what_pods_mount() -> None:
    ref = {"name": "d", "key": "k"}
    spec = {
        "imagePullSecrets": [{"name": "a"}],
        "volumes": [{"name": "v", "secret": {"secretName": "b"}}, {"name": "w", "projected": {"sources": [{"secret": {"name": "c"}}]}}],
        "containers": [{"name": "m", "env": [{"name": "X", "valueFrom": {"secretKeyRef": ref}}, {"name": "Y", "value": "1"}]}],
        "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "e"}}, {"configMapRef": {"name": "f"}}]}],
    }
    assert mounted_secrets([msgspec.convert({"spec": spec}, core_v1.Pod)]) == set("abcde")


async def listed_token(w: Any) -> str:
    """A token whose Secret its account lists, in a cluster that notes uses."""
    w.start(ServiceAccountTokenController, LegacyServiceAccountTokenCleaner, options=Options(root_ca="CA", sign_token=w.signer.sign))
    await w.namespace()
    await w.namespace("kube-system")
    since = datetime.fromtimestamp(w.clock.time(), UTC).strftime("%Y-%m-%d")
    await w.client.create(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name=TRACKING, namespace="kube-system"), data={"since": since}))
    await w.client.create(account("t"))
    await w.client.create(core_v1.Secret(metadata=meta_v1.ObjectMeta(name="t", namespace="default", annotations={NAME: "ci"}), type=TYPE))
    await w.settle()
    return base64.b64decode((await w.client.get(core_v1.Secret, "t", "default")).data["token"]).decode()


def use(w: Any, token: str) -> None:
    checks = next(each for each in w.server.authenticators if isinstance(each, ServiceAccountTokens))
    checks.authenticate(Request("GET", "/", headers={"authorization": f"Bearer {token}"}))


async def labels(w: Any) -> dict[str, str]:
    return (await w.client.get(core_v1.Secret, "t", "default")).metadata.labels  # type: ignore[no-any-return]


async def days(w: Any, count: int) -> None:
    """Wall time passes; the cleaner looks once, at the end."""
    w.clock.jump((count - 1) * 86400)
    await w.clock.advance(86400)
    await w.settle()


async def test_a_token_lives_as_long_as_it_is_used(world: Worlds) -> None:
    async with world() as w:
        token = await listed_token(w)
        assert await labels(w) == {}
        await days(w, 300)
        use(w, token)
        await w.settle()
        noted = (await labels(w))[LAST_USED]
        assert noted == datetime.fromtimestamp(w.clock.time(), UTC).strftime("%Y-%m-%d")
        await days(w, 365)
        assert await labels(w) == {LAST_USED: noted}, "used within the year"
        await days(w, 3)
        assert INVALID_SINCE in await labels(w)
        with pytest.raises(StatusError):
            use(w, token)


async def test_one_that_nobody_uses_is_marked_and_then_deleted(world: Worlds) -> None:
    async with world() as w:
        await listed_token(w)
        await days(w, 365)
        assert await labels(w) == {}
        await days(w, 3)
        assert list(await labels(w)) == [INVALID_SINCE]
        await days(w, 364)
        assert list(await labels(w)) == [INVALID_SINCE]
        await days(w, 4)
        with pytest.raises(StatusError):
            await labels(w)
