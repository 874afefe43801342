"""The effective security context: the container's own settings over the Pod's.

https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
"""

from __future__ import annotations

from wherry.api.types import core_v1
from wherry.kubelet.podutil import Container, full_name
from wherry.runtime.interface import Security


class SecurityError(Exception):
    """The container may not run so: CreateContainerConfigError."""


def effective_security(pod: core_v1.Pod, container: Container) -> Security:
    """Merge both contexts.  Raises SecurityError for what is not supported."""
    of_pod = pod.spec.security_context or core_v1.PodSecurityContext()
    own = container.security_context or core_v1.SecurityContext()
    if own.proc_mount not in ("", "Default", "Unmasked"):
        raise SecurityError(f'unknown procMount "{own.proc_mount}"')
    capabilities = own.capabilities or core_v1.Capabilities()
    privileged = bool(own.privileged)
    groups = [*of_pod.supplemental_groups]
    if of_pod.fs_group is not None and of_pod.fs_group not in groups:
        groups.append(of_pod.fs_group)
    non_root = own.run_as_non_root if own.run_as_non_root is not None else of_pod.run_as_non_root
    return Security(
        run_as_user=own.run_as_user if own.run_as_user is not None else of_pod.run_as_user,
        run_as_group=own.run_as_group if own.run_as_group is not None else of_pod.run_as_group,
        supplemental_groups=tuple(groups),
        strict_groups=of_pod.supplemental_groups_policy == "Strict",
        run_as_non_root=bool(non_root),
        privileged=privileged,
        read_only_rootfs=bool(own.read_only_root_filesystem),
        allow_privilege_escalation=own.allow_privilege_escalation is not False,
        add_capabilities=tuple(capabilities.add),
        drop_capabilities=tuple(capabilities.drop),
        seccomp_profile="Unconfined" if privileged else _seccomp(own.seccomp_profile or of_pod.seccomp_profile),
        masked_paths=own.proc_mount != "Unmasked" and not privileged,
    )


def _seccomp(profile: core_v1.SeccompProfile | None) -> str:
    if profile is None:
        return "Unconfined"
    return f"Localhost/{profile.localhost_profile}" if profile.type == "Localhost" else profile.type


def verify_run_as_non_root(pod: core_v1.Pod, container: Container, security: Security, image_user: str) -> None:
    """Refuse a container that promised not to run as root and would.  Raises SecurityError in upstream's words."""
    if not security.run_as_non_root:
        return
    place = f'(pod: "{full_name(pod)}", container: {container.name})'
    if security.run_as_user is not None:
        if security.run_as_user == 0:
            raise SecurityError(f"container's runAsUser breaks non-root policy {place}")
        return
    user = image_user.partition(":")[0]
    if not user or user == "0":
        raise SecurityError(f"container has runAsNonRoot and image will run as root {place}")
    if not user.isdigit():
        why = f"image has non-numeric user ({user}), cannot verify user is non-root"
        raise SecurityError(f"container has runAsNonRoot and {why} {place}")
