"""What scheduler, kubelet and controllers ask of a Pod: conditions, readiness, quality of service, requests.

Pure functions on typed Pods.  Amounts are Quantities, summed exactly; a resource that nobody names is absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from wherry.api.types.core_v1 import Container, ContainerStatus, EphemeralContainer, Pod, PodCondition, ResourceRequirements
from wherry.apimachinery.quantity import ZERO, Quantity, parse

Amounts = dict[str, Quantity]
TERMINAL_PHASES = ("Succeeded", "Failed")
COMPUTE = ("cpu", "memory")
POD_LEVEL = frozenset(COMPUTE)


# --- state -------------------------------------------------------------------------------------


def get_condition(pod: Pod, kind: str) -> PodCondition | None:
    """The condition of a type (`Ready`, `PodScheduled` ...)."""
    for condition in pod.status.conditions:
        if condition.type == kind:
            return condition
    return None


def is_condition_true(pod: Pod, kind: str) -> bool:
    condition = get_condition(pod, kind)
    return condition is not None and condition.status == "True"


def is_ready(pod: Pod) -> bool:
    return is_condition_true(pod, "Ready")


def is_terminal(pod: Pod) -> bool:
    """Whether it ended and will never run again."""
    return pod.status.phase in TERMINAL_PHASES


def is_terminating(pod: Pod) -> bool:
    """Whether somebody asked for its deletion."""
    return bool(pod.metadata.deletion_timestamp)


def is_active(pod: Pod) -> bool:
    """Whether a controller counts it: it has not ended and is not being deleted."""
    return not is_terminal(pod) and not is_terminating(pod)


def is_sidecar(container: Container | EphemeralContainer) -> bool:
    """An init container that runs on beside the others (KEP-753).  Ask only of init containers."""
    return container.restart_policy == "Always"


def containers(pod: Pod) -> Iterator[Container]:
    """Init containers and regular ones, in the order in which they start."""
    yield from pod.spec.init_containers
    yield from pod.spec.containers


def container_status(pod: Pod, name: str) -> ContainerStatus | None:
    """The status of a container of any kind."""
    status = pod.status
    for statuses in (status.container_statuses, status.init_container_statuses, status.ephemeral_container_statuses):
        for one in statuses:
            if one.name == name:
                return one
    return None


def restarts(pod: Pod) -> int:
    """How often its regular containers and sidecars started again."""
    sidecars = {container.name for container in pod.spec.init_containers if is_sidecar(container)}
    own = sum(status.restart_count for status in pod.status.container_statuses)
    return own + sum(status.restart_count for status in pod.status.init_container_statuses if status.name in sidecars)


# --- quality of service ------------------------------------------------------------------------


def qos_class(pod: Pod) -> str:
    """Guaranteed, Burstable or BestEffort: as its status tells, else computed."""
    return pod.status.qos_class or compute_qos_class(pod)


def _positive(amounts: Mapping[str, str]) -> Amounts:
    found = {name: parse(amounts[name]) for name in COMPUTE if name in amounts}
    return {name: amount for name, amount in found.items() if amount.nanos > 0}


def compute_qos_class(pod: Pod) -> str:
    whole = pod.spec.resources
    holders: list[ResourceRequirements] = [container.resources for container in containers(pod)]
    if whole is not None and (whole.limits or whole.requests):
        holders = [whole]
    requests: Amounts = {}
    limits: Amounts = {}
    guaranteed = True
    for holder in holders:
        own_limits = _positive(holder.limits)
        add(requests, _positive(holder.requests))
        add(limits, own_limits)
        guaranteed = guaranteed and len(own_limits) == len(COMPUTE)
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed and requests == limits else "Burstable"


# --- requests and limits -----------------------------------------------------------------------


def add(total: Amounts, more: Mapping[str, Quantity]) -> None:
    """Add `more` to `total`, in place."""
    for name, amount in more.items():
        total[name] = total.get(name, ZERO) + amount


def _raise(total: Amounts, least: Mapping[str, Quantity]) -> None:
    for name, amount in least.items():
        if name not in total or total[name] < amount:
            total[name] = amount


def parsed(amounts: Mapping[str, str]) -> Amounts:
    return {name: parse(text) for name, text in amounts.items()}


def _aggregate(regular: Iterable[Amounts], init: Iterable[tuple[bool, Amounts]]) -> Amounts:
    """Regular containers and sidecars run together; each other init container beside the sidecars before it."""
    total: Amounts = {}
    for amounts in regular:
        add(total, amounts)
    sidecars: Amounts = {}
    peak: Amounts = {}
    for sidecar, amounts in init:
        if sidecar:
            add(total, amounts)
            add(sidecars, amounts)
            _raise(peak, sidecars)
        else:
            beside = dict(amounts)
            add(beside, sidecars)
            _raise(peak, beside)
    _raise(total, peak)
    return total


def effective_requests(pod: Pod, missing: Mapping[str, Quantity] | None = None, *, held: bool = False) -> Amounts:
    """What the Pod needs of a node, overhead included (upstream's resourcehelper.PodRequests).

    `missing`: what a container counts for that does not ask for the resource.  `held`: what a running Pod was given
    counts as long as the node has not taken it back, and what it asks for in vain does not (KEP-1287).
    """
    spec = pod.spec
    least = missing or {}
    statuses = _resized(pod) if held else {}

    def wanted(container: Container) -> Amounts:
        status = statuses.get(container.name)
        asked = parsed(container.resources.requests)
        if status is not None and status.resources is not None:
            asked = _held(pod, asked, status.resources.requests, status.allocated_resources)
        return {**least, **asked}

    total = _aggregate(
        (wanted(c) for c in spec.containers),
        ((True, wanted(c)) if is_sidecar(c) else (False, {**least, **parsed(c.resources.requests)}) for c in spec.init_containers),
    )
    if spec.resources is not None:
        whole = parsed(spec.resources.requests)
        if held and pod.status.resources is not None and any(map(_pod_level, whole)):
            whole = _held(pod, whole, pod.status.resources.requests, pod.status.allocated_resources)
        total |= {name: amount for name, amount in whole.items() if _pod_level(name)}
    add(total, parsed(spec.overhead))
    return total


def holds(pod: Pod) -> bool:
    """Whether its status says what it was given: else `held` makes no difference."""
    status = pod.status
    return status.resources is not None or any(
        each.resources is not None for each in (*status.container_statuses, *status.init_container_statuses)
    )


def _resized(pod: Pod) -> dict[str, ContainerStatus]:
    """The containers whose status tells their resources, by name."""
    told = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    return {each.name: each for each in told if each.resources is not None}


def _held(pod: Pod, asked: Amounts, given: Mapping[str, str], allocated: Mapping[str, str]) -> Amounts:
    """The most of what is asked for, what it has and what it was promised; an infeasible wish does not count."""
    pending = get_condition(pod, "PodResizePending")
    total = {} if pending is not None and pending.reason == "Infeasible" else dict(asked)
    _raise(total, parsed(given))
    _raise(total, parsed(allocated))
    return total


def effective_limits(pod: Pod, *, held: bool = False) -> Amounts:
    """What the Pod may use at most, of the resources that are limited; overhead counts where there is a limit.

    `held` as with `effective_requests`.
    """
    spec = pod.spec
    statuses = _resized(pod) if held else {}

    def wanted(container: Container) -> Amounts:
        status, asked = statuses.get(container.name), parsed(container.resources.limits)
        return _held(pod, asked, status.resources.limits, {}) if status is not None and status.resources is not None else asked

    total = _aggregate(
        (wanted(c) for c in spec.containers),
        ((True, wanted(c)) if is_sidecar(c) else (False, parsed(c.resources.limits)) for c in spec.init_containers),
    )
    if spec.resources is not None:
        whole = parsed(spec.resources.limits)
        if held and pod.status.resources is not None and any(map(_pod_level, whole)):
            whole = _held(pod, whole, pod.status.resources.limits, {})
        total |= {name: amount for name, amount in whole.items() if _pod_level(name)}
    add(total, {name: amount for name, amount in parsed(spec.overhead).items() if name in total})
    return total


def _pod_level(name: str) -> bool:
    return name in POD_LEVEL or name.startswith("hugepages-")


def host_ports(pod: Pod) -> list[tuple[str, str, int]]:
    """(address, protocol, port) that it takes on its node; the address of all is 0.0.0.0."""
    sidecars = (container for container in pod.spec.init_containers if is_sidecar(container))
    return [
        (port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port)
        for container in (*sidecars, *pod.spec.containers)
        for port in container.ports
        if port.host_port
    ]
