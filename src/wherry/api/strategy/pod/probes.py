"""Validation of probes and lifecycle hooks: the handlers that they share and the rules of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wherry.api.strategy.rules import Causes, header_name_faults, not_negative, port_number, port_number_or_name
from wherry.apimachinery.fielderrors import forbidden, invalid, not_supported, required

Dict = dict[str, Any]
SCHEMES = ("HTTP", "HTTPS")


def _exec(action: Dict, path: str, grace: int | None, errs: Causes) -> None:
    if not action.get("command"):
        errs.append(required(f"{path}.command"))


def _http_get(action: Dict, path: str, grace: int | None, errs: Causes) -> None:
    if not action.get("path"):
        errs.append(required(f"{path}.path"))
    port_number_or_name(action.get("port"), f"{path}.port", errs)
    if action.get("scheme") not in SCHEMES:
        errs.append(not_supported(f"{path}.scheme", action.get("scheme") or "", SCHEMES))
    for header in action.get("httpHeaders") or ():
        name = header.get("name") or ""
        errs.extend(invalid(f"{path}.httpHeaders", name, fault) for fault in header_name_faults(name))


def _tcp_socket(action: Dict, path: str, grace: int | None, errs: Causes) -> None:
    port_number_or_name(action.get("port"), f"{path}.port", errs)


def _grpc(action: Dict, path: str, grace: int | None, errs: Causes) -> None:
    port_number(action.get("port") or 0, f"{path}.port", errs)


def _sleep(action: Dict, path: str, grace: int | None, errs: Causes) -> None:
    seconds = action.get("seconds") or 0
    if grace is not None and not 0 <= seconds <= grace:
        errs.append(invalid(path, seconds, f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"))


_Handler = Callable[[Dict, str, "int | None", Causes], None]
_PROBE: tuple[tuple[str, _Handler], ...] = (("exec", _exec), ("httpGet", _http_get), ("tcpSocket", _tcp_socket), ("grpc", _grpc))
_HOOK: tuple[tuple[str, _Handler], ...] = (("exec", _exec), ("httpGet", _http_get), ("tcpSocket", _tcp_socket), ("sleep", _sleep))


def _handler(holder: Dict, kinds: tuple[tuple[str, _Handler], ...], path: str, grace: int | None, errs: Causes) -> None:
    found = False
    for name, check in kinds:
        action = holder.get(name)
        if action is None:
            continue
        if found:
            errs.append(forbidden(f"{path}.{name}", "may not specify more than 1 handler type"))
        else:
            found = True
            check(action, f"{path}.{name}", grace, errs)
    if not found:
        errs.append(required(path, "must specify a handler type"))


_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def _probe(probe: Dict, path: str, grace: int | None, errs: Causes) -> None:
    _handler(probe, _PROBE, path, grace, errs)
    for name in _COUNTS:
        if probe.get(name, 0) < 0:
            not_negative(probe[name], f"{path}.{name}", errs)
    seconds = probe.get("terminationGracePeriodSeconds")
    if seconds is not None and seconds <= 0:
        errs.append(invalid(f"{path}.terminationGracePeriodSeconds", seconds, "must be greater than 0"))


def validate_probes(container: Dict, path: str, grace: int | None, errs: Causes) -> None:
    """Liveness, readiness and startup probes of a container that may have them."""
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        _probe(probe, f"{path}.{name}", grace, errs)
        if name == "readinessProbe":
            seconds = probe.get("terminationGracePeriodSeconds")
            if seconds is not None:
                where = f"{path}.{name}.terminationGracePeriodSeconds"
                errs.append(invalid(where, seconds, "must not be set for readinessProbes"))
        elif probe.get("successThreshold", 0) != 1:
            errs.append(invalid(f"{path}.{name}.successThreshold", probe.get("successThreshold", 0), "must be 1"))


def validate_lifecycle(lifecycle: Dict, path: str, grace: int | None, errs: Causes) -> None:
    for name in ("postStart", "preStop"):
        hook = lifecycle.get(name)
        if hook is not None:
            _handler(hook, _HOOK, f"{path}.{name}", grace, errs)
