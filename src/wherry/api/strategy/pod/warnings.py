"""Warnings about Pods and Pod templates: what is deprecated, or accepted but of no use."""

from __future__ import annotations

from typing import Any

from .memory import remembered
from .validation import each_container

Dict = dict[str, Any]

NODE_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod":
        'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "seccomp.security.alpha.kubernetes.io/pod":
        'non-functional in v1.27+; use the "seccompProfile" field instead',
}
SCHEDULING_DEPRECATED = 'container.seccomp.security.alpha.kubernetes.io/'
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}


def pod_warnings(pod: Dict) -> list[str]:
    return _warnings(pod.get("spec") or {}, (pod.get("metadata") or {}).get("annotations"), "spec", "metadata.annotations")


def template_warnings(template: Dict | None, path: str) -> list[str]:
    """`path` is the template's: "spec.template"."""
    return _template_warnings(template or {}, path)


@remembered
def _template_warnings(template: Dict, path: str) -> list[str]:
    meta = template.get("metadata") or {}
    return _warnings(template.get("spec") or {}, meta.get("annotations"), f"{path}.spec", f"{path}.metadata.annotations")


def _warnings(spec: Dict, annotations: dict[str, str] | None, path: str, annotations_path: str) -> list[str]:
    found: list[str] = []
    for key in sorted(spec.get("nodeSelector") or ()):
        if key in NODE_LABELS:
            found.append(f"{path}.nodeSelector[{key}]: {NODE_LABELS[key]}")
    if spec.get("affinity"):
        _affinity(spec["affinity"], f"{path}.affinity", found)
    for i, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        where, key = f"{path}.topologySpreadConstraints[{i}]", constraint.get("topologyKey")
        if key in NODE_LABELS:
            found.append(f"{where}.topologyKey: {key} is {NODE_LABELS[key]}")
        _no_selector(constraint.get("labelSelector"), f"{where}.labelSelector", found)
    for key in sorted(annotations or ()):
        if key in ANNOTATIONS:
            found.append(f"{annotations_path}[{key}]: {ANNOTATIONS[key]}")
        elif key.startswith(SCHEDULING_DEPRECATED):
            found.append(f'{annotations_path}[{key}]: non-functional in v1.27+; use the "seccompProfile" field instead')
        elif key.startswith(APP_ARMOR):
            found.append(f'{annotations_path}[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead')
    for i, volume in enumerate(spec.get("volumes") or ()):
        for name in volume:
            if name in VOLUMES:
                found.append(f"{path}.volumes[{i}].{name}: {VOLUMES[name]}")
    found += _duplicates(spec, path)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        found.append(f"{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1")
    return found


def _no_selector(selector: Dict | None, path: str, found: list[str]) -> None:
    if selector is None:
        found.append(f"{path}: a null labelSelector results in matching no pod")


def _affinity(affinity: Dict, path: str, found: list[str]) -> None:
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
        for i, term in enumerate(terms.get(required) or ()):
            _no_selector(term.get("labelSelector"), f"{path}.{kind}.{required}[{i}].labelSelector", found)
        for i, weighted in enumerate(terms.get(preferred) or ()):
            term = weighted.get("podAffinityTerm") or {}
            where = f"{path}.{kind}.{preferred}[{i}].podAffinityTerm.labelSelector"
            _no_selector(term.get("labelSelector"), where, found)


def _duplicates(spec: Dict, path: str) -> list[str]:
    """Entries of which the later hides the earlier."""
    found: list[str] = []
    for i, alias in enumerate(aliases := spec.get("hostAliases") or ()):
        if any(other.get("ip") == alias.get("ip") for other in aliases[:i]):
            found.append(f"{path}.hostAliases[{i}].ip: duplicate ip \"{alias.get('ip')}\"")
    seen: set[str] = set()
    for i, secret in enumerate(spec.get("imagePullSecrets") or ()):
        name = secret.get("name") or ""
        if not name:
            found.append(f"{path}.imagePullSecrets[{i}].name: invalid empty name \"\"")
        elif name in seen:
            found.append(f"{path}.imagePullSecrets[{i}].name: duplicate name \"{name}\"")
        seen.add(name)
    for container, where in each_container(spec, path):
        known: set[str] = set()
        for i, variable in enumerate(container.get("env") or ()):
            name = variable.get("name") or ""
            if name in known and f"$({name})" not in (variable.get("value") or ""):
                found.append(f"{where}.env[{i}]: hides previous definition of \"{name}\", which may be dropped when using apply")
            known.add(name)
        _ports(container, where, found)
    return found


def _ports(container: Dict, path: str, found: list[str]) -> None:
    seen: dict[tuple[Any, ...], int] = {}
    for i, port in enumerate(container.get("ports") or ()):
        key = tuple(port.get(name) or "" for name in ("containerPort", "protocol", "hostPort", "hostIP"))
        if key in seen:
            found.append(f"{path}.ports[{i}]: duplicate port definition with {path}.ports[{seen[key]}]")
        seen.setdefault(key, i)
