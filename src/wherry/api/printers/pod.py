"""Pods as `kubectl get pods` shows them: READY, STATUS and RESTARTS from what each container says of itself.

STATUS is one word for the whole Pod.  It starts as the phase; a container that says something more
particular (CrashLoopBackOff, Completed, Error) overrides it, an unfinished init container overrides
those (Init:0/1), and deletion overrides all (Terminating).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wherry.api.printers.text import AGE, NAME, NONE, age, column, deleting, has_condition, name, part, wide
from wherry.api.resource import Age, Cell, Object, Printer

_FINISHED = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


@dataclass(slots=True)
class _Restarts:
    """How often containers were restarted, and when the last one had ended before."""

    count: int = 0
    last: str = ""

    def add(self, status: Object) -> None:
        self.count += status.get("restartCount") or 0
        self.last = max(self.last, part(status, "lastState", "terminated").get("finishedAt") or "")

    def cell(self) -> Cell:
        if self.count and self.last:
            return Age(self.last, f"{self.count} ({{}} ago)")
        return str(self.count)


@dataclass(slots=True)
class _Summary:
    status: str
    restarts: _Restarts
    ready: int = 0


def summarize(pod: Object) -> _Summary:
    """STATUS, RESTARTS and the ready containers of a Pod."""
    summary, initializing = _init_containers(pod)
    if not initializing or has_condition(pod, "Initialized"):
        _containers(pod, summary)
    if deleting(pod) and part(pod, "status").get("reason") == "NodeLost":
        summary.status = "Unknown"
    elif deleting(pod) and part(pod, "status").get("phase") not in _FINISHED:
        summary.status = "Terminating"
    return summary


def _pod_status(pod: Object) -> str:
    status = part(pod, "status")
    if any(c.get("type") == "PodScheduled" and c.get("reason") == "SchedulingGated" for c in status.get("conditions") or ()):
        return "SchedulingGated"
    return status.get("reason") or status.get("phase") or ""


def _init_containers(pod: Object) -> tuple[_Summary, bool]:
    """The summary so far, and whether an init container is still to finish.

    Once they are done, only the restarts of sidecars count on: those of plain init containers are history.
    """
    specs = part(pod, "spec").get("initContainers") or []
    sidecars = {each.get("name") for each in specs if each.get("restartPolicy") == "Always"}
    summary = _Summary(_pod_status(pod), _Restarts())
    of_sidecars = _Restarts()
    initializing = False
    for index, status in enumerate(part(pod, "status").get("initContainerStatuses") or ()):
        summary.restarts.add(status)
        sidecar = status.get("name") in sidecars
        if sidecar:
            of_sidecars.add(status)
        terminated = part(status, "state").get("terminated")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if sidecar and status.get("started"):
            summary.ready += bool(status.get("ready"))
            continue
        summary.status = _unfinished(status, index, len(specs))
        initializing = True
        break
    if not initializing or has_condition(pod, "Initialized"):
        summary.restarts = of_sidecars
    return summary, initializing


def _unfinished(status: Object, index: int, count: int) -> str:
    """What an init container that has not succeeded makes of STATUS."""
    terminated = part(status, "state").get("terminated")
    if terminated is not None:
        return f"Init:{_ending(terminated)}"
    reason = part(status, "state", "waiting").get("reason")
    if reason and reason != "PodInitializing":
        return f"Init:{reason}"
    return f"Init:{index}/{count}"


def _containers(pod: Object, summary: _Summary) -> None:
    running = False
    for status in reversed(part(pod, "status").get("containerStatuses") or ()):
        summary.restarts.add(status)
        state = part(status, "state")
        waiting, terminated = part(state, "waiting").get("reason"), state.get("terminated")
        if waiting:
            summary.status = waiting
        elif terminated is not None:
            summary.status = _ending(terminated)
        elif status.get("ready") and state.get("running") is not None:
            running = True
            summary.ready += 1
    if summary.status == "Completed" and running:
        summary.status = "Running" if has_condition(pod, "Ready") else "NotReady"


def _ending(terminated: dict[str, Any]) -> str:
    """Why a container ended, in a word."""
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _gates(pod: Object) -> str:
    gates = part(pod, "spec").get("readinessGates") or ()
    if not gates:
        return NONE
    return f"{sum(has_condition(pod, gate.get('conditionType', '')) for gate in gates)}/{len(gates)}"


def _cells(pod: Object) -> list[Cell]:
    spec, status = part(pod, "spec"), part(pod, "status")
    summary = summarize(pod)
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    total = len(spec.get("containers") or ()) + len(sidecars)
    addresses = status.get("podIPs") or [{}]
    return [
        name(pod), f"{summary.ready}/{total}", summary.status, summary.restarts.cell(), age(pod),
        addresses[0].get("ip") or NONE, spec.get("nodeName") or NONE, status.get("nominatedNodeName") or NONE, _gates(pod),
    ]


def _conditions(pod: Object) -> list[dict[str, str]]:
    phase = part(pod, "status").get("phase", "")
    if phase not in _FINISHED:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": _FINISHED[phase]}]


POD = Printer(
    (
        NAME,
        column("Ready", "Containers that are ready, of all."),
        column("Status", "The state of the Pod's containers in a word."),
        column("Restarts", "How often containers were restarted, and when last."),
        AGE,
        wide("IP", "The Pod's address."),
        wide("Node", "Where it runs."),
        wide("Nominated Node", "Where it may run once Pods that it preempts are gone."),
        wide("Readiness Gates", "Conditions that it waits for, true ones of all."),
    ),
    _cells,
    _conditions,
)
