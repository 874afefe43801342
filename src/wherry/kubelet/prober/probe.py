"""Asking a container once: by exec, HTTP, TCP or gRPC."""

from __future__ import annotations

from wherry.api.types import core_v1
from wherry.kubelet.events import Events
from wherry.kubelet.podutil import Container
from wherry.kubelet.prober import grpc, http, tcp
from wherry.kubelet.prober.results import Result
from wherry.runtime.interface import Runtime, RuntimeFault

_RETRIES = 3  # of a probe that could not be made at all
_MAX_OUTPUT = 10 * 1024


class ProbeError(Exception):
    """The probe could not be made: neither success nor failure."""


def port_of(container: Container, port: int | str) -> int:
    """A port's number, by number or by name.  Raises ProbeError."""
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for each in container.ports:
        if each.name == port:
            return each.container_port
    raise ProbeError(f"couldn't find port: {port}")


def http_url(container: Container, action: core_v1.HTTPGetAction, pod_ip: str) -> tuple[str, dict[str, str]]:
    """(URL, headers) of an httpGet action."""
    host = action.host or pod_ip
    shown = f"[{host}]" if ":" in host else host
    path = action.path if action.path.startswith("/") or not action.path else f"/{action.path}"
    url = f"{(action.scheme or 'HTTP').lower()}://{shown}:{port_of(container, action.port)}{path or '/'}"
    return url, {header.name: header.value for header in action.http_headers}


class Prober:
    """One a kubelet."""

    def __init__(self, runtime: Runtime, events: Events) -> None:
        self._runtime, self._events = runtime, events

    async def probe(
        self, kind: str, probe: core_v1.Probe, pod: core_v1.Pod, container: Container, container_id: str, pod_ip: str,
    ) -> Result:
        """Ask, and tell failures in events.  `kind` is Liveness, Readiness or Startup."""
        for attempt in range(_RETRIES):
            try:
                result, output = await self._once(probe, container, container_id, pod_ip)
                break
            except (ProbeError, RuntimeFault) as error:
                if attempt == _RETRIES - 1:
                    message = f"{kind} probe errored and resulted in {Result.UNKNOWN} state: {error}"
                    self._events.container(pod, container, "Warning", "Unhealthy", message)
                    return Result.FAILURE
        if result == Result.WARNING:
            self._events.container(pod, container, "Warning", "ProbeWarning", f"{kind} probe warning: {output}")
            return Result.SUCCESS
        if result == Result.FAILURE:
            self._events.container(pod, container, "Warning", "Unhealthy", f"{kind} probe failed: {output}")
        return result

    async def _once(self, probe: core_v1.Probe, container: Container, container_id: str, pod_ip: str) -> tuple[Result, str]:
        seconds = float(probe.timeout_seconds or 1)
        if probe.exec is not None:
            return await self._exec(container_id, probe.exec.command, seconds)
        if not self._runtime.reachable:
            return await self._exec(container_id, _described(probe, container, pod_ip), seconds)
        if probe.http_get is not None:
            return await _http(container, probe.http_get, pod_ip, seconds)
        if probe.tcp_socket is not None:
            port = port_of(container, probe.tcp_socket.port)
            failure = await tcp.connect(probe.tcp_socket.host or pod_ip, port, seconds)
            return (Result.FAILURE, failure) if failure else (Result.SUCCESS, "")
        if probe.grpc is not None:
            return await _grpc(probe.grpc, pod_ip, seconds)
        raise ProbeError(f"missing probe handler for {container.name}")

    async def _exec(self, container_id: str, command: list[str], seconds: float) -> tuple[Result, str]:
        try:
            done = await self._runtime.exec_sync(container_id, command, seconds)
        except TimeoutError:
            return Result.FAILURE, f'command timed out: "{" ".join(command)}" timed out after {seconds:g}s'
        output = (done.stdout + done.stderr)[:_MAX_OUTPUT].decode("utf-8", "replace")
        return (Result.SUCCESS if done.exit_code == 0 else Result.FAILURE), output


def _described(probe: core_v1.Probe, container: Container, pod_ip: str) -> list[str]:
    """What is asked over the network, in words.  Raises ProbeError."""
    if probe.http_get is not None:
        return ["GET", http_url(container, probe.http_get, pod_ip)[0]]
    if probe.tcp_socket is not None:
        return ["connect", f"{probe.tcp_socket.host or pod_ip}:{port_of(container, probe.tcp_socket.port)}"]
    if probe.grpc is not None:
        return ["check", f"{pod_ip}:{probe.grpc.port}", probe.grpc.service]
    raise ProbeError(f"missing probe handler for {container.name}")


async def _http(container: Container, action: core_v1.HTTPGetAction, pod_ip: str, seconds: float) -> tuple[Result, str]:
    url, headers = http_url(container, action, pod_ip)
    try:
        answer = await http.get(url, headers, seconds)
    except http.HTTPFailure as failure:
        return Result.FAILURE, str(failure)
    if answer.redirected_away:
        return Result.WARNING, f"Probe terminated redirects, Response body: {answer.body}"
    if 200 <= answer.status < 400:
        return Result.SUCCESS, answer.body
    return Result.FAILURE, f"HTTP probe failed with statuscode: {answer.status}"


async def _grpc(action: core_v1.GRPCAction, pod_ip: str, seconds: float) -> tuple[Result, str]:
    try:
        status = await grpc.check(pod_ip, action.port, action.service, seconds)
    except grpc.GRPCFailure as failure:
        return Result.FAILURE, str(failure)
    if status == "SERVING":
        return Result.SUCCESS, "service healthy"
    return Result.FAILURE, f'service unhealthy (responded with "{status}")'
