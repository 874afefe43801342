"""A Secret with a token, and what is known of its use → mark it, delete it, or leave it.  Pure.

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#legacy-serviceaccount-token-cleaner
Days are in UTC and compare as text (2026-11-28).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from wherry.api.types import core_v1
from wherry.controller.serviceaccounttoken.plan import account_of

LAST_USED = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
PERIOD = timedelta(days=365)  # unused for so long: invalid; invalid for so long: gone
LEAVE, MARK, DELETE = "", "mark", "delete"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def is_day(text: str) -> bool:
    """A day of the calendar."""
    try:
        return _DAY.fullmatch(text) is not None and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


def tracked_long_enough(since: str, now: datetime) -> bool:
    """Whether uses have been noted for the whole period: from the day after `since` on, as that one may have begun late."""
    return is_day(since) and now >= datetime.fromisoformat(since).replace(tzinfo=UTC) + timedelta(days=1) + PERIOD


def step(secret: core_v1.Secret, account: core_v1.ServiceAccount | None, mounted: Iterable[str], now: datetime) -> str:
    """What to do with a Secret.  Only those that the account lists were made for it unasked; what Pods mount is in use."""
    meta, limit = secret.metadata, day(now - PERIOD)
    young = (meta.creation_timestamp or "") >= (now - PERIOD).strftime("%Y-%m-%dT%H:%M:%SZ")
    if not account_of(secret)[0] or meta.deletion_timestamp is not None or young:
        return LEAVE
    used = meta.labels.get(LAST_USED)
    if used is not None and (not is_day(used) or used >= limit):
        return LEAVE
    if account is None or all(each.name != meta.name for each in account.secrets) or meta.name in mounted:
        return LEAVE
    invalid = meta.labels.get(INVALID_SINCE, "")
    if not is_day(invalid):
        return MARK
    return LEAVE if invalid >= limit else DELETE


def mounted_secrets(pods: Iterable[core_v1.Pod]) -> set[str]:
    """The Secrets that Pods read: as volumes, in the environment, or to pull images."""
    found: set[str] = set()
    for pod in pods:
        spec = pod.spec
        found.update(ref.name for ref in spec.image_pull_secrets)
        for volume in spec.volumes:
            if volume.secret is not None:
                found.add(volume.secret.secret_name)
            if volume.projected is not None:
                found.update(source.secret.name for source in volume.projected.sources if source.secret is not None)
        everyone: list[Any] = [*spec.init_containers, *spec.containers, *spec.ephemeral_containers]
        for container in everyone:
            found.update(each.secret_ref.name for each in container.env_from if each.secret_ref is not None)
            sources = (each.value_from for each in container.env)
            found.update(each.secret_key_ref.name for each in sources if each is not None and each.secret_key_ref is not None)
    return found
