"""What spec.podFailurePolicy says of a failed Pod.  Pure.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wherry.api.types import batch_v1, core_v1
from wherry.controller.job.model import FAILURES, count_annotation, is_failed


@dataclass(frozen=True, slots=True)
class Ruling:
    """`action` is the rule's that matched, empty when none did; `message` says why a Job is to fail."""

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        """The failure counts towards the back-off limit."""
        return self.action != "Ignore"


def judge(policy: batch_v1.PodFailurePolicy | None, pod: core_v1.Pod) -> Ruling:
    """The first rule that matches decides."""
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    for number, rule in enumerate(policy.rules if policy is not None else ()):
        if rule.on_exit_codes is not None:
            status = _exit_code(rule.on_exit_codes, pod)
            if status is not None:
                assert status.state.terminated is not None
                code = status.state.terminated.exit_code
                words = f"failed with exit code {code} matching {rule.action} rule at index {number}"
                return Ruling(rule.action, f"Container {status.name} for pod {name} {words}")
        else:
            met = _condition(rule.on_pod_conditions, pod)
            if met is not None:
                return Ruling(rule.action, f"Pod {name} has condition {met.type} matching {rule.action} rule at index {number}")
    return Ruling()


def _exit_code(wanted: batch_v1.PodFailurePolicyOnExitCodesRequirement, pod: core_v1.Pod) -> core_v1.ContainerStatus | None:
    for status in (*pod.status.container_statuses, *pod.status.init_container_statuses):
        ended = status.state.terminated
        if ended is None or ended.exit_code == 0 or (wanted.container_name and wanted.container_name != status.name):
            continue
        if (ended.exit_code in wanted.values) == (wanted.operator == "In"):
            return status
    return None


def _condition(
    patterns: Iterable[batch_v1.PodFailurePolicyOnPodConditionsPattern], pod: core_v1.Pod,
) -> core_v1.PodCondition | None:
    wanted = {(pattern.type, pattern.status or "True") for pattern in patterns}
    return next((each for each in pod.status.conditions if (each.type, each.status) in wanted), None)


def message_to_fail(job: batch_v1.Job, pods: Iterable[core_v1.Pod]) -> str | None:
    """Why the Job is to fail at once: a Pod met a rule with the action FailJob."""
    policy = job.spec.pod_failure_policy
    if policy is None:
        return None
    rulings = (judge(policy, pod) for pod in pods if is_failed(pod, job))
    return next((ruling.message for ruling in rulings if ruling.action == "FailJob"), None)


def fails_index(job: batch_v1.Job, pod: core_v1.Pod) -> bool:
    """This failure is one too many for the Pod's index: a rule says so, or it counts and the limit is reached."""
    ruling = judge(job.spec.pod_failure_policy, pod)
    if ruling.action == "FailIndex":
        return True
    return ruling.counts and count_annotation(pod, FAILURES) >= (job.spec.backoff_limit_per_index or 0)
