"""Speaking as a service account: its token, made and renewed; the account, made when there is none."""

from __future__ import annotations

import json

import pytest

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError, not_found
from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.client import Client, InProcessTransport
from wherry.client.serviceaccount import ServiceAccountTransport
from wherry.util.clock import FakeClock, rfc3339


class Server:
    """Gives out tokens t1, t2, ...; knows the newest alone."""

    def __init__(self, clock: FakeClock, *, account: bool = True) -> None:
        self.clock, self.account, self.tokens, self.seen = clock, account, 0, []

    async def handle(self, request: Request) -> Response:
        self.seen.append((request.method, request.path, request.headers.get("authorization", ""), request.user))
        if request.path.endswith("/token"):
            if not self.account:
                return Response(404, json.dumps(not_found("", "serviceaccounts", "c").to_json()).encode())
            self.tokens += 1
            expires = rfc3339(self.clock.time() + 3600)
            return Response(201, json.dumps({"spec": {}, "status": {"token": f"t{self.tokens}", "expirationTimestamp": expires}}).encode())
        if request.path.endswith("/serviceaccounts"):
            self.account = True
            return Response(201, request.body)
        good = request.headers.get("authorization") == f"Bearer t{self.tokens}"
        return Response(200, b'{"metadata":{"name":"x"}}') if good else Response(401, b"Unauthorized", "text/plain")


def client_of(server: Server) -> Client:
    manager = Client(InProcessTransport(server.handle), UserInfo("manager"))
    return Client(ServiceAccountTransport(InProcessTransport(server.handle), manager, "kube-system", "c", server.clock))


async def test_every_request_bears_the_accounts_token_and_no_user() -> None:
    server = Server(FakeClock())
    client = client_of(server)
    for _ in range(2):
        await client.get(core_v1.Namespace, "x")
    assert [(method, path, token, user and user.name) for method, path, token, user in server.seen] == [
        ("POST", "/api/v1/namespaces/kube-system/serviceaccounts/c/token", "", "manager"),
        ("GET", "/api/v1/namespaces/x", "Bearer t1", None), ("GET", "/api/v1/namespaces/x", "Bearer t1", None),
    ]


async def test_a_token_is_renewed_before_it_expires() -> None:
    clock = FakeClock()
    server = Server(clock)
    client = client_of(server)
    for seconds, tokens in ((0, 1), (2870, 1), (20, 2)):
        await clock.advance(seconds)
        await client.get(core_v1.Namespace, "x")
        assert server.tokens == tokens


async def test_an_account_that_is_missing_is_made() -> None:
    server = Server(FakeClock(), account=False)
    await client_of(server).get(core_v1.Namespace, "x")
    assert [(method, path.rpartition("/")[2]) for method, path, *_ in server.seen] == [
        ("POST", "token"), ("POST", "serviceaccounts"), ("POST", "token"), ("GET", "x"),
    ]


async def test_a_refused_token_is_forgotten() -> None:
    server = Server(FakeClock())
    client = client_of(server)
    await client.get(core_v1.Namespace, "x")
    server.tokens += 1  # the account was made anew: the old token is good no more
    with pytest.raises(StatusError, match="Unauthorized"):
        await client.get(core_v1.Namespace, "x")
    await client.get(core_v1.Namespace, "x")
