"""Validation of containers: regular, init (sidecars among them) and ephemeral ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wherry.api.strategy.rules import (
    PROTOCOLS,
    Causes,
    dns_label,
    one_of,
    port_name_faults,
    port_number,
)
from wherry.apimachinery import names
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_found, not_supported, required

from .env import validate_env, validate_env_from
from .mounts import validate_devices, validate_mounts
from .probes import validate_lifecycle, validate_probes
from .resources import validate_requirements, validate_resize_policy
from .security import validate_security_context

Dict = dict[str, Any]
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
RESTART_OPERATORS = ("In", "NotIn")
NO_INIT = "may not be set for init containers without restartPolicy=Always"
NO_EPHEMERAL = "cannot be set for an Ephemeral Container"


@dataclass(slots=True)
class Surroundings:
    """What a container's validity depends on beside itself."""

    volumes: dict[str, Dict]
    claims: set[str] = field(default_factory=set)
    grace: int | None = 30
    restart_policy: str = "Always"
    host_users: bool = True


def _ports(ports: list[Dict], path: str, errs: Causes) -> None:
    seen = set()
    for i, port in enumerate(ports):
        where, name = f"{path}[{i}]", port.get("name")
        if name:
            faults = port_name_faults(name)
            if faults:
                errs.extend(invalid(f"{where}.name", name, fault) for fault in faults)
            elif name in seen:
                errs.append(duplicate(f"{where}.name", name))
            else:
                seen.add(name)
        if not port.get("containerPort"):
            errs.append(required(f"{where}.containerPort"))
        else:
            port_number(port["containerPort"], f"{where}.containerPort", errs)
        if port.get("hostPort"):
            port_number(port["hostPort"], f"{where}.hostPort", errs)
        if port.get("protocol") not in PROTOCOLS:
            one_of(port.get("protocol"), PROTOCOLS, f"{where}.protocol", errs)


def _host_port_conflicts(containers: list[Dict], path: str, errs: Causes) -> None:
    seen = set()
    for i, container in enumerate(containers):
        for j, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort"):
                key = f"{port.get('protocol')}/{port.get('hostIP') or ''}/{port['hostPort']}"
                if key in seen:
                    errs.append(duplicate(f"{path}[{i}].ports[{j}].hostPort", key))
                seen.add(key)


def _common(container: Dict, path: str, around: Surroundings, errs: Causes) -> None:
    get = container.get
    name = get("name")
    if not name:
        errs.append(required(f"{path}.name"))
    elif names.is_dns1123_label(name):
        dns_label(name, f"{path}.name", errs)
    if not get("image"):
        errs.append(required(f"{path}.image"))
    if (policy := get("terminationMessagePolicy")) not in MESSAGE_POLICIES:
        one_of(policy, MESSAGE_POLICIES, f"{path}.terminationMessagePolicy", errs)
    if ports := get("ports"):
        _ports(ports, f"{path}.ports", errs)
    if variables := get("env"):
        validate_env(variables, f"{path}.env", errs)
    if sources := get("envFrom"):
        validate_env_from(sources, f"{path}.envFrom", errs)
    mounts, devices = get("volumeMounts"), get("volumeDevices")
    if mounts:
        validate_mounts(mounts, devices or [], around.volumes, container, f"{path}.volumeMounts", errs)
    if devices:
        validate_devices(devices, mounts or [], around.volumes, f"{path}.volumeDevices", errs)
    if (policy := get("imagePullPolicy")) not in PULL_POLICIES:
        one_of(policy, PULL_POLICIES, f"{path}.imagePullPolicy", errs)
    if resources := get("resources"):
        validate_requirements(resources, around.claims, f"{path}.resources", errs)
    if policies := get("resizePolicy"):
        validate_resize_policy(policies, f"{path}.resizePolicy", around.restart_policy, errs)
    if context := get("securityContext"):
        validate_security_context(context, f"{path}.securityContext", around.host_users, errs)


