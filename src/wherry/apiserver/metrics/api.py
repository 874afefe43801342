"""metrics.k8s.io/v1beta1: what `kubectl top` asks.  In upstream's clusters the metrics server stands here.

Nodes and Pods are chosen from the watch cache; their figures are the kubelets'.
"""

from __future__ import annotations

from wherry.api.table.metrics import GROUP
from wherry.apimachinery import errors
from wherry.apimachinery.http import Response
from wherry.apiserver.call import Call
from wherry.apiserver.endpoints.made import made_answer
from wherry.apiserver.endpoints.options import parse_list
from wherry.apiserver.endpoints.selection import Selection
from wherry.apiserver.metrics.measure import Pod, node_metrics, pod_metrics
from wherry.apiserver.metrics.summaries import Summaries
from wherry.storage.cached import CachedObject
from wherry.storage.cacher import Cacher
from wherry.util.clock import Clock, rfc3339


class NodeMetrics:
    """`nodes`."""

    def __init__(self, nodes: Cacher, summaries: Summaries, clock: Clock) -> None:
        self._nodes, self._summaries, self._clock = nodes, summaries, clock

    async def __call__(self, call: Call) -> Response:
        if call.info.namespace:
            raise errors.page_not_found()
        chosen = _chosen(call, self._nodes)
        if call.info.verb == "get" and not chosen:
            raise errors.not_found("", "nodes", call.info.name)
        summaries = await self._summaries.of(each.name for each in chosen)
        now = rfc3339(call.now)
        made = [(each, node_metrics(summaries[each.name], each.labels, now)) for each in chosen if each.name in summaries]
        return made_answer(call, f"{GROUP}/nodemetrics", made, self._clock)


class PodMetrics:
    """`pods`: those that run."""

    def __init__(self, pods: Cacher, summaries: Summaries, clock: Clock) -> None:
        self._pods, self._summaries, self._clock = pods, summaries, clock

    async def __call__(self, call: Call) -> Response:
        info = call.info
        if info.verb == "get" and not info.namespace:
            raise errors.page_not_found()
        chosen = [each for each in _chosen(call, self._pods) if each.fields.get("status.phase") == "Running"]
        if info.verb == "get" and not chosen:
            raise errors.not_found("", "pods", f"{info.namespace}/{info.name}")
        summaries = await self._summaries.of({each.fields["spec.nodeName"] for each in chosen})
        known: dict[tuple[str, str], Pod] = {
            (pod.pod_ref.namespace, pod.pod_ref.name): pod for summary in summaries.values() for pod in summary.pods
        }
        now = rfc3339(call.now)
        made = []
        for each in chosen:
            pod = known.get((each.namespace, each.name))
            made.append((each, None if pod is None else pod_metrics(pod, each.labels, now)))
        return made_answer(call, f"{GROUP}/podmetrics", made, self._clock)


def _chosen(call: Call, cacher: Cacher) -> list[CachedObject]:
    """The objects that a get or list is about.  Raises StatusError 404, 405 or 400."""
    info = call.info
    if info.subresource:
        raise errors.page_not_found()
    if info.verb not in ("get", "list"):
        raise errors.method_not_allowed()
    if info.verb == "get":
        found = cacher.get(info.namespace, info.name)
        return [] if found is None else [found]
    options = parse_list(call.request, call.codec, watch=False)
    selection = Selection(info.namespace, "", options.labels, options.fields)
    return [each for each in cacher.list(info.namespace, options.labels) if selection.matches(each)]
