"""Validation of security contexts, of Pods and of containers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from wherry.api.strategy.rules import MAX_INT32, Causes, between, supported_if_set
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_supported, required

from .mounts import local_descending_path

Dict = dict[str, Any]
PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_SYSCTL = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL_NAME = rf"^({_SYSCTL}[\./])*{_SYSCTL}$"
_SYSCTL_RULE = re.compile(_SYSCTL_NAME)
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "fs.mqueue.", "kernel.sem")
NO_WINDOWS = "cannot be set for a windows pod"
NO_LINUX = "windows options cannot be set for a linux pod"


def _id(value: int | None, path: str, errs: Causes) -> None:
    if value is not None and not 0 <= value <= MAX_INT32:
        errs.append(invalid(path, value, between(0, MAX_INT32)))


def _seccomp(profile: Dict | None, path: str, errs: Causes) -> None:
    if profile is None:
        return
    kind, local = profile.get("type"), profile.get("localhostProfile")
    if not kind:
        errs.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in PROFILES:
        errs.append(not_supported(f"{path}.type", kind, PROFILES))
    if kind == "Localhost":
        if local is None:
            errs.append(required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost"))
        else:
            local_descending_path(local, f"{path}.localhostProfile", errs)
    elif local is not None:
        shown = {"Type": kind or "", "LocalhostProfile": local}
        errs.append(invalid(f"{path}.localhostProfile", shown, "can only be set when seccomp type is Localhost"))


def _app_armor(profile: Dict | None, path: str, errs: Causes) -> None:
    if profile is None:
        return
    kind, local = profile.get("type"), profile.get("localhostProfile")
    if not kind:
        errs.append(required(f"{path}.type", "type is required when appArmorProfile is set"))
    elif kind not in PROFILES:
        errs.append(not_supported(f"{path}.type", kind, PROFILES))
    elif kind != "Localhost":
        if local is not None:
            errs.append(invalid(f"{path}.localhostProfile", local, "can only be set when AppArmor type is Localhost"))
    elif local is None or local == "":
        errs.append(required(f"{path}.localhostProfile", "must be set when AppArmor type is Localhost"))
    elif local != local.strip():
        errs.append(invalid(f"{path}.localhostProfile", local, "must not be padded with whitespace"))


def _sysctls(sysctls: list[Dict], spec: Dict, path: str, errs: Causes) -> None:
    seen = set()
    for i, sysctl in enumerate(sysctls):
        where, name = f"{path}[{i}].name", sysctl.get("name") or ""
        if not name:
            errs.append(required(where))
        elif len(name) > 253 or _SYSCTL_RULE.match(name) is None:
            errs.append(invalid(where, name, f"must have at most 253 characters and match regex {_SYSCTL_NAME}"))
        elif name in seen:
            errs.append(duplicate(where, name))
        seen.add(name)
        plain = name.replace("/", ".")
        if spec.get("hostNetwork") and plain.startswith("net."):
            errs.append(invalid(where, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and plain.startswith(_IPC_SYSCTLS):
            errs.append(invalid(where, name, "may not be specified when 'hostIPC' is true"))


def validate_pod_security_context(context: Dict, spec: Dict, path: str, errs: Causes) -> None:
    get = context.get
    for name in ("fsGroup", "runAsUser", "runAsGroup"):
        _id(get(name), f"{path}.{name}", errs)
    for i, group in enumerate(get("supplementalGroups") or ()):
        _id(group, f"{path}.supplementalGroups[{i}]", errs)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        words = "ShareProcessNamespace and HostPID cannot both be enabled"
        errs.append(invalid(f"{path}.shareProcessNamespace", True, words))
    if get("sysctls"):
        _sysctls(context["sysctls"], spec, f"{path}.sysctls", errs)
    supported_if_set(get("fsGroupChangePolicy"), ("Always", "OnRootMismatch"), f"{path}.fsGroupChangePolicy", errs)
    _seccomp(get("seccompProfile"), f"{path}.seccompProfile", errs)
    _app_armor(get("appArmorProfile"), f"{path}.appArmorProfile", errs)
    supported_if_set(get("supplementalGroupsPolicy"), ("Merge", "Strict"), f"{path}.supplementalGroupsPolicy", errs)
    supported_if_set(get("seLinuxChangePolicy"), ("MountOption", "Recursive"), f"{path}.seLinuxChangePolicy", errs)


def validate_security_context(context: Dict, path: str, host_users: bool, errs: Causes) -> None:
    get = context.get
    _id(get("runAsUser"), f"{path}.runAsUser", errs)
    _id(get("runAsGroup"), f"{path}.runAsGroup", errs)
    proc_mount = get("procMount")
    if proc_mount is not None:
        if proc_mount not in ("Default", "Unmasked"):
            errs.append(not_supported(f"{path}.procMount", proc_mount, ("Default", "Unmasked")))
        if host_users and proc_mount == "Unmasked":
            errs.append(invalid(f"{path}.procMount", proc_mount, "`hostUsers` must be false to use `Unmasked`"))
    _seccomp(get("seccompProfile"), f"{path}.seccompProfile", errs)
    if get("allowPrivilegeEscalation") is False:
        words = "cannot set `allowPrivilegeEscalation` to false and "
        if get("privileged"):
            errs.append(invalid(path, _internal(context), f"{words}`privileged` to true"))
        if "CAP_SYS_ADMIN" in ((get("capabilities") or {}).get("add") or ()):
            errs.append(invalid(path, _internal(context), f"{words}`capabilities.Add` CAP_SYS_ADMIN"))
    _app_armor(get("appArmorProfile"), f"{path}.appArmorProfile", errs)


_FIELDS = (
    "Capabilities", "Privileged", "SELinuxOptions", "WindowsOptions", "RunAsUser", "RunAsGroup", "RunAsNonRoot",
    "ReadOnlyRootFilesystem", "AllowPrivilegeEscalation", "ProcMount", "SeccompProfile", "AppArmorProfile",
)


def _internal(context: Dict) -> Dict:
    """A container's security context as upstream's internal type shows it: every field, with Go's names."""
    given = {name[0].upper() + name[1:]: value for name, value in context.items()}
    given["SELinuxOptions"] = given.pop("SeLinuxOptions", None)
    if given.get("Capabilities"):
        given["Capabilities"] = {"Add": context["capabilities"].get("add"), "Drop": context["capabilities"].get("drop")}
    return {name: given.get(name) for name in _FIELDS}