def _restart_rules(container: Dict, path: str, errs: Causes) -> None:
    """`restartPolicy` and `restartPolicyRules` of a container that is no sidecar."""
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    if policy is not None and policy not in ("Always", "OnFailure", "Never"):
        errs.append(not_supported(f"{path}.restartPolicy", policy, ("Always", "OnFailure", "Never")))
    if rules and policy is None:
        errs.append(required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used"))
    if len(rules) > 20:
        errs.append(invalid(f"{path}.restartPolicyRules", len(rules), "must have at most 20 items"))
    for i, rule in enumerate(rules):
        where = f"{path}.restartPolicyRules[{i}]"
        if rule.get("action") not in ("Restart", "RestartAllContainers"):
            one_of(rule.get("action"), ("Restart", "RestartAllContainers"), f"{where}.action", errs)
        codes = rule.get("exitCodes")
        if codes is None:
            errs.append(required(f"{where}.exitCodes", "must be specified"))
        elif codes.get("operator") not in RESTART_OPERATORS:
            one_of(codes.get("operator"), RESTART_OPERATORS, f"{where}.exitCodes.operator", errs)
        elif len(codes.get("values") or ()) > 255:
            errs.append(invalid(f"{where}.exitCodes.values", len(codes["values"]), "must have at most 255 items"))


def validate_containers(containers: list[Dict] | None, path: str, around: Surroundings, errs: Causes) -> None:
    if not containers:
        errs.append(required(path))
        return
    seen = set()
    for i, container in enumerate(containers):
        where = f"{path}[{i}]"
        _common(container, where, around, errs)
        name = container.get("name") or ""
        if name in seen:
            errs.append(duplicate(f"{where}.name", name))
        seen.add(name)
        if lifecycle := container.get("lifecycle"):
            validate_lifecycle(lifecycle, f"{where}.lifecycle", around.grace, errs)
        validate_probes(container, where, around.grace, errs)
        if container.get("restartPolicy") is not None or container.get("restartPolicyRules"):
            _restart_rules(container, where, errs)
    _host_port_conflicts(containers, path, errs)


def validate_init_containers(containers: list[Dict], regular: list[Dict], path: str, around: Surroundings, errs: Causes) -> None:
    seen = {container.get("name") for container in regular}
    for i, container in enumerate(containers):
        where = f"{path}[{i}]"
        _common(container, where, around, errs)
        sidecar = container.get("restartPolicy") == "Always"
        if container.get("restartPolicy") is not None or container.get("restartPolicyRules"):
            _restart_rules(container, where, errs)
        name = container.get("name")
        if name and name in seen:
            errs.append(duplicate(f"{where}.name", name))
        seen.add(name)
        _host_port_conflicts([container], path, errs)
        if sidecar:
            if lifecycle := container.get("lifecycle"):
                validate_lifecycle(lifecycle, f"{where}.lifecycle", around.grace, errs)
            validate_probes(container, where, around.grace, errs)
        else:
            for field_name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
                if container.get(field_name) is not None:
                    errs.append(forbidden(f"{where}.{field_name}", NO_INIT))


def validate_ephemeral_containers(containers: list[Dict], spec: Dict, path: str, around: Surroundings, errs: Causes) -> None:
    others = {c.get("name") for kind in ("containers", "initContainers") for c in spec.get(kind) or ()}
    seen = set(others)
    for i, container in enumerate(containers):
        where, name = f"{path}[{i}]", container.get("name") or ""
        _common(container, where, around, errs)
        validate_image_of_pod(container, where, errs)
        if name in seen:
            errs.append(duplicate(f"{where}.name", name))
        seen.add(name)
        target = container.get("targetContainerName")
        if target and target not in others:
            errs.append(not_found(f"{where}.targetContainerName", target))
        for field_name in ("ports", "resources", "resizePolicy", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle",
                           "restartPolicy", "restartPolicyRules"):
            if container.get(field_name):
                errs.append(forbidden(f"{where}.{field_name}", NO_EPHEMERAL))
        for j, mount in enumerate(container.get("volumeMounts") or ()):
            for field_name in ("subPath", "subPathExpr"):
                if mount.get(field_name):
                    errs.append(forbidden(f"{where}.volumeMounts[{j}].{field_name}", NO_EPHEMERAL))


def validate_image_of_pod(container: Dict, path: str, errs: Causes) -> None:
    """What only a Pod's containers are held to, not a template's."""
    image = container.get("image") or ""
    if image != image.strip():
        errs.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))


