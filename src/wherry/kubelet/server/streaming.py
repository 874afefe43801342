"""exec, attach and port-forward as calls: what they mean, without the protocols that carry them.

The wire protocols (WebSocket and SPDY) turn requests into these three calls and carry the streams.
Errors are `StatusError`s in upstream's words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError, bad_request, internal_error, not_found
from wherry.kubelet.container.state import PodState
from wherry.kubelet.podutil import find_container
from wherry.runtime.interface import ByteStream, ContainerState, ContainerStatus, Runtime, RuntimeFault, Streams


class Streaming:
    """One a kubelet."""

    def __init__(
        self, runtime: Runtime, pod: Callable[[str, str], core_v1.Pod | None], state: Callable[[str], PodState],
    ) -> None:
        self._runtime, self._pod, self._state = runtime, pod, state

    async def exec(
        self, namespace: str, pod: str, container: str, command: Sequence[str], *, stdin: bool = False, tty: bool = False,
    ) -> Streams:
        """Run `command` in a running container (the first one when `container` is empty)."""
        if not command:
            raise bad_request("you must specify at least one command for the container")
        found = self._running(namespace, pod, container)
        try:
            return await self._runtime.exec(found.id, command, stdin=stdin, tty=tty)
        except RuntimeFault as fault:
            raise internal_error(f"error executing command in container: {fault}") from fault

    async def attach(
        self, namespace: str, pod: str, container: str, *, stdin: bool = False, tty: bool = False,
    ) -> Streams:
        """Join a container's own streams.  `stdin` only where the container keeps its standard input open."""
        found = self._running(namespace, pod, container, attaching=True)
        if stdin and not found.config.stdin:
            raise bad_request(f"container {found.config.name} does not accept stdin: its spec has no `stdin: true`")
        try:
            return await self._runtime.attach(found.id, stdin=stdin, tty=tty and found.config.tty)
        except RuntimeFault as fault:
            raise internal_error(f"error attaching to container: {fault}") from fault

    async def port_forward(self, namespace: str, pod: str, port: int) -> ByteStream:
        """Connect to a port in the Pod's network.  Raises StatusError, or OSError when nothing listens there."""
        sandbox = self._state(self._find(namespace, pod).metadata.uid).ready_sandbox
        if sandbox is None:
            raise internal_error(f"pod {namespace}/{pod} has no sandbox that runs")
        try:
            return await self._runtime.port_forward(sandbox.id, port)
        except RuntimeFault as fault:
            raise internal_error(f"error forwarding port {port} to pod {pod}: {fault}") from fault

    def check(self, namespace: str, pod: str, container: str | None = None, *, attaching: bool = False) -> None:
        """Raises StatusError when the Pod is not here or the container does not run: said before a connection is upgraded."""
        if container is None:
            self._find(namespace, pod)
        else:
            self._running(namespace, pod, container, attaching=attaching)

    def _find(self, namespace: str, name: str) -> core_v1.Pod:
        pod = self._pod(namespace, name)
        if pod is None:
            raise not_found("", "pods", name)
        return pod

    def _running(self, namespace: str, name: str, container: str, *, attaching: bool = False) -> ContainerStatus:
        pod = self._find(namespace, name)
        wanted = container or pod.spec.containers[0].name
        if find_container(pod, wanted) is None:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        found = self._state(pod.metadata.uid).find(wanted)
        if found is None or found.state != ContainerState.RUNNING:
            said = f"container {wanted} not found in pod {name}_{namespace}" if attaching else f'container not found ("{wanted}")'
            raise StatusError(500, "InternalError", said)
        return found
