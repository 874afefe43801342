"""What a Job does, state by state, in a world without a server."""

from __future__ import annotations

from typing import Any

import pytest
from job_world import JobWorld, make_job, replace

from wherry.api.types import batch_v1, core_v1
from wherry.controller.job import indexes
from wherry.controller.job import model as m
from wherry.controller.job.backoff import remaining

POLICY = batch_v1.PodFailurePolicy


def world(**spec: Any) -> JobWorld:
    w = JobWorld(make_job(**spec))
    w.settle()
    return w


def uids(w: JobWorld) -> list[str]:
    return [pod.metadata.uid for pod in w.active()]


def counts(w: JobWorld) -> dict[str, Any]:
    s = w.job.status
    return {name: value for name, value in {
        "active": s.active or 0, "succeeded": s.succeeded or 0, "failed": s.failed or 0, "terminating": s.terminating or 0,
    }.items() if value}


@pytest.mark.parametrize(("text", "expected"), [
    ("", []), ("0", [0]), ("0,1", [0, 1]), ("0-2", [0, 1, 2]), ("1,3-5,7", [1, 3, 4, 5, 7]), ("8-12", [8, 9]),
])
def test_indexes(text, expected):
    found = indexes.parse(text, 10)
    assert sorted(found) == expected
    if text != "8-12":
        assert indexes.render(found) == text


def test_one_completion_succeeds_as_upstream_tells_it():
    w = world()
    assert counts(w) == {"active": 1}
    assert w.job.status.start_time
    w.end(uids(w)[0], "Succeeded")
    w.settle(1)
    assert counts(w) == {"succeeded": 1}
    why = ("CompletionsReached", "Reached expected number of succeeded pods")
    assert [(c.type, c.status) for c in w.job.status.conditions] == [("SuccessCriteriaMet", "True"), ("Complete", "True")]
    assert w.condition(m.COMPLETE) == w.condition(m.SUCCESS_CRITERIA_MET) == why
    assert w.job.status.completion_time
    assert w.events == [("Normal", "Completed", "Job completed")]


def test_failure_waits_longer_each_time_and_ends_at_the_limit():
    w = world(backoff_limit=2)
    for delay in (10, 20):
        w.end(uids(w)[0], "Failed")
        assert w.settle() == delay
        assert uids(w) == []
        w.settle(delay - 1)
        assert uids(w) == []
        w.settle(1)
        assert len(uids(w)) == 1
    w.end(uids(w)[0], "Failed")
    w.settle()
    assert w.condition(m.FAILED) == ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    assert counts(w) == {"failed": 3}
    assert w.events == [("Warning", "BackoffLimitExceeded", "Job has reached the specified backoff limit")]


@pytest.mark.parametrize(("failures", "delay"), [(1, 10), (2, 20), (6, 320), (7, 600), (40, 600)])
def test_delays_grow_up_to_ten_minutes(failures, delay):
    assert remaining(failures, 100.0, 100.0) == delay
    assert remaining(failures, 100.0, 100.0 + delay) == 0


def test_delay_is_known_after_a_restart():
    w = world()
    w.end(uids(w)[0], "Failed")
    w.settle()
    w.restart()
    assert w.settle(4) == 6


def test_work_queue_starts_nothing_after_the_first_success():
    w = world(completions=None, parallelism=3)
    assert len(uids(w)) == 3
    first, second, third = uids(w)
    w.end(first, "Succeeded")
    w.settle()
    assert uids(w) == [second, third]
    assert w.condition(m.COMPLETE) is None
    w.end(second, "Succeeded")
    w.end(third, "Failed")
    w.settle()
    assert counts(w) == {"succeeded": 2, "failed": 1}
    assert w.condition(m.COMPLETE)


def test_never_more_active_than_remaining_completions():
    w = world(completions=5, parallelism=3)
    assert len(uids(w)) == 3
    for uid in uids(w):
        w.end(uid, "Succeeded")
    w.settle()
    assert len(uids(w)) == 2


