"""What is written before a Pod is bound: the allocation, for whom it is, and then devices that must be made ready are waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wherry.api.resourceclaims import FINALIZER, Claim, is_reserved_for
from wherry.api.types import core_v1, resource_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client import Client
from wherry.util.clock import Clock, rfc3339

TRIES = 5
LOOK, PATIENCE = 1.0, 600.0  # seconds: between looks whether devices are ready, and until that is given up


class BindingFailed(Exception):
    """The Pod cannot have its claims as decided."""


async def bind_claim(
    client: Client, claim: Claim, pod: core_v1.Pod, allocation: dict[str, Any] | None, now: float
) -> Claim:
    """Write the allocation, if it is ours to write, and that the claim is reserved for the Pod.

    Each write is for the version that was looked at; a harmless change in between is looked at again.
    Raises BindingFailed, StatusError, OSError.
    """
    meta = claim.metadata
    for attempt in range(TRIES):
        if attempt:
            claim = await _newest(client, claim)
        if claim.metadata.deletion_timestamp is not None:
            raise BindingFailed(f"claim {meta.namespace}/{meta.name} got deleted in the meantime")
        if allocation is not None and claim.status.allocation is not None:
            raise BindingFailed(f"claim {meta.namespace}/{meta.name} got allocated elsewhere in the meantime")
        if is_reserved_for(pod, claim):
            return claim
        try:
            if allocation is not None and FINALIZER not in claim.metadata.finalizers:
                wanted = {**_seen(claim), "finalizers": [*claim.metadata.finalizers, FINALIZER]}
                claim = await client.patch(Claim, meta.name, {"metadata": wanted}, meta.namespace)
            return await client.patch(Claim, meta.name, _status(claim, pod, allocation, now), meta.namespace, subresource="status")
        except StatusError as error:
            if error.code != 409:
                if is_not_found(error):
                    raise BindingFailed(f"claim {meta.namespace}/{meta.name} got deleted in the meantime") from None
                raise
            last = error
    raise last


def _seen(claim: Claim) -> dict[str, Any]:
    return {"uid": claim.metadata.uid, "resourceVersion": claim.metadata.resource_version}


def _status(claim: Claim, pod: core_v1.Pod, allocation: dict[str, Any] | None, now: float) -> dict[str, Any]:
    consumer = {"resource": "pods", "name": pod.metadata.name, "uid": pod.metadata.uid}
    status: dict[str, Any] = {"reservedFor": [*msgspec.to_builtins(claim.status.reserved_for), consumer]}
    if allocation is not None:
        status["allocation"] = {**allocation, "allocationTimestamp": rfc3339(now)}
    return {"metadata": _seen(claim), "status": status}


async def _newest(client: Client, claim: Claim) -> Claim:
    try:
        found = await client.get(Claim, claim.metadata.name, claim.metadata.namespace)
    except StatusError as error:
        if is_not_found(error):
            raise BindingFailed(f"claim {claim.metadata.namespace}/{claim.metadata.name} got deleted in the meantime") from None
        raise
    if found.metadata.uid != claim.metadata.uid:
        raise BindingFailed(f"claim {claim.metadata.namespace}/{claim.metadata.name} got deleted in the meantime")
    return found


async def deallocate(client: Client, claim: Claim) -> None:
    """Take its devices from a claim that nobody uses."""
    body = {"metadata": _seen(claim), "status": {"allocation": None, "reservedFor": None, "devices": None}}
    await client.patch(Claim, claim.metadata.name, body, claim.metadata.namespace, subresource="status")


async def discard(client: Client, claim: Claim) -> None:
    """Delete a claim that nobody but the scheduler knows of, and what keeps it."""
    meta = claim.metadata
    try:
        if claim.status.allocation is not None or claim.status.reserved_for:
            await deallocate(client, claim)
        await client.patch(Claim, meta.name, {"metadata": {"uid": meta.uid, "finalizers": None}}, meta.namespace)
        await client.delete(Claim, meta.name, meta.namespace, uid=meta.uid)
    except StatusError as error:
        if not is_not_found(error):
            raise


# --- devices that must be made ready -------------------------------------------------------------


def has_binding_conditions(claim: Claim) -> bool:
    allocation = claim.status.allocation
    return allocation is not None and any(each.binding_conditions for each in allocation.devices.results)


def readiness(claim: Claim) -> tuple[bool, str]:
    """Whether all of a claim's devices are ready, and, if one never will be, why."""
    allocation = claim.status.allocation
    if allocation is None:
        return False, ""
    for result in allocation.devices.results:
        if not result.binding_conditions:
            continue
        told = _conditions(claim, result)
        for name in result.binding_failure_conditions:
            condition = told.get(name)
            if condition is not None and condition.status == "True":
                reason = f'reason={condition.reason}, message="{condition.message}"'
                return False, f"claim {claim.metadata.name} binding failed: {reason}"
        if any(name not in told or told[name].status != "True" for name in result.binding_conditions):
            return False, ""
    return True, ""


def _conditions(claim: Claim, result: resource_v1.DeviceRequestAllocationResult) -> dict[str, Any]:
    for device in claim.status.devices:
        if (device.driver, device.pool, device.device, device.share_id) == (result.driver, result.pool, result.device, result.share_id):
            return {condition.type: condition for condition in device.conditions}
    return {}


async def until_ready(claims: Callable[[], list[Claim | None]], clock: Clock, since: float) -> str:
    """Wait for the devices of all claims; why they will not be ready, or ""."""
    while True:
        ready = True
        for claim in claims():
            if claim is None:
                return "a claim got deleted in the meantime"
            done, failed = readiness(claim)
            if failed:
                return failed
            ready = ready and done
        if ready:
            return ""
        if clock.monotonic() - since >= PATIENCE:
            return "device binding timeout"
        await clock.sleep(LOOK)
