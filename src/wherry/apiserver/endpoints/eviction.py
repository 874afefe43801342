"""pods/eviction: delete a Pod if its PodDisruptionBudget allows (policy/v1 and v1beta1 Eviction).

An eviction spends one of the budget's `disruptionsAllowed` by compare-and-swap before the Pod goes, so that two at
once never spend the same one; the disruption controller counts anew.
https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.errors import Cause, StatusError
from wherry.apimachinery.http import Response
from wherry.apimachinery.labels import from_label_selector
from wherry.apiserver.admission.interface import Reader
from wherry.apiserver.call import Call
from wherry.apiserver.codec import decode_json, encode
from wherry.apiserver.endpoints.options import set_write_options
from wherry.apiserver.endpoints.subresources import SUCCESS, decode_other
from wherry.apiserver.registry.deletion import DeleteOptions, check_preconditions
from wherry.apiserver.registry.store import Store
from wherry.storage.cached import CachedObject
from wherry.util.clock import rfc3339

VERSIONS = ("policy/v1", "policy/v1beta1")
MAX_DISRUPTED_PODS = 2000  # evictions that the disruption controller has not seen yet
RETRY_AFTER = 10  # seconds
ATTEMPTS = 20
VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget."
SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


class Eviction:
    """Answers 429 while the budget is spent."""

    def __init__(self, reader: Reader, budgets: Store) -> None:
        self._reader = reader
        self._budgets = budgets

    async def __call__(self, call: Call, store: Store) -> Response:
        set_write_options(call)
        options = self._options(call)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._evict(call, store, options)
                break
            except StatusError as error:
                # A Pod that changed in between may have become ready: its budget has a say then.
                if error.code != 409 or options.resource_version or options.uid or attempt == ATTEMPTS:
                    raise
        return Response(201, encode(SUCCESS))

    def _options(self, call: Call) -> DeleteOptions:
        """What the Eviction says; a dry run in it is the request's.  Raises StatusError."""
        body = _decode(call)
        if (body.get("metadata") or {}).get("name") != call.info.name:
            raise errors.bad_request("name in URL does not match name in Eviction object")
        given = body.get("deleteOptions") or {}
        dry = given.get("dryRun")
        if dry and dry != ["All"]:
            raise errors.bad_request(f"Non-matching dry-run options in request and content: [All] and [{' '.join(dry)}]")
        call.dry_run = call.dry_run or bool(dry)
        return DeleteOptions.parse(given)

    async def _evict(self, call: Call, store: Store, options: DeleteOptions) -> None:
        name = call.info.name
        cached = store.require(call.info.namespace, name)
        pod = decode_json(cached.value)
        if _ended(pod):
            await self._delete(call, store, options)
        elif pod.get("status", {}).get("phase") == "Pending":
            await self._delete(call, store, _as_seen(options, cached))
        else:
            budgets = self._matching(pod)
            if len(budgets) > 1:
                raise StatusError(500, "", SEVERAL)
            if not budgets:
                await self._delete(call, store, options)
            elif _may_go_unready(pod, budgets[0]):
                await self._delete_unready(call, store, options, cached, budgets[0]["metadata"]["name"])
            else:
                check_preconditions(store.resource, pod, cached.revision, options)
                await self._take(call, budgets[0], pod)
                await self._delete(call, store, options)

    def _matching(self, pod: Object) -> list[Object]:
        found = []
        labels = pod["metadata"].get("labels") or {}
        for cached in self._reader.cached_list("policy", "poddisruptionbudgets", pod["metadata"]["namespace"]):
            budget = decode_json(cached.value)
            if from_label_selector(budget["spec"].get("selector")).matches(labels):
                found.append(budget)
        return found

    async def _take(self, call: Call, budget: Object, pod: Object) -> None:
        """Spend one allowed disruption, or raise 429."""

        def transform(old: Object | None) -> Object:
            assert old is not None
            return _spend(old, pod["metadata"]["name"], call.now)

        await self._budgets.update(call, pod["metadata"]["namespace"], budget["metadata"]["name"], transform, trusted=True)

    async def _delete_unready(self, call: Call, store: Store, options: DeleteOptions, cached: CachedObject, budget: str) -> None:
        """Delete a Pod that does not count, if it still does not."""
        try:
            await self._delete(call, store, _as_seen(options, cached))
        except StatusError as error:
            if error.code == 409 and not options.resource_version:
                raise _being_processed(budget) from error
            raise

    async def _delete(self, call: Call, store: Store, options: DeleteOptions) -> None:
        """Say on the Pod why it goes, then delete it."""
        namespace, name = call.info.namespace, call.info.name

        def transform(old: Object | None) -> Object:
            assert old is not None
            check_preconditions(store.resource, old, int(old["metadata"]["resourceVersion"]), options)
            _set_disrupted(old, call.now)
            return old

        if not call.dry_run:
            written = await store.update(call, namespace, name, transform, trusted=True)
            if options.resource_version:
                options = replace(options, resource_version=str(written.revision))
        await store.delete(call, namespace, name, options)