def test_parallelism_lowered_deletes_without_counting():
    w = world(completions=9, parallelism=4)
    w.job = replace(w.job, spec=replace(w.job.spec, parallelism=1), metadata=replace(w.job.metadata, resource_version="50"))
    w.settle()
    assert counts(w) == {"active": 1, "terminating": 3}
    for uid in [uid for uid in w.pods if uid not in uids(w)]:
        w.end(uid, "Failed")
    w.settle()
    assert counts(w) == {"active": 1}


def test_deadline():
    w = world(active_deadline_seconds=5)
    assert w.settle(1) == 4
    w.settle(4)
    why = ("DeadlineExceeded", "Job was active longer than specified deadline")
    assert w.condition(m.FAILURE_TARGET) == why
    assert w.condition(m.FAILED) is None, "a Pod of it still runs"
    assert counts(w) == {"failed": 1, "terminating": 1}
    w.end(next(iter(w.pods)), "Failed")
    w.settle()
    assert w.condition(m.FAILED) == why
    assert counts(w) == {"failed": 1}


def test_restarts_count_with_on_failure():
    w = world(restart="OnFailure", backoff_limit=1)
    uid = uids(w)[0]
    status = core_v1.PodStatus(phase="Running", container_statuses=[core_v1.ContainerStatus(name="c", restart_count=1)])
    w.pods[uid] = replace(w.pods[uid], status=status)
    w.settle()
    assert w.condition(m.FAILURE_TARGET) == ("BackoffLimitExceeded", "Job has reached the specified backoff limit")


def test_suspend_and_resume():
    w = world(suspend=True, active_deadline_seconds=10)
    assert (uids(w), w.job.status.start_time) == ([], None)
    assert w.events == [("Normal", "Suspended", "Job suspended")]
    version = int(w.job.metadata.resource_version)

    def suspend(value: bool) -> None:
        nonlocal version
        version += 10
        w.job = replace(w.job, spec=replace(w.job.spec, suspend=value), metadata=replace(w.job.metadata, resource_version=str(version)))

    suspend(False)
    assert w.settle(60) == 10
    assert (len(uids(w)), w.events[-1]) == (1, ("Normal", "Resumed", "Job resumed"))
    suspend(True)
    w.settle()
    assert counts(w) == {"terminating": 1}
    assert w.job.status.start_time is None
    w.end(next(iter(w.pods)), "Failed")
    w.settle(100)
    suspend(False)
    assert w.settle() == 10, "the deadline starts anew"
    assert counts(w) == {"active": 1}, "what suspension ended is no failure"
    assert [c.type for c in w.job.status.conditions] == ["Suspended"]


def test_indexed_pods_and_indexes():
    w = world(completion_mode="Indexed", completions=3, parallelism=2)
    first = w.active()[0]
    assert first.metadata.annotations[m.INDEX] == first.metadata.labels[m.INDEX] == "0"
    assert (first.spec.hostname, first.metadata.generate_name) == ("j-0", "j-0-")
    assert first.spec.containers[0].env[0].name == "JOB_COMPLETION_INDEX"
    w.end(w.active()[1].metadata.uid, "Succeeded")
    w.settle()
    assert w.job.status.completed_indexes == "1"
    assert [pod.metadata.annotations[m.INDEX] for pod in w.active()] == ["0", "2"]
    for uid in uids(w):
        w.end(uid, "Succeeded")
    w.settle()
    assert (w.job.status.completed_indexes, w.job.status.succeeded) == ("0-2", 3)
    assert w.condition(m.COMPLETE)


