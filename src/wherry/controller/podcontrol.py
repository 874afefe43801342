"""Creating and deleting the Pods of a workload, with the events that tell of it.

Creation starts slowly: one Pod, then two, then four, so that a quota that forbids all of them is
hit by one request and not by five hundred (upstream's `slowStartBatch`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec

from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.client import Client
from wherry.client.recorder import EventRecorder
from wherry.controller.ownership import controller_ref
from wherry.util.clock import rfc3339

T = TypeVar("T")
NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
AT_ONCE = 64  # requests in flight of one batch


def pod_from_template(template: core_v1.PodTemplateSpec, owner: Any) -> core_v1.Pod:
    """A Pod as the owner's template tells; the server completes the generated name."""
    prefix = f"{owner.metadata.name}-"
    meta = meta_v1.ObjectMeta(
        generate_name=prefix, namespace=owner.metadata.namespace, labels=dict(template.metadata.labels),
        annotations=dict(template.metadata.annotations), finalizers=list(template.metadata.finalizers),
        owner_references=[controller_ref(owner)],
    )
    return core_v1.Pod(metadata=meta, spec=template.spec)


def random_suffix(rng: random.Random | None = None, length: int = 5) -> str:
    """What upstream puts behind generated names."""
    return "".join((rng or random).choices(NAME_ALPHABET, k=length))


def is_namespace_terminating(error: StatusError) -> bool:
    causes = (error.details or {}).get("causes") or ()
    return error.code == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


class PodControl:
    """Creates and deletes Pods, and says so on the owner."""

    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client, self._recorder = client, recorder

    async def create(self, pod: core_v1.Pod, owner: Any) -> core_v1.Pod:
        """Raises StatusError; a refusal is told as an event, unless the namespace is going away."""
        try:
            made = await self._client.create(pod)
        except StatusError as error:
            if not is_namespace_terminating(error):
                self._recorder.warning(owner, "FailedCreate", f"Error creating: {error.message}")
            raise
        self._recorder.normal(owner, "SuccessfulCreate", f"Created pod: {made.metadata.name}")
        return made

    async def delete(self, pod: core_v1.Pod, owner: Any) -> None:
        """A Pod that is gone already is as good."""
        meta = pod.metadata
        try:
            await self._client.delete(core_v1.Pod, meta.name, meta.namespace, uid=meta.uid)
        except StatusError as error:
            if is_not_found(error):
                raise
            self._recorder.warning(owner, "FailedDelete", f"Error deleting: {error.message}")
            raise
        self._recorder.normal(owner, "SuccessfulDelete", f"Deleted pod: {meta.name}")

    async def remove_finalizer(self, pod: core_v1.Pod, finalizer: str) -> None:
        """Take one finalizer off exactly this Pod; gone is as good."""
        meta = pod.metadata
        body = {"metadata": {"uid": meta.uid, "$deleteFromPrimitiveList/finalizers": [finalizer]}}
        try:
            await self._client.patch(core_v1.Pod, meta.name, body, meta.namespace, patch_type="strategic")
        except StatusError as error:
            if not is_not_found(error):
                raise


async def slow_start(count: int, initial: int, act: Callable[[], Awaitable[Any]]) -> tuple[int, Exception | None]:
    """Call `act` `count` times in batches that double while none fails: how many succeeded, and the first failure."""
    succeeded, batch = 0, min(initial, count)
    while batch > 0:
        failure = first_failure(await gather_bounded([act] * batch))
        results_failed = failure[1]
        succeeded += batch - results_failed
        if failure[0] is not None:
            return succeeded, failure[0]
        count -= batch
        batch = min(2 * batch, count)
    return succeeded, None


def first_failure(results: Sequence[Any]) -> tuple[Exception | None, int]:
    """The first exception among `results`, and how many there are."""
    failures = [result for result in results if isinstance(result, Exception)]
    return (failures[0] if failures else None), len(failures)


async def gather_bounded(acts: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Run all, AT_ONCE at a time; results and exceptions in order."""
    results: list[Any] = []
    for start in range(0, len(acts), AT_ONCE):
        some = [act() for act in acts[start:start + AT_ONCE]]
        results += await asyncio.gather(*some, return_exceptions=True)
    return results


def status_patch(uid: str, status: dict[str, Any], old: Any, keep: frozenset[str] = frozenset()) -> dict[str, Any] | None:
    """A merge patch that makes `old` (a status struct) read as `status`; None when it does.

    Zero and empty values are left out of a status, as upstream's `omitempty` does, but for those in `keep`.
    """
    kind: Any = type(old)
    before = {key: msgspec.to_builtins(getattr(old, name)) for name, key in _names(kind)}
    wanted = {key: value for key, value in status.items() if key in keep or value not in _EMPTY}
    changed = {key: value for key, value in wanted.items() if before.get(key) != value}
    changed |= {key: None for key in status if key not in wanted and before.get(key) not in _EMPTY}
    return {"metadata": {"uid": uid}, "status": changed} if changed else None


@cache
def _names(kind: Any) -> list[tuple[str, str]]:
    """A struct's fields: their names in Python and in JSON."""
    return [(field.name, field.encode_name) for field in msgspec.structs.fields(kind)]


def with_status(old: T, status: dict[str, Any]) -> T:
    """`old` (a status struct) with what `status` says: equal to `old` when there is nothing to write."""
    return msgspec.convert(msgspec.to_builtins(old) | status, type(old))


_EMPTY: tuple[Any, ...] = (None, 0, "", [], {})


async def disrupt(client: Client, pod: core_v1.Pod, reason: str, message: str, now: float) -> None:
    """Delete a Pod that can stay no longer, its condition DisruptionTarget telling why.  One that is gone is no error."""
    meta = pod.metadata
    condition = {
        "type": "DisruptionTarget", "status": "True", "reason": reason, "message": message, "lastTransitionTime": rfc3339(now),
    }
    body = {"metadata": {"uid": meta.uid}, "status": {"conditions": [condition]}}
    try:
        await client.patch(core_v1.Pod, meta.name, body, meta.namespace, subresource="status", patch_type="strategic")
        await client.delete(core_v1.Pod, meta.name, meta.namespace, uid=meta.uid)
    except StatusError as error:
        if not is_not_found(error):
            raise