def _decode(call: Call) -> Object:
    """The body in either version.  Raises StatusError."""
    try:
        return decode_other(call, "Eviction", VERSIONS[0], "io.k8s.api.policy.v1.Eviction")
    except StatusError as error:
        if error.code != 400 or VERSIONS[1].encode() not in call.request.body:
            raise
        return decode_other(call, "Eviction", VERSIONS[1], "io.k8s.api.policy.v1.Eviction")


def _as_seen(options: DeleteOptions, cached: CachedObject) -> DeleteOptions:
    return options if options.resource_version else replace(options, resource_version=str(cached.revision))


def _ended(pod: Object) -> bool:
    """Ended, or going already: the disruption has happened."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed") or bool(pod["metadata"].get("deletionTimestamp"))


def _may_go_unready(pod: Object, budget: Object) -> bool:
    """An unready Pod may go when the policy says so, or when enough others are healthy."""
    status = budget.get("status", {})
    if any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions") or ()):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    healthy, wanted = int(status.get("currentHealthy", 0)), int(status.get("desiredHealthy", 0))
    return healthy >= wanted > 0


def _spend(budget: Object, pod: str, now: float) -> Object:
    """One disruption less.  Raises StatusError 429 or 403."""
    status, meta = budget.setdefault("status", {}), budget["metadata"]
    name = meta["name"]
    if status.get("observedGeneration", 0) < meta.get("generation", 0):
        raise _being_processed(name)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise errors.forbidden("policy", "poddisruptionbudget", name, "pdb disruptions allowed is negative")
    disrupted = status.get("disruptedPods") or {}
    if len(disrupted) > MAX_DISRUPTED_PODS:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden("policy", "poddisruptionbudget", name, why)
    if allowed == 0:
        raise _blocked(f"The disruption budget {name} {_why_none(status)}")
    status["disruptionsAllowed"] = allowed - 1
    status["disruptedPods"] = {**disrupted, pod: rfc3339(now)}
    if allowed == 1:
        _set_condition(
            status, {"type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": ""}, now,
            observedGeneration=status.get("observedGeneration"),
        )
    return budget


def _why_none(status: dict[str, Any]) -> str:
    """Why a budget allows nothing.  Its numbers say so only if they could be counted."""
    needs, has = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
    told: dict[str, Any] = next((each for each in status.get("conditions") or () if each["type"] == "DisruptionAllowed"), {})
    message = told.get("message") if told.get("status") == "False" else ""
    if message and told.get("reason") == "SyncFailed":
        return f"does not allow evicting pods currently because it failed sync: {message}"
    if has <= needs:
        return f"needs {needs} healthy pods and has {has} currently"
    return "does not allow evicting pods currently" + (f" ({told.get('reason')}): {message}" if message else "")


def _set_disrupted(pod: Object, now: float) -> None:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}
    _set_condition(pod.setdefault("status", {}), condition, now, lastProbeTime=None, observedGeneration=pod["metadata"].get("generation"))


def _set_condition(status: dict[str, Any], condition: dict[str, Any], now: float, **more: Any) -> None:
    """Add or replace; the time stays while the status of the condition does."""
    conditions = status.get("conditions") or []
    old = next((c for c in conditions if c["type"] == condition["type"]), None)
    same = old is not None and old["status"] == condition["status"]
    new = {**condition, **more, "lastTransitionTime": old["lastTransitionTime"] if same and old else rfc3339(now)}
    status["conditions"] = [*conditions, new] if old is None else [new if each is old else each for each in conditions]


def _being_processed(budget: str) -> StatusError:
    return _blocked(f"The disruption budget {budget} is still being processed by the server.", RETRY_AFTER)


def _blocked(cause: str, retry_after: int = 0) -> StatusError:
    error = errors.too_many_requests(VIOLATED, retry_after)
    details: dict[str, Any] = {"retryAfterSeconds": retry_after} if retry_after else {}
    error.details = details | {"causes": [Cause("DisruptionBudget", cause).to_json()]}
    return error
