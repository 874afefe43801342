"""Extenders: servers of others, asked over HTTP to filter, score, preempt or bind.  What a configuration says of one, and how it is asked.

https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/#Extender
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from wherry.api.types import core_v1
from wherry.apimachinery.duration import parse_duration
from wherry.apimachinery.http import Request
from wherry.client.codec import encode
from wherry.client.transport import HTTPSTransport, TLSConfig
from wherry.scheduler.framework import MAX_NODE_SCORE, PluginError, Refusal
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.preemption import Candidate, importance

log = logging.getLogger(__name__)
NAME = "Extender"  # who refused, to the queue and to `wherry why`
MAX_SCORE, TIMEOUT = 10, 5.0


class Ask(Protocol):
    """Gives the decoded answer to what is asked by a verb.  Raises ExtenderError."""

    async def __call__(self, verb: str, body: dict[str, Any]) -> Any: ...

    async def close(self) -> None: ...


class ExtenderError(PluginError):
    """It could not be asked, or does not know what to say."""


class ManagedResource(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    name: str
    ignored_by_scheduler: bool = False

    def __post_init__(self) -> None:
        if "/" not in self.name or self.name.partition("/")[0].endswith("kubernetes.io"):
            raise ValueError(f"managedResources: {self.name} is an invalid extended resource name")


class ExtenderTLS(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    insecure: bool = False
    server_name: str = ""
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    ca_data: bytes = b""


class ExtenderSpec(msgspec.Struct, forbid_unknown_fields=True, rename="camel", frozen=True):
    """As a configuration has it."""

    url_prefix: str
    filter_verb: str = ""
    preempt_verb: str = ""
    prioritize_verb: str = ""
    weight: int = 0
    bind_verb: str = ""
    enable_https: bool = msgspec.field(default=False, name="enableHTTPS")
    tls_config: ExtenderTLS = msgspec.field(default_factory=ExtenderTLS)
    http_timeout: str = ""
    node_cache_capable: bool = False
    managed_resources: list[ManagedResource] = []
    ignorable: bool = False

    def __post_init__(self) -> None:
        if not self.url_prefix.startswith(("http://", "https://")):
            raise ValueError("urlPrefix: begins with http:// or https://")
        if self.prioritize_verb and self.weight <= 0:
            raise ValueError("weight: must have a positive weight applied to it")
        if self.http_timeout:
            try:
                negative = parse_duration(self.http_timeout) < 0
            except ValueError as error:
                raise ValueError(f"httpTimeout: {error}") from None
            if negative:
                raise ValueError(f"httpTimeout: invalid duration {self.http_timeout!r}")

    @property
    def timeout(self) -> float:
        return float(parse_duration(self.http_timeout or "0")) or TIMEOUT

    def dial(self) -> Ask:
        """The way to it: nothing is sent yet."""
        tls = self.tls_config
        trusted = TLSConfig(
            tls.ca_data.decode(), tls.ca_file, tls.cert_file, tls.key_file, tls.server_name,
            insecure=tls.insecure or (self.enable_https and not (tls.ca_file or tls.ca_data)),
        )
        return Line(self.url_prefix.rstrip("/"), HTTPSTransport(self.url_prefix, trusted, timeout=self.timeout))


class Line:
    """The way to one, over HTTP."""

    def __init__(self, url: str, transport: HTTPSTransport) -> None:
        self._url, self._transport = url, transport

    async def __call__(self, verb: str, body: dict[str, Any]) -> Any:
        headers = {"content-type": "application/json", "accept": "application/json"}
        try:
            answer = await self._transport.send(Request("POST", f"/{verb}", [], headers, msgspec.json.encode(body)))
            if answer.status != 200:
                raise ExtenderError(f"failed {verb} with extender at URL {self._url}/{verb}, code {answer.status}")
            return msgspec.json.decode(answer.body)
        except (OSError, msgspec.DecodeError) as error:
            raise ExtenderError(str(error)) from None

    async def close(self) -> None:
        await self._transport.close()


@dataclass(frozen=True, slots=True)
class Filtered:
    """The nodes that are left, and what the extender said of others."""

    nodes: tuple[str, ...]
    refused: Mapping[str, Refusal] = field(default_factory=dict)


class Extender:
    """One of the configuration's."""

    def __init__(self, spec: ExtenderSpec, ask: Ask | None = None) -> None:
        self.spec, self._ask = spec, ask or spec.dial()

    async def close(self) -> None:
        await self._ask.close()

    def ignore(self, error: ExtenderError) -> None:
        """Go on without it, if that is allowed; else raise the error."""
        if not self.spec.ignorable:
            raise error
        log.warning("skipping extender %s as it returned error and has ignorable flag set: %s", self.spec.url_prefix, error)

    def interested(self, pod: core_v1.Pod) -> bool:
        return concerns(self.spec, pod)

    def _args(self, pod: core_v1.Pod, nodes: Mapping[str, core_v1.Node]) -> dict[str, Any]:
        asked: dict[str, Any] = {"pod": _raw(pod)}
        if self.spec.node_cache_capable:
            return {**asked, "nodenames": list(nodes)}
        items = [_raw(each) for each in nodes.values()]
        return {**asked, "nodes": {"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": items}}

    async def filter(self, pod: core_v1.Pod, nodes: Mapping[str, core_v1.Node]) -> Filtered:
        """Raises ExtenderError."""
        if not self.spec.filter_verb:
            return Filtered(tuple(nodes))
        result = _fields(await self._ask(self.spec.filter_verb, self._args(pod, nodes)))
        if result.get("error"):
            raise ExtenderError(str(result["error"]))
        names: list[str] = []
        if self.spec.node_cache_capable and result.get("nodenames") is not None:
            names = list(result["nodenames"])
        elif result.get("nodes") is not None:
            names = [each["metadata"]["name"] for each in _fields(result["nodes"]).get("items") or ()]
        for name in names:
            if name not in nodes:
                url = self.spec.url_prefix
                raise ExtenderError(f'extender "{url}" claims a filtered node "{name}" which is not found in the input node list')
        refused = {name: Refusal(why, resolvable=True) for name, why in (result.get("failednodes") or {}).items()}
        refused |= {name: Refusal(why) for name, why in (result.get("failedandunresolvablenodes") or {}).items()}
        return Filtered(tuple(names), refused)

    async def prioritize(self, pod: core_v1.Pod, nodes: Mapping[str, core_v1.Node]) -> dict[str, int]:
        """Weighted scores, on the scale of plugins.  Raises ExtenderError."""
        if not self.spec.prioritize_verb:
            return {}
        result = await self._ask(self.spec.prioritize_verb, self._args(pod, nodes))
        scores = [_fields(each) for each in result or ()]
        return {each["host"]: each["score"] * self.spec.weight * MAX_NODE_SCORE // MAX_SCORE for each in scores}

    @property
    def binds(self) -> bool:
        return bool(self.spec.bind_verb)

    async def bind(self, pod: core_v1.Pod, node: str) -> None:
        """Raises ExtenderError."""
        meta = pod.metadata
        asked = {"podName": meta.name, "podNamespace": meta.namespace, "podUID": meta.uid, "node": node}
        result = _fields(await self._ask(self.spec.bind_verb, asked))
        if result.get("error"):
            raise ExtenderError(str(result["error"]))

    async def process_preemption(
        self, pod: core_v1.Pod, candidates: Sequence[Candidate], nodes: Mapping[str, NodeInfo]
    ) -> list[Candidate]:
        """Which candidates are left, with which victims: any Pods of the node.  Raises ExtenderError."""
        if self.spec.node_cache_capable:
            victims: dict[str, Any] = {"nodeNameToMetaVictims": {each.node: {
                "pods": [{"uid": pod.metadata.uid} for pod in each.victims], "numPDBViolations": each.violations,
            } for each in candidates}}
        else:
            victims = {"nodeNameToVictims": {each.node: {
                "pods": [_raw(pod) for pod in each.victims], "numPDBViolations": each.violations,
            } for each in candidates}}
        result = _fields(await self._ask(self.spec.preempt_verb, {"pod": _raw(pod), **victims}))
        return list(self._left(result.get("nodenametometavictims") or {}, nodes))

    def _left(self, told: Mapping[str, Any], nodes: Mapping[str, NodeInfo]) -> Iterator[Candidate]:
        for node, raw in told.items():
            if node not in nodes:
                raise ExtenderError(f'extender: {self.spec.url_prefix} claims to preempt on node: {node}, but the node is not found')
            answer, there, victims = _fields(raw or {}), nodes[node].pods, []
            for uid in (_fields(each).get("uid") for each in answer.get("pods") or ()):
                if uid not in there:
                    why = f"claims to preempt pod (UID: {uid}) on node: {node}, but the pod is not found on that node"
                    raise ExtenderError(f"extender: {self.spec.url_prefix} {why}")
                victims.append(there[uid])
            yield Candidate(node, tuple(sorted(victims, key=importance)), int(answer.get("numpdbviolations") or 0))


def _raw(obj: Any) -> msgspec.Raw:
    return msgspec.Raw(encode(obj))


def _fields(answer: Any) -> dict[str, Any]:
    """By names in small letters: Go reads JSON so, and extenders answer in either way."""
    if not isinstance(answer, dict):
        raise ExtenderError(f"an object was expected, not {type(answer).__name__}")
    return {name.lower(): value for name, value in answer.items()}


def concerns(spec: ExtenderSpec, pod: core_v1.Pod) -> bool:
    """An extender without resources of its own is asked about every Pod."""
    managed = {each.name for each in spec.managed_resources}
    both = (*pod.spec.containers, *pod.spec.init_containers)
    return not managed or any(not managed.isdisjoint((*each.resources.requests, *each.resources.limits)) for each in both)


def interested_in(extenders: Sequence[Extender], pod: core_v1.Pod) -> list[Extender]:
    return [each for each in extenders if each.interested(pod)]


async def filtered(
    extenders: Sequence[Extender], pod: core_v1.Pod, nodes: Mapping[str, core_v1.Node]
) -> tuple[dict[str, core_v1.Node], dict[str, Refusal]]:
    """The nodes that all let pass, one after the other.  Raises ExtenderError of one that is not ignorable."""
    left, refused = dict(nodes), dict[str, Refusal]()
    for extender in extenders:
        if not left:
            break
        try:
            found = await extender.filter(pod, left)
        except ExtenderError as error:
            extender.ignore(error)
            continue
        left = {name: left[name] for name in found.nodes}
        refused |= found.refused
    return left, refused


async def prioritized(extenders: Sequence[Extender], pod: core_v1.Pod, nodes: Mapping[str, core_v1.Node]) -> dict[str, int]:
    """Sums by node.  One that fails has nothing to say."""
    total: dict[str, int] = {}
    for extender in extenders:
        try:
            for name, score in (await extender.prioritize(pod, nodes)).items():
                total[name] = total.get(name, 0) + score
        except ExtenderError as error:
            log.warning("scores of extender %s: %s", extender.spec.url_prefix, error)
    return total


async def preempting(
    extenders: Sequence[Extender], pod: core_v1.Pod, candidates: list[Candidate], nodes: Mapping[str, NodeInfo]
) -> list[Candidate]:
    """The candidates that those who have a word let stand.  Raises ExtenderError.

    One that needs nobody's going may leave it to the next to name somebody.
    """
    for extender in extenders:
        if not candidates:
            break
        try:
            candidates = await extender.process_preemption(pod, candidates, nodes)
        except ExtenderError as error:
            extender.ignore(error)
    return [each for each in candidates if each.victims]  # where nobody has to go, no extender has named anybody


async def bound(extenders: Sequence[Extender], pod: core_v1.Pod, node: str) -> bool:
    """Whether one has bound the Pod.  Raises ExtenderError."""
    for extender in extenders:
        if not extender.binds:
            continue
        try:
            await extender.bind(pod, node)
            return True
        except ExtenderError as error:
            extender.ignore(error)
    return False
