"""Asking the API server about others: what is asked, what is kept, and for how long."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.client import Client, InProcessTransport
from wherry.client.delegation import Attributes, Delegate
from wherry.util.clock import FakeClock

USER = UserInfo("system:serviceaccount:m:prom", ("system:authenticated",))
READ_STATS = Attributes("get", "nodes", "stats", "n1")


class Reviews:
    """An API server that knows the token `good` and allows what it is told."""

    def __init__(self, *allowed: str) -> None:
        self.allowed, self.asked = allowed, []

    async def handle(self, request: Request) -> Response:
        spec = json.loads(request.body)["spec"]
        self.asked.append(spec)
        if request.path.endswith("/tokenreviews"):
            good = spec["token"] == "good"
            told: dict[str, Any] = {"authenticated": good, "user": {"username": USER.name, "groups": list(USER.groups)} if good else {}}
        else:
            wanted = spec.get("resourceAttributes") or spec["nonResourceAttributes"]
            told = {"allowed": wanted.get("subresource", wanted.get("path")) in self.allowed}
        return Response(201, json.dumps({"status": told}).encode())


def made(*allowed: str) -> tuple[Delegate, Reviews, FakeClock]:
    reviews, clock = Reviews(*allowed), FakeClock()
    return Delegate(Client(InProcessTransport(reviews.handle)), clock), reviews, clock


async def test_a_certificate_is_taken_as_tls_verified_it() -> None:
    delegate, reviews, _ = made()
    user = await delegate.authenticate(Request("GET", "/", certificate=("kube-apiserver-kubelet-client", ("system:masters",))))
    assert user == UserInfo("kube-apiserver-kubelet-client", ("system:masters", "system:authenticated"))
    assert not reviews.asked


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic Zm9v", "Bearer bad"], ids=["none", "bare", "empty", "basic", "unknown"])
async def test_other_credentials_are_refused(header: str) -> None:
    delegate, _, _ = made()
    with pytest.raises(StatusError) as raised:
        await delegate.authenticate(Request("GET", "/", headers={"authorization": header} if header else {}))
    assert raised.value.code == 401


async def test_a_token_is_asked_about_once_in_two_minutes() -> None:
    delegate, reviews, clock = made()
    request = Request("GET", "/", headers={"authorization": "bearer good"})
    for seconds, asked in ((0, 1), (119, 1), (2, 2)):
        await clock.advance(seconds)
        assert await delegate.authenticate(request) == USER
        assert len(reviews.asked) == asked


@pytest.mark.parametrize(
    ("allowed", "kept"), [pytest.param(True, 300, id="allowed-five-minutes"), pytest.param(False, 30, id="denied-half-a-minute")],
)
async def test_decisions_are_kept(allowed: bool, kept: int) -> None:
    delegate, reviews, clock = made(*(["stats"] if allowed else []))
    for seconds, asked in ((0, 1), (kept - 1, 1), (2, 2)):
        await clock.advance(seconds)
        assert await delegate.authorize(USER, [READ_STATS]) is allowed
        assert len(reviews.asked) == asked
    assert reviews.asked[0]["user"] == USER.name
    assert reviews.asked[0]["resourceAttributes"] == {"verb": "get", "version": "v1", "resource": "nodes", "subresource": "stats", "name": "n1"}


async def test_one_of_several_is_enough_and_masters_are_not_asked_about() -> None:
    delegate, reviews, _ = made("proxy")
    assert await delegate.authorize(USER, [Attributes("get", "nodes", "healthz", "n1"), Attributes("get", "nodes", "proxy", "n1")])
    assert len(reviews.asked) == 2
    assert await delegate.authorize(UserInfo("root", ("system:masters",)), [READ_STATS])
    assert len(reviews.asked) == 2


async def test_a_path_is_a_non_resource() -> None:
    delegate, reviews, _ = made("/metrics")
    assert await delegate.authorize(USER, [Attributes("get", path="/metrics")])
    assert reviews.asked[0]["nonResourceAttributes"] == {"verb": "get", "path": "/metrics"}