@pytest.mark.parametrize("index", [None, "", "x", "²", "-1", "7"])
def test_a_pod_without_an_index_of_the_job_is_removed_and_not_counted(index):
    w = world(completion_mode="Indexed", completions=2, parallelism=2)
    for uid, phase in (("odd", "Pending"), ("done", "Succeeded"), ("bad", "Failed")):
        pod = w.active()[0]
        annotations = {} if index is None else {m.INDEX: index}
        w.pods[uid] = replace(pod, metadata=replace(pod.metadata, uid=uid, annotations=annotations), status=core_v1.PodStatus(phase=phase))
    w.settle()
    assert counts(w) == {"active": 2, "terminating": 1}
    assert w.pods["odd"].metadata.deletion_timestamp
    assert not any(m.is_tracked(w.pods[uid]) for uid in ("odd", "done", "bad"))


def test_two_pods_of_an_index_become_one():
    w = world(completion_mode="Indexed", completions=2, parallelism=2)
    first = w.active()[0]
    w.pods["twin"] = replace(first, metadata=replace(first.metadata, uid="twin"))
    w.settle()
    assert sorted(map(m.index_of, w.active())) == [0, 1]


def test_backoff_per_index():
    w = world(completion_mode="Indexed", completions=2, parallelism=2, backoff_limit_per_index=1, backoff_limit=2**31 - 1)
    w.end(uids(w)[0], "Failed")
    assert w.settle() == 10
    w.settle(10)
    again = next(pod for pod in w.active() if m.index_of(pod) == 0)
    assert again.metadata.annotations[m.FAILURES] == "1"
    w.end(again.metadata.uid, "Failed")
    w.settle()
    assert w.job.status.failed_indexes == "0"
    assert w.condition(m.FAILURE_TARGET) is None, "index 1 still runs"
    w.end(uids(w)[0], "Succeeded")
    w.settle()
    assert w.condition(m.FAILED) == ("FailedIndexes", "Job has failed indexes")
    assert counts(w) == {"succeeded": 1, "failed": 2}


def test_max_failed_indexes():
    w = world(
        completion_mode="Indexed", completions=4, parallelism=4, backoff_limit_per_index=0, max_failed_indexes=1, backoff_limit=2**31 - 1,
    )
    for uid in uids(w)[:2]:
        w.end(uid, "Failed")
    w.settle()
    assert w.condition(m.FAILURE_TARGET) == (
        "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes",
    )
    assert w.active() == []


def rule(action: str, **fields: Any) -> batch_v1.PodFailurePolicyRule:
    return batch_v1.PodFailurePolicyRule(action=action, **fields)


CODES = batch_v1.PodFailurePolicyOnExitCodesRequirement(operator="In", values=[1])
OTHER_CODES = batch_v1.PodFailurePolicyOnExitCodesRequirement(operator="NotIn", values=[1])


@pytest.mark.parametrize(("rules", "failed", "message"), [
    pytest.param([rule("Ignore", on_exit_codes=CODES)], 0, None, id="ignored"),
    pytest.param([rule("Count", on_exit_codes=CODES), rule("FailJob", on_exit_codes=CODES)], 1, None, id="first rule counts"),
    pytest.param([rule("FailJob", on_exit_codes=OTHER_CODES)], 1, None, id="no rule matches"),
    pytest.param(
        [rule("Ignore", on_exit_codes=OTHER_CODES), rule("FailJob", on_exit_codes=CODES)], 1,
        "Container c for pod default/j-u1 failed with exit code 1 matching FailJob rule at index 1", id="fail the job",
    ),
])
def test_pod_failure_policy(rules, failed, message):
    w = world(pod_failure_policy=POLICY(rules=rules), pod_replacement_policy="Failed")
    w.end(uids(w)[0], "Failed")
    w.settle()
    assert (w.job.status.failed or 0) == failed
    assert w.condition(m.FAILED) == (("PodFailurePolicy", message) if message else None)


def test_an_ignored_failure_is_no_failure_of_its_index():
    policy = POLICY(rules=[rule("Ignore", on_exit_codes=CODES)])
    w = world(
        completion_mode="Indexed", backoff_limit_per_index=0, backoff_limit=2**31 - 1, pod_failure_policy=policy, pod_replacement_policy="Failed",
    )
    w.end(uids(w)[0], "Failed")
    assert w.settle() == 10
    w.settle(10)
    assert (w.job.status.failed_indexes, counts(w)) == ("", {"active": 1})
    assert w.active()[0].metadata.annotations[m.IGNORED] == "1"
    w.end(uids(w)[0], "Failed")
    assert w.settle() == 20, "but each one waits longer"