def validate_host_users(spec: Dict, path: str, errs: Causes) -> None:
    """A Pod with a user namespace of its own may not share the host's other ones."""
    if spec.get("hostUsers") is not False:
        return
    for name, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
        if spec.get(name):
            errs.append(forbidden(f"{path}.{shown}", "when `pod.Spec.HostUsers` is false"))


_POD_LINUX_ONLY = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls", "runAsUser",
    "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy",
)
_CONTAINER_LINUX_ONLY = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)


def validate_os(spec: Dict, path: str, each: Callable[[], list[tuple[Dict, str]]], errs: Causes) -> None:
    """`spec.os`: what the other system's Pods may not set.  `each` gives the containers and their paths."""
    system = spec["os"].get("name")
    if system not in ("linux", "windows"):
        errs.append(not_supported(f"{path}.os", system, ("linux", "windows")) if system else required(f"{path}.os.name"))
        return
    context = spec.get("securityContext") or {}
    if system == "linux":
        if context.get("windowsOptions") is not None:
            errs.append(forbidden(f"{path}.securityContext.windowsOptions", NO_LINUX))
        for container, where in each():
            if (container.get("securityContext") or {}).get("windowsOptions") is not None:
                errs.append(forbidden(f"{where}.securityContext.windowsOptions", NO_LINUX))
        return
    for name in ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"):
        if spec.get(name):
            errs.append(forbidden(f"{path}.{name}", NO_WINDOWS))
    for name in _POD_LINUX_ONLY:
        if context.get(name) is not None:
            errs.append(forbidden(f"{path}.securityContext.{name}", NO_WINDOWS))
    for container, where in each():
        for name in _CONTAINER_LINUX_ONLY:
            if (container.get("securityContext") or {}).get(name) is not None:
                errs.append(forbidden(f"{where}.securityContext.{name}", NO_WINDOWS))
