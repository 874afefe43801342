"""Jobs and CronJobs as upstream's conformance suite wants them."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from cluster_harness import eventually
from workloads import FOREVER, Json, Room, condition, job, owner, template

pytest_plugins = ("workload_cluster",)
pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
INDEX = "batch.kubernetes.io/job-completion-index"


def ends(room: Room, name: str, type_: str = "Complete") -> Json:
    """The Job, once it has that condition; no Pod of it is held then."""
    found = eventually(lambda: (made := room.get("job", name)) and condition(made, type_)[0] == "True" and made, f"{name} is {type_}")
    eventually(lambda: not any("finalizers" in each["metadata"] for each in room.pods(f"job-name={name}").values()), "its Pods are free")
    return dict(found)


def told(made: Json) -> list[tuple[str, str]]:
    return [(each["type"], each["reason"]) for each in made["status"]["conditions"] if each["status"] == "True"]


def status(made: Json, *names: str) -> tuple[Any, ...]:
    return tuple(made["status"].get(name) for name in names)


def test_indexes_have_names_and_a_failed_task_is_done_again(room: Room) -> None:
    script = '[ "$(hostname)" = "work-$JOB_COMPLETION_INDEX" ] && [ "$JOB_COMPLETION_INDEX" = "$FROM" ]'
    annotation = {"valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}}
    work = job("work", script, completions=4, parallelism=2, completionMode="Indexed", container={"env": [{"name": "FROM", **annotation}]})
    again = job("again", "[ -e /cache/seen ] || { touch /cache/seen; exit 1; }", "OnFailure", completions=2, parallelism=2,
                container={"volumeMounts": [{"name": "cache", "mountPath": "/cache"}]})
    again["spec"]["template"]["spec"]["volumes"] = [{"name": "cache", "emptyDir": {}}]
    room.create(work, again)
    made = ends(room, "work")
    assert status(made, "succeeded", "completedIndexes", "failed") == (4, "0-3", None)
    assert told(made) == [("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached")]
    pods = room.pods("job-name=work")
    assert sorted(each["metadata"]["labels"][INDEX] for each in pods.values()) == list("0123")
    assert {name.rsplit("-", 1)[0] for name in pods} == {f"work-{n}" for n in range(4)}
    assert {each["metadata"]["labels"]["batch.kubernetes.io/job-name"] for each in pods.values()} == {"work"}
    made = ends(room, "again")
    assert status(made, "succeeded", "failed") == (2, None), "restarted where it was"
    assert [reason for reason, _ in room.events("Job", "work")].count("SuccessfulCreate") == 4
    assert room.events("Job", "work")[-1] == ("Completed", "Job completed")
    row = room.kubectl("get", "job", "work", "--no-headers").split()
    assert row[:3] == ["work", "Complete", "4/4"]


def test_a_failure_policy_ends_ignores_and_counts(room: Room) -> None:
    def policy(*rules: Json) -> Json:
        return {"podFailurePolicy": {"rules": list(rules)}}

    exits: Json = {"operator": "In", "values": [42]}
    room.create(
        job("early", "exit 42", backoffLimit=3, **policy({"action": "FailJob", "onExitCodes": {**exits, "containerName": "c"}})),
        job("one-index", '[ "$JOB_COMPLETION_INDEX" = 0 ] && exit 42; exit 0', completions=2, parallelism=2, completionMode="Indexed",
            backoffLimitPerIndex=2, **policy({"action": "FailIndex", "onExitCodes": exits})),
        job("disturbed", FOREVER, backoffLimit=0, **policy({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]})),
    )
    made = ends(room, "early", "Failed")
    assert told(made) == [("FailureTarget", "PodFailurePolicy"), ("Failed", "PodFailurePolicy")]
    [name] = room.pods("job-name=early")
    message = made["status"]["conditions"][-1]["message"]
    assert message == f"Container c for pod {room.name}/{name} failed with exit code 42 matching FailJob rule at index 0"
    made = ends(room, "one-index", "Failed")
    assert status(made, "failedIndexes", "completedIndexes", "failed") == ("0", "1", 1)
    assert told(made) == [("FailureTarget", "FailedIndexes"), ("Failed", "FailedIndexes")]
    [first] = eventually(lambda: room.pods("job-name=disturbed"), "it has a Pod")
    room.wait(f"pod/{first}", "condition=Ready")
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first, "namespace": room.name}}
    room.kubectl("create", "--raw", f"/api/v1/namespaces/{room.name}/pods/{first}/eviction", "-f", "-", stdin=json.dumps(body))
    eventually(lambda: first not in room.pods("job-name=disturbed"), "it is gone, and so was looked at")
    assert status(room.get("job", "disturbed"), "failed", "conditions") == (None, None), "the eviction does not count, and fails nothing"


def test_limits_per_index_and_success_policies(room: Room) -> None:
    room.create(
        job("per-index", '[ "$JOB_COMPLETION_INDEX" = 1 ] && exit 1; exit 0', completions=3, parallelism=3, completionMode="Indexed",
            backoffLimitPerIndex=0),
        job("max-failed", "exit 1", completions=4, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=0, maxFailedIndexes=1),
        job("enough", f'[ "$JOB_COMPLETION_INDEX" = 0 ] && exit 0; {FOREVER}', completions=3, parallelism=3, completionMode="Indexed",
            successPolicy={"rules": [{"succeededIndexes": "0"}]}),
    )
    made = ends(room, "per-index", "Failed")
    assert status(made, "failedIndexes", "completedIndexes", "succeeded", "failed") == ("1", "0,2", 2, 1)
    assert made["status"]["conditions"][-1]["message"] == "Job has failed indexes"
    made = ends(room, "max-failed", "Failed")
    assert told(made)[-1] == ("Failed", "MaxFailedIndexesExceeded")
    made = ends(room, "enough")
    assert told(made) == [("SuccessCriteriaMet", "SuccessPolicy"), ("Complete", "SuccessPolicy")]
    assert status(made, "succeeded", "completedIndexes", "failed", "active") == (1, "0", None, None)
    assert made["status"]["conditions"][0]["message"] == "Matched rules at index 0"
    eventually(lambda: all(each["status"]["phase"] in ("Succeeded", "Failed") for each in room.pods("job-name=enough").values()), "nothing runs on")


def test_deadlines_back_off_and_ttl(room: Room) -> None:
    room.create(
        job("late", FOREVER, activeDeadlineSeconds=1),
        job("never", "exit 1", backoffLimit=0),
        job("restarted", "exit 1", "OnFailure", backoffLimit=1),
        job("short", "exit 0", ttlSecondsAfterFinished=0),
    )
    made = ends(room, "late", "Failed")
    assert made["status"]["conditions"][-1]["message"] == "Job was active longer than specified deadline"
    made = ends(room, "never", "Failed")
    assert told(made) == [("FailureTarget", "BackoffLimitExceeded"), ("Failed", "BackoffLimitExceeded")]
    assert room.events("Job", "never")[-1] == ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    made = ends(room, "restarted", "Failed")
    assert told(made)[-1] == ("Failed", "BackoffLimitExceeded")
    eventually(lambda: "NotFound" in room.kubectl("get", "job", "short", check=False) and not room.pods("job-name=short"), "it has cleaned up")


def test_suspends_resumes_and_is_elastic(room: Room) -> None:
    room.create(job("work", FOREVER, suspend=True, completions=2, parallelism=2, completionMode="Indexed"))
    eventually(lambda: condition(room.get("job", "work"), "Suspended") == ("True", "JobSuspended"), "it is suspended")
    made = room.get("job", "work")
    assert status(made, "startTime", "active") == (None, None)
    assert not room.pods()
    place = {"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/os": "linux"}}}}}
    room.patch("job/work", place)
    room.patch("job/work", {"spec": {"suspend": False}})
    eventually(lambda: status(room.get("job", "work"), "active", "ready") == (2, 2), "both run")
    assert room.get("job", "work")["status"]["startTime"]
    refused = room.patch("job/work", {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}}, check=False)
    assert "field is immutable" in refused
    assert "can only be modified in tandem with spec.parallelism" in room.patch("job/work", {"spec": {"completions": 3}}, check=False)
    room.patch("job/work", {"spec": {"completions": 1, "parallelism": 1}})
    eventually(lambda: [each["metadata"]["labels"][INDEX] for each in room.pods().values()] == ["0"], "it has shrunk")
    room.patch("job/work", {"spec": {"completions": 3, "parallelism": 3}})
    eventually(lambda: len(room.pods()) == 3, "it has grown")
    room.patch("job/work", {"spec": {"suspend": True}})
    eventually(lambda: not room.pods(), "its Pods are gone")
    made = eventually(lambda: (each := room.get("job", "work")) and condition(each, "Suspended")[0] == "True" and each, "it is suspended")
    assert status(made, "active", "failed", "startTime") == (None, None, None)
    more = {"containers": [{"name": "c", "resources": {"requests": {"cpu": "20m"}}}], "nodeSelector": {"kubernetes.io/arch": "none"}}
    room.patch("job/work", {"spec": {"template": {"spec": more}}}, type_="strategic")
    assert {("Suspended", "Job suspended"), ("Resumed", "Job resumed")} <= set(room.events("Job", "work"))
    row = room.kubectl("get", "job", "work", "--no-headers").split()
    assert row[:3] == ["work", "Suspended", "0/3"]


def test_adopts_releases_and_is_deleted(room: Room) -> None:
    room.create(job("work", FOREVER, completions=2, parallelism=2))
    eventually(lambda: status(room.get("job", "work"), "ready") == (2,), "both run")
    first, second = room.pods()
    room.patch(f"pod/{first}", {"metadata": {"ownerReferences": None}})
    eventually(lambda: owner(room.get("pod", first)) == "Job/work", "it is adopted again")
    room.patch(f"pod/{second}", {"metadata": {"labels": None}})
    eventually(lambda: owner(room.get("pod", second)) == "", "it is released")
    assert "finalizers" not in room.get("pod", second)["metadata"]
    eventually(lambda: len(room.pods("job-name=work")) == 2, "it is replaced")
    room.patch("job/work", {"metadata": {"annotations": {"seen": "yes"}}, "status": {"conditions": [
        {"type": "Ours", "status": "True", "reason": "Test"}]}}, "--subresource=status")
    made = room.get("job", "work")
    assert (made["metadata"]["annotations"]["seen"], condition(made, "Ours")) == ("yes", ("True", "Test"))
    room.kubectl("delete", "job", "work")
    eventually(lambda: list(room.pods()) == [second], "its Pods are gone with it")


def test_replaces_only_the_failed_and_leaves_what_others_manage(room: Room) -> None:
    slow = "trap 'sleep 2; exit 1' TERM; while :; do sleep 1000 & wait; done"
    made = job("slow", slow, podReplacementPolicy="Failed")
    made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 10
    room.create(made, job("foreign", FOREVER, managedBy="example.com/queue"))
    [first] = eventually(lambda: room.pods("job-name=slow"), "it has a Pod")
    room.wait(f"pod/{first}", "condition=Ready")
    room.kubectl("delete", "pod", first, "--wait=false")
    eventually(lambda: status(room.get("job", "slow"), "terminating", "active") == (1, None), "it waits for the end of the first")
    eventually(lambda: status(room.get("job", "slow"), "terminating", "failed") == (0, 1), "which counts as failed")
    assert not room.pods("job-name=foreign")
    assert room.get("job", "foreign")["status"] == {}
    refused = room.patch("job/foreign", {"spec": {"managedBy": None}}, check=False)
    assert "field is immutable" in refused


def cron_job(name: str, schedule: str = "* * * * *", **spec: Any) -> Json:
    body = {"schedule": schedule, "jobTemplate": {"spec": {"template": template("exit 0", restartPolicy="Never")}}, **spec}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "labels": {"a": "b"}}, "spec": body}


def test_a_cron_job_by_hand_and_its_endpoints(room: Room) -> None:
    room.create(cron_job("tick", "@every 1h", suspend=True))
    room.kubectl("create", "job", "now", "--from=cronjob/tick")
    made = ends(room, "now")
    assert made["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert owner(made) == "CronJob/tick"
    eventually(lambda: room.get("cronjob", "tick")["status"].get("lastSuccessfulTime"), "its success is told")
    assert status(room.get("cronjob", "tick"), "lastScheduleTime", "active") == (None, None)
    room.patch("cronjob/tick", {"status": {"lastScheduleTime": "2026-01-01T00:00:00Z"}}, "--subresource=status")
    assert status(room.get("cronjob", "tick"), "lastScheduleTime") == ("2026-01-01T00:00:00Z",)
    row = room.kubectl("get", "cronjob", "tick", "--no-headers").split()
    assert row[:6] == ["tick", "@every", "1h", "<none>", "True", "0"]
    room.kubectl("delete", "cronjob", "-l", "a=b")
    eventually(lambda: not room.items("jobs"), "its Jobs are gone with it")


@pytest.mark.parametrize(("schedule", "words"), [
    pytest.param("TZ=UTC * * * * *", "cannot use TZ or CRON_TZ in schedule, use timeZone field instead", id="zone"),
    pytest.param("61 * * * *", "end of range (61) above maximum (59): 61", id="range"),
    pytest.param("* * *", "expected exactly 5 fields, found 3: [* * *]", id="fields"),
])
def test_a_schedule_is_refused_in_upstreams_words(room: Room, schedule: str, words: str) -> None:
    said = room.kubectl("create", "-f", "-", stdin=json.dumps(cron_job("tick", schedule)), check=False)
    assert words in said
