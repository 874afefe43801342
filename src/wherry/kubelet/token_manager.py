"""Tokens of ServiceAccounts for Pods: asked for through TokenRequest, kept, and asked for anew in good time.

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from wherry.api.types import authentication_v1, core_v1, meta_v1
from wherry.apimachinery.errors import StatusError
from wherry.client import Client
from wherry.kubelet.volumes.plugin import VolumeError
from wherry.util.clock import Clock, parse_rfc3339

_ROTATE_AT = 0.8  # of its life
_MAX_AGE = 24 * 3600.0
_DEFAULT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class _Token:
    token: str
    asked_at: float  # wall seconds, as are the others
    refresh_at: float
    expires_at: float


class TokenManager:
    """One a kubelet."""

    def __init__(self, client: Client, clock: Clock, rng: random.Random | None = None) -> None:
        self._client, self._clock, self._rng = client, clock, rng or random.Random()
        self._tokens: dict[str, dict[tuple[str, int], _Token]] = {}  # uid -> (audience, seconds) -> token

    async def get(self, pod: core_v1.Pod, source: core_v1.ServiceAccountTokenProjection) -> str:
        """A token that is good for a while.  Raises VolumeError when the API gives none and none is held."""
        seconds = source.expiration_seconds or _DEFAULT_SECONDS
        key = (source.audience, seconds)
        mine = self._tokens.setdefault(pod.metadata.uid, {})
        held = mine.get(key)
        now = self._clock.time()
        # Where the clock was set back behind its beginning, a token is not good yet.
        if held is not None and held.asked_at <= now < held.refresh_at:
            return held.token
        try:
            made = await self._request(pod, source.audience, seconds)
        except (StatusError, OSError) as error:
            if held is not None and now < held.expires_at:
                return held.token
            raise VolumeError(f"failed to fetch token: {error}") from error
        mine[key] = made
        return made.token

    async def _request(self, pod: core_v1.Pod, audience: str, seconds: int) -> _Token:
        account = pod.spec.service_account_name or "default"
        bound = authentication_v1.BoundObjectReference(api_version="v1", kind="Pod", name=pod.metadata.name, uid=pod.metadata.uid)
        request = authentication_v1.TokenRequest(
            metadata=meta_v1.ObjectMeta(),
            spec=authentication_v1.TokenRequestSpec(
                audiences=[audience] if audience else [], expiration_seconds=seconds, bound_object_ref=bound,
            ),
        )
        answer = await self._client.create(request, namespace=pod.metadata.namespace, subresource="token", name=account)
        now = self._clock.time()
        expires = parse_rfc3339(answer.status.expiration_timestamp) if answer.status.expiration_timestamp else now + seconds
        # A little spread, so that the tokens of Pods that started together are not renewed together.
        life = min((expires - now) * _ROTATE_AT, _MAX_AGE) - self._rng.uniform(0, min(10.0, (expires - now) / 100))
        return _Token(answer.status.token, now, now + life, expires)

    def refresh_at(self, uid: str) -> float | None:
        """When a Pod's next token should be fetched (wall seconds)."""
        return min((token.refresh_at for token in self._tokens.get(uid, {}).values()), default=None)

    def forget(self, uid: str) -> None:
        self._tokens.pop(uid, None)