def test_one_sync_counts_what_it_has_freed():
    w = world(completions=3, parallelism=1)
    w.end(uids(w)[0], "Succeeded")
    w.see_all()
    w.reconcile()
    assert (w.job.status.succeeded, w.job.status.uncounted_terminated_pods) == (1, batch_v1.UncountedTerminatedPods())


def test_a_suspended_job_without_completions_is_complete_and_never_began():
    w = world(suspend=True, completions=0, parallelism=0)
    assert w.condition(m.COMPLETE)
    assert (w.job.status.start_time, w.events) == (None, [("Normal", "Completed", "Job completed")])


def test_an_end_that_is_seen_late_ends_a_suspended_job():
    w = world(backoff_limit=0)
    late = w.active()[0]
    w.edit(suspend=True)
    w.settle()
    assert w.job.status.start_time is None
    w.pods["late"] = replace(late, metadata=replace(late.metadata, uid="late"), status=core_v1.PodStatus(phase="Failed"))
    w.end(next(iter(w.pods)), "Failed")
    w.settle()
    assert w.condition(m.FAILED) == ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    assert w.job.status.start_time


def test_pod_failure_policy_on_conditions():
    pattern = batch_v1.PodFailurePolicyOnPodConditionsPattern(type="DisruptionTarget", status="True")
    policy = POLICY(rules=[rule("Ignore", on_pod_conditions=[pattern])])
    w = world(pod_failure_policy=policy, backoff_limit=0, pod_replacement_policy="Failed")
    uid = uids(w)[0]
    w.end(uid, "Failed")
    pod = w.pods[uid]
    disrupted = core_v1.PodCondition(type="DisruptionTarget", status="True")
    w.pods[uid] = replace(pod, status=replace(pod.status, conditions=[disrupted]))
    w.settle()
    w.settle(10)
    assert counts(w) == {"active": 1}


@pytest.mark.parametrize(("policy_rule", "met"), [
    pytest.param({"succeeded_indexes": "0"}, True, id="leader"),
    pytest.param({"succeeded_indexes": "1-2"}, False, id="others"),
    pytest.param({"succeeded_count": 1}, True, id="any"),
    pytest.param({"succeeded_indexes": "0-2", "succeeded_count": 2}, False, id="two of three"),
])
def test_success_policy(policy_rule, met):
    rules = [batch_v1.SuccessPolicyRule(**policy_rule)]
    w = world(completion_mode="Indexed", completions=3, parallelism=3, success_policy=batch_v1.SuccessPolicy(rules=rules))
    w.end(uids(w)[0], "Succeeded")
    w.settle()
    assert w.condition(m.SUCCESS_CRITERIA_MET) == (("SuccessPolicy", "Matched rules at index 0") if met else None)
    if met:
        assert w.active() == []
        for uid in list(w.pods):
            w.end(uid, "Failed")
        w.settle()
        assert w.condition(m.COMPLETE)
        assert counts(w) == {"succeeded": 1}, "what success ended is no failure"


@pytest.mark.parametrize(("policy", "replaced"), [("TerminatingOrFailed", True), ("Failed", False)])
def test_pod_replacement_policy(policy, replaced):
    w = world(pod_replacement_policy=policy)
    uid = uids(w)[0]
    w.delete(uid)
    w.settle()
    w.settle(10)
    assert bool(uids(w)) is replaced
    assert counts(w) == ({"active": 1, "failed": 1, "terminating": 1} if replaced else {"terminating": 1})
    w.end(uid, "Failed")
    w.settle()
    w.settle(10)
    assert counts(w) == {"active": 1, "failed": 1}
