"""The kubelet's events, each about a Pod, one of its containers, or the node."""

from __future__ import annotations

from typing import Any, Protocol

from wherry.api.types import core_v1
from wherry.kubelet.podutil import Container, field_path


class Recorder(Protocol):
    """What the client's EventRecorder offers."""

    def event(self, obj: Any, type_: str, reason: str, message: str) -> None: ...


def pod_reference(pod: core_v1.Pod, container: Container | None = None) -> core_v1.ObjectReference:
    meta = pod.metadata
    return core_v1.ObjectReference(
        kind="Pod", api_version="v1", namespace=meta.namespace, name=meta.name, uid=meta.uid,
        resource_version=meta.resource_version, field_path=field_path(pod, container) if container else "",
    )


class Events:
    """Words go out as they are: upstream's."""

    def __init__(self, recorder: Recorder, node_name: str) -> None:
        self._recorder, self._node = recorder, node_name

    def pod(self, pod: core_v1.Pod, type_: str, reason: str, message: str) -> None:
        self._recorder.event(pod_reference(pod), type_, reason, message)

    def container(self, pod: core_v1.Pod, container: Container, type_: str, reason: str, message: str) -> None:
        self._recorder.event(pod_reference(pod, container), type_, reason, message)

    def node(self, type_: str, reason: str, message: str) -> None:
        # A node's events carry its name for a uid, as upstream's do: kubectl describe looks for that.
        reference = core_v1.ObjectReference(kind="Node", name=self._node, uid=self._node)
        self._recorder.event(reference, type_, reason, message)
