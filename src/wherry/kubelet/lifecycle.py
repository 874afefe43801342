"""Hooks after a container's start and before its end.

https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
"""

from __future__ import annotations

from wherry.api.types import core_v1
from wherry.kubelet.podutil import Container, full_name
from wherry.kubelet.prober import http, tcp
from wherry.kubelet.prober.probe import ProbeError, http_url, port_of
from wherry.runtime.interface import Runtime, RuntimeFault
from wherry.util.clock import Clock

_HTTP_SECONDS = 30.0


class HookError(Exception):
    """A hook failed, in upstream's words."""


async def run_hook(
    handler: core_v1.LifecycleHandler, pod: core_v1.Pod, container: Container, container_id: str, pod_ip: str,
    runtime: Runtime, clock: Clock,
) -> None:
    """Run `handler` to its end.  Raises HookError."""
    where = f'for Container "{container.name}" in Pod "{full_name(pod)}"'
    try:
        if handler.exec is not None:
            command = handler.exec.command
            done = await runtime.exec_sync(container_id, command, 0)
            if done.exit_code:
                shown = " ".join(command)
                output = (done.stdout + done.stderr).decode("utf-8", "replace")
                error = f"command '{shown}' exited with {done.exit_code}: {done.stderr.decode('utf-8', 'replace')}"
                raise HookError(f'Exec lifecycle hook ([{shown}]) {where} failed - error: {error}, message: "{output}"')
        elif handler.sleep is not None:
            await clock.sleep(handler.sleep.seconds)
        elif not runtime.reachable:
            return  # nobody listens, so nobody is told
        elif handler.http_get is not None:
            url, headers = http_url(container, handler.http_get, pod_ip)
            await http.get(url, headers, _HTTP_SECONDS)
        elif handler.tcp_socket is not None:
            failure = await tcp.connect(handler.tcp_socket.host or pod_ip, port_of(container, handler.tcp_socket.port), 1.0)
            if failure:
                raise HookError(f"tcpSocket lifecycle hook {where} failed - error: {failure}")
        else:
            raise HookError(f"invalid handler {where}: it names no action")
    except http.HTTPFailure as failure:
        path = handler.http_get.path if handler.http_get else ""
        raise HookError(f'HTTP lifecycle hook ({path}) {where} failed - error: {failure}, message: ""') from failure
    except (ProbeError, RuntimeFault, TimeoutError) as error:
        raise HookError(f"lifecycle hook {where} failed - error: {error}") from error
