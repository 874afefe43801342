"""Whether the node takes a Pod that was bound to it: pure.

The scheduler has looked already, but a Pod can be bound by hand; and what the node cannot do is refused
here in clear words rather than passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wherry.api.nodeaffinity import required_matches
from wherry.api.pod import host_ports
from wherry.api.tolerations import tolerates
from wherry.api.types import core_v1
from wherry.apimachinery import quantity
from wherry.kubelet.machine import Machine
from wherry.kubelet.podutil import all_containers, is_terminal, pod_totals
from wherry.kubelet.sysctls import forbidden_sysctl


@dataclass(frozen=True, slots=True)
class Rejection:
    """The Pod fails with these."""

    reason: str
    message: str


def admit(
    pod: core_v1.Pod, others: Iterable[core_v1.Pod], capacity: Mapping[str, str], machine: Machine, unsafe_sysctls: Iterable[str] = (),
    node: core_v1.Node | None = None, *, simulated: bool = False,
) -> Rejection | None:
    """None when `pod` may run beside `others`.  Upstream's checks in upstream's order: the first that fails is told.

    Without the `node`'s object its labels and taints are not looked at.  A `simulated` node gives Pods devices, as it gives them
    everything else.
    """
    living = [each for each in others if not is_terminal(each.status.phase)]
    return (
        _unsupported(pod, simulated)
        or _sysctls(pod, unsafe_sysctls)
        or _security_modules(pod, machine)
        or _operating_system(pod, machine.operating_system)
        or out_of_resources(pod, living, capacity)
        or (_affinity(pod, node) if node is not None else None)
        or _host_ports(pod, living)
        or (_taints(pod, node) if node is not None else None)
    )


def _unsupported(pod: core_v1.Pod, simulated: bool) -> Rejection | None:
    spec = pod.spec
    if spec.host_users is False:
        return Rejection("UserNamespacesNotSupported", "hostUsers: false is not supported")
    if (spec.resource_claims or pod.status.extended_resource_claim_status is not None) and not simulated:
        message = "the devices of resource claims cannot be prepared: this node speaks with no DRA drivers"
        return Rejection("ResourceClaimsNotSupported", message)
    for container in all_containers(pod):
        for rule in container.restart_policy_rules:
            if rule.action != "Restart":
                message = f'restart rule action "{rule.action}" of container {container.name} is not supported'
                return Rejection("RestartRuleNotSupported", message)
    return None


def _sysctls(pod: core_v1.Pod, allowed: Iterable[str]) -> Rejection | None:
    why = forbidden_sysctl(pod, allowed)
    return Rejection("SysctlForbidden", why) if why else None


def _security_modules(pod: core_v1.Pod, machine: Machine) -> Rejection | None:
    """AppArmor in upstream's words.  SELinux labels mean nothing where it is off, as with upstream's runtimes."""
    contexts = [each for each in (pod.spec.security_context, *(c.security_context for c in all_containers(pod))) if each is not None]
    if any(each.app_armor_profile is not None and each.app_armor_profile.type != "Unconfined" for each in contexts):
        why = "profiles are not supported" if machine.apparmor else "AppArmor is not enabled on the host"
        return Rejection("AppArmor", f"Cannot enforce AppArmor: {why}")
    if machine.selinux and any(each.se_linux_options is not None for each in contexts):
        return Rejection("SELinuxNotSupported", "seLinuxOptions are not supported on a host where SELinux is enabled")
    return None


def _operating_system(pod: core_v1.Pod, operating_system: str) -> Rejection | None:
    if pod.metadata.labels.get("kubernetes.io/os", operating_system) != operating_system:
        message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
        return Rejection("PodOSSelectorNodeLabelDoesNotMatch", message)
    if pod.spec.os is not None and pod.spec.os.name != operating_system:
        return Rejection("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    return None


AFFINITY = "NodeAffinity"


def _failed(predicate: str, why: str) -> Rejection:
    return Rejection(predicate, f"Predicate {predicate} failed: {why}")


def _affinity(pod: core_v1.Pod, node: core_v1.Node) -> Rejection | None:
    return None if required_matches(pod, node) else _failed(AFFINITY, "node(s) didn't match Pod's node affinity/selector")


def _taints(pod: core_v1.Pod, node: core_v1.Node) -> Rejection | None:
    """Only those that send away who is there; whom the others keep off is the scheduler's to say."""
    if any(taint.effect == "NoExecute" and not tolerates(pod, taint) for taint in node.spec.taints):
        return _failed("TaintToleration", "node(s) had taints that the pod didn't tolerate")
    return None


def _host_ports(pod: core_v1.Pod, others: list[core_v1.Pod]) -> Rejection | None:
    """0.0.0.0 is every address, so it clashes with any."""
    wanted = host_ports(pod)
    taken = [port for each in others for port in host_ports(each)] if wanted else []
    for address, *port in wanted:
        if any(port == other and (address == at or "0.0.0.0" in (address, at)) for at, *other in taken):
            return _failed("NodePorts", "node(s) didn't have free ports for the requested pod ports")
    return None


def out_of_resources(pod: core_v1.Pod, others: list[core_v1.Pod], capacity: Mapping[str, str]) -> Rejection | None:
    """What the node has too little of; an extended resource that it does not know is somebody else's to give."""
    limit = int(capacity.get("pods", "0"))
    if len(others) + 1 > limit:
        return _out_of("pods", 1, len(others), limit)
    wanted = pod_totals(pod)[0]
    used = [pod_totals(each)[0] for each in others] if wanted else []
    first = ("cpu", "memory", "ephemeral-storage")
    for resource in (*first, *sorted(wanted.keys() - {*first})):
        if ("/" in resource and resource not in capacity) or not quantity.parse(wanted.get(resource, "0")):
            continue
        amount = quantity.milli if resource == "cpu" else quantity.value
        asked, free = amount(wanted[resource]), amount(capacity.get(resource, "0"))
        taken = sum(amount(each.get(resource, "0")) for each in used)
        if asked > free - taken:
            return _out_of(resource, asked, taken, free)
    return None


def _out_of(resource: str, asked: int, used: int, capacity: int) -> Rejection:
    figures = f"requested: {asked}, used: {used}, capacity: {capacity}"
    return Rejection(f"OutOf{resource}", f"Node didn't have enough resource: {resource}, {figures}")
