"""What the runtime knows of one Pod, and the labels by which it is found again after a restart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from wherry.api.pod import is_sidecar
from wherry.api.types import core_v1
from wherry.kubelet.podutil import Container
from wherry.runtime.interface import PURPOSE, TO_PREPARE, TO_WORK, ContainerState, ContainerStatus, SandboxState, SandboxStatus

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
CONTAINER_HASH = "io.kubernetes.container.hash"
CONTAINER_RESOURCES = "wherry.dev/container-resources"
TERMINATION_PATH = "io.kubernetes.container.terminationMessagePath"
TERMINATION_POLICY = "io.kubernetes.container.terminationMessagePolicy"
GRACE_PERIOD = "io.kubernetes.pod.terminationGracePeriod"
JOB = ("batch/v1", "Job")


@dataclass(frozen=True, slots=True)
class PodState:
    """One Pod's sandboxes and containers, the newest first."""

    uid: str
    name: str = ""
    namespace: str = ""
    sandboxes: tuple[SandboxStatus, ...] = ()
    containers: tuple[ContainerStatus, ...] = ()

    def find(self, name: str) -> ContainerStatus | None:
        """The newest container called `name`."""
        return next((c for c in self.containers if c.config.name == name), None)

    def find_all(self, name: str) -> list[ContainerStatus]:
        return [c for c in self.containers if c.config.name == name]

    def running(self) -> list[ContainerStatus]:
        return [c for c in self.containers if c.state in (ContainerState.RUNNING, ContainerState.UNKNOWN)]

    @property
    def ready_sandbox(self) -> SandboxStatus | None:
        if self.sandboxes and self.sandboxes[0].state == SandboxState.READY:
            return self.sandboxes[0]
        return None

    @property
    def ips(self) -> tuple[str, ...]:
        """Of the newest sandbox, also when it has stopped: a finished Pod keeps its address in its status."""
        return self.sandboxes[0].ips if self.sandboxes else ()


def container_hash(container: Container) -> str:
    """Changes when a container must be made anew: of what is compared, only the image can change in place."""
    return hashlib.sha256(f"{container.name}\0{container.image}".encode()).hexdigest()[:8]


def resources_text(container: Container, resource: str) -> str:
    """A resource's request and limit, as they were when a container was made."""
    resources = container.resources
    return f"{resource}:{resources.requests.get(resource, '')}/{resources.limits.get(resource, '')}"


def needs_restart_to_resize(container: Container, annotations: Mapping[str, str]) -> bool:
    """Whether a resource changed whose resizePolicy is RestartContainer since the container was made."""
    made_with = annotations.get(CONTAINER_RESOURCES)
    if made_with is None or isinstance(container, core_v1.EphemeralContainer):
        return False
    strict = [each.resource_name for each in container.resize_policy if each.restart_policy == "RestartContainer"]
    return any(resources_text(container, resource) not in made_with.split() for resource in strict)


def pod_labels(pod: core_v1.Pod) -> dict[str, str]:
    meta = pod.metadata
    return {**meta.labels, POD_NAME: meta.name, POD_NAMESPACE: meta.namespace, POD_UID: meta.uid}


def container_labels(pod: core_v1.Pod, container: Container) -> dict[str, str]:
    meta = pod.metadata
    return {CONTAINER_NAME: container.name, POD_NAME: meta.name, POD_NAMESPACE: meta.namespace, POD_UID: meta.uid}


def container_annotations(pod: core_v1.Pod, container: Container) -> dict[str, str]:
    """What must outlive the Pod object, so that an orphan can still be stopped and told of."""
    found = {
        CONTAINER_HASH: container_hash(container),
        CONTAINER_RESOURCES: " ".join(resources_text(container, resource) for resource in ("cpu", "memory")),
        TERMINATION_PATH: container.termination_message_path,
        TERMINATION_POLICY: container.termination_message_policy,
    }
    if pod.spec.termination_grace_period_seconds is not None:
        found[GRACE_PERIOD] = str(pod.spec.termination_grace_period_seconds)
    if purpose := _purpose(pod, container):
        found[PURPOSE] = purpose
    return found


def _purpose(pod: core_v1.Pod, container: Container) -> str:
    """What a container is there to do before it ends by itself; "" for one that is meant to go on (or that nobody can tell of)."""
    if any(each.name == container.name for each in pod.spec.init_containers):
        return "" if is_sidecar(container) else TO_PREPARE
    if any(each.name == container.name for each in pod.spec.containers):
        owner = next((each for each in pod.metadata.owner_references if each.controller), None)
        return TO_WORK if owner is not None and (owner.api_version, owner.kind) == JOB else ""
    return ""
