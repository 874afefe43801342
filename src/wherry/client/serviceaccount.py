"""Speaking as a service account: with tokens from TokenRequest, asked for anew in good time.

kube-controller-manager gives each of its controllers such a client (`--use-service-account-credentials`), so
that each has the rights of its own role and no more.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from wherry.api.types import authentication_v1, core_v1, meta_v1
from wherry.apimachinery.errors import StatusError, is_already_exists, is_not_found
from wherry.apimachinery.http import Request, Response, Transport
from wherry.client.client import Client
from wherry.util.clock import Clock, parse_rfc3339

SECONDS = 3600
RENEW_AT = 0.8  # of a token's life


class ServiceAccountTransport:
    """Sends over `transport`, which must show no certificate, as the account `name`; `client` may ask for its tokens."""

    def __init__(self, transport: Transport, client: Client, namespace: str, name: str, clock: Clock) -> None:
        self._transport, self._client, self._clock = transport, client, clock
        self._namespace, self._name = namespace, name
        self._token, self._renew_at = "", 0.0
        self._asking = asyncio.Lock()

    async def send(self, request: Request) -> Response:
        """Raises StatusError when no token is given, OSError."""
        token = await self._current()
        headers = {**request.headers, "authorization": f"Bearer {token}"}
        response = await self._transport.send(replace(request, headers=headers, user=None))
        if response.status == 401 and token == self._token:
            self._token = ""  # say, the account was made anew: whoever tries again asks for another
        return response

    async def _current(self) -> str:
        async with self._asking:
            if not self._token or self._clock.time() >= self._renew_at:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        try:
            answer = await self._request()
        except StatusError as error:
            if not is_not_found(error):
                raise
            await self._make_account()
            answer = await self._request()
        now = self._clock.time()
        told = answer.status.expiration_timestamp
        expires = parse_rfc3339(told) if told else now + SECONDS
        self._token, self._renew_at = answer.status.token, now + (expires - now) * RENEW_AT

    async def _request(self) -> authentication_v1.TokenRequest:
        asked = authentication_v1.TokenRequest(
            metadata=meta_v1.ObjectMeta(), spec=authentication_v1.TokenRequestSpec(audiences=[], expiration_seconds=SECONDS),
        )
        return await self._client.create(asked, namespace=self._namespace, subresource="token", name=self._name)

    async def _make_account(self) -> None:
        try:
            await self._client.create(core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name=self._name, namespace=self._namespace)))
        except StatusError as error:
            if not is_already_exists(error):
                raise

    async def close(self) -> None:
        """The transport is shared: whoever made it closes it."""
