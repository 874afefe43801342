"""pods/eviction: delete a Pod if its PodDisruptionBudget allows (policy/v1 Eviction)."""

from __future__ import annotations

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
from wherry.apiserver.registry.deletion import DeleteOptions
from wherry.apiserver.registry.store import Store
from wherry.util.clock import rfc3339


class Eviction:
    """Answers 429 while the budget is spent."""

    def __init__(self, reader: Reader, budgets: Store) -> None:
        self._reader = reader
        self._budgets = budgets

    async def __call__(self, call: Call, store: Store) -> Response:
        set_write_options(call)
        body = decode_other(call, "Eviction", "policy/v1", "io.k8s.api.policy.v1.Eviction")
        name = (body.get("metadata") or {}).get("name") or call.info.name
        if name != call.info.name:
            raise errors.bad_request("name in URL does not match name in Eviction object")
        pod = decode_json(store.require(call.info.namespace, name).value)
        if not _terminal(pod):
            budgets = self._matching(pod)
            if len(budgets) > 1:
                why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
                raise errors.internal_error(why)
            if budgets and not self._free(pod, budgets[0]):
                await self._take(call, budgets[0], pod)
        await store.delete(call, call.info.namespace, name, DeleteOptions.parse(body.get("deleteOptions") or {}))
        return Response(201, encode(SUCCESS))

    def _matching(self, pod: Object) -> list[Object]:
        found = []
        labels = pod["metadata"].get("labels") or {}
        for cached in self._reader.cached_list("policy", "poddisruptionbudgets", pod["metadata"]["namespace"]):
            budget = decode_json(cached.value)
            selector = budget["spec"].get("selector")
            if selector is not None and from_label_selector(selector).matches(labels):
                found.append(budget)
        return found

    @staticmethod
    def _free(pod: Object, budget: Object) -> bool:
        """An unready Pod may go when the policy says so, or when enough others are healthy."""
        status = budget.get("status", {})
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))
        if ready:
            return False
        if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
            return True
        healthy, wanted = int(status.get("currentHealthy", 0)), int(status.get("desiredHealthy", 0))
        return healthy >= wanted > 0

    async def _take(self, call: Call, budget: Object, pod: Object) -> None:
        """Spend one allowed disruption, or raise 429."""
        name = budget["metadata"]["name"]

        def transform(old: Object | None) -> Object:
            assert old is not None
            status = old.setdefault("status", {})
            if status.get("observedGeneration", 0) < old["metadata"].get("generation", 0):
                raise _blocked(f"The disruption budget {name} is still being processed by the server.")
            if status.get("disruptionsAllowed", 0) <= 0:
                needs, has = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
                cause = f"The disruption budget {name} needs {needs} healthy pods and has {has} currently"
                raise _blocked("Cannot evict pod as it would violate the pod's disruption budget.", cause)
            status["disruptionsAllowed"] -= 1
            status.setdefault("disruptedPods", {})[pod["metadata"]["name"]] = rfc3339(call.now)
            return old

        await self._budgets.update(call, pod["metadata"]["namespace"], name, transform, trusted=True)


def _blocked(message: str, cause: str = "") -> StatusError:
    error = errors.too_many_requests(message, 0)
    error.details = {"causes": [Cause("DisruptionBudget", cause or message).to_json()]}
    return error


def _terminal(pod: Object) -> bool:
    phase = pod.get("status", {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))
