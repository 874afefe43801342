"""What upstream's validation of Jobs asks (its cases, in its words): specs, statuses, and what is only warned of."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.strategy.cronjob import CRON_JOB
from wherry.api.strategy.job import JOB
from wherry.apimachinery.patch.merge_patch import apply_merge_patch

UID, START, LATER = "job-uid", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"
INDEXED = {"completionMode": "Indexed", "completions": 2}
PER_INDEX = {**INDEXED, "backoffLimitPerIndex": 1}
MANY = {"completionMode": "Indexed", "completions": 100_001, "backoffLimitPerIndex": 1}
HELD = "when completions are above 100000 and used with backoff limit per index"
DISRUPTED = {"type": "DisruptionTarget", "status": "True"}


def job(name: str = "j", **spec: Any) -> dict[str, Any]:
    """As it stands before validation."""
    template = {"spec": {"containers": [{"name": "c", "image": "x"}], "restartPolicy": "Never"}}
    obj = apply_merge_patch({"metadata": {"name": name, "uid": UID}, "spec": {"template": template}}, {"spec": spec})
    JOB.default(obj)
    JOB.prepare_for_create(obj)
    return obj


def rule(action: str = "FailJob", **fields: Any) -> dict[str, Any]:
    return {"podFailurePolicy": {"rules": [{"action": action, **fields}]}}


def codes(*values: int, operator: str = "In", **fields: Any) -> dict[str, Any]:
    return {"onExitCodes": {"operator": operator, "values": list(values), **fields}}


def success(**rule: Any) -> dict[str, Any]:
    return {**INDEXED, "completions": 5, "successPolicy": {"rules": [rule]}}


RULE = "spec.podFailurePolicy.rules[0]"
WON = "spec.successPolicy.rules[0]"
SPECS: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"managedBy": "kubernetes.io/job-controller"}, []),
    ({"managedBy": ""}, [("spec.managedBy", "Required value")]),
    ({"managedBy": "acme"}, [("spec.managedBy", 'Invalid value: "acme": must be a domain-prefixed path (such as "acme.io/foo")')]),
    ({"managedBy": "acme.io/"}, [("spec.managedBy", 'Invalid value: "acme.io/": must be a domain-prefixed path (such as "acme.io/foo")')]),
    ({"managedBy": "Acme/x"}, [("spec.managedBy", 'Invalid value: "Acme": a lowercase RFC 1123 subdomain')]),
    ({"managedBy": "acme.io/a b"}, [("spec.managedBy", 'Invalid value: "a b": Invalid path (regex used for validation is ')]),
    ({"managedBy": "a.io/" + "x" * 59}, [("spec.managedBy", "Too long: may not be more than 63 bytes")]),
    ({"completionMode": "Indexed", "parallelism": 1}, [("spec.completions", "Required value: when completion mode is Indexed")]),
    ({**INDEXED, "parallelism": 100_001},
     [("spec.parallelism", "Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed")]),
    ({"completionMode": "Odd"}, [("spec.completionMode", 'Unsupported value: "Odd": supported values: "Indexed", "NonIndexed"')]),
    ({"maxFailedIndexes": 1}, [("spec.backoffLimitPerIndex", "Required value: when maxFailedIndexes is specified"),
                               ("spec.maxFailedIndexes", "Invalid value: 1: requires indexed completion mode")]),
    ({**PER_INDEX, "maxFailedIndexes": 3}, [("spec.maxFailedIndexes", "Invalid value: 3: must be less than or equal to completions")]),
    ({**PER_INDEX, "maxFailedIndexes": -1}, [("spec.maxFailedIndexes", "Invalid value: -1: must be greater than or equal to 0")]),
    (MANY, [("spec.maxFailedIndexes", "Required value: must be specified when completions is above 100000")]),
    ({**MANY, "maxFailedIndexes": 10_001, "parallelism": 10_001}, [
        ("spec.parallelism", f"Invalid value: 10001: must be less than or equal to 10000 {HELD}"),
        ("spec.maxFailedIndexes", f"Invalid value: 10001: must be less than or equal to 10000 {HELD}"),
    ]),
    ({**MANY, "maxFailedIndexes": 10_000, "parallelism": 10_000}, []),
    ({"successPolicy": {"rules": [{"succeededCount": 1}]}}, [("spec.successPolicy", "Invalid value: ")]),
    ({**INDEXED, "successPolicy": {"rules": []}},
     [("spec.successPolicy.rules", "Required value: at least one rules must be specified when the successPolicy is specified")]),
    ({**INDEXED, "successPolicy": {"rules": [{"succeededCount": 1}] * 21}},
     [("spec.successPolicy.rules", "Too many: 21: must have at most 20 items")]),
    (success(), [(WON, "Required value: at least one of succeededCount or succeededIndexes must be specified")]),
    (success(succeededIndexes="0-2,4", succeededCount=4), []),
    (success(succeededIndexes="0-2", succeededCount=4), [(
        f"{WON}.succeededCount",
        "Invalid value: 4: must be less than or equal to 3 (the number of indexes in the specified succeededIndexes field)",
    )]),
    (success(succeededCount=6),
     [(f"{WON}.succeededCount", "Invalid value: 6: must be less than or equal to 5 (the number of specified completions)")]),
    (success(succeededCount=-1), [(f"{WON}.succeededCount", "Invalid value: -1: must be greater than or equal to 0")]),
    *(
        (success(succeededIndexes=text), [(f"{WON}.succeededIndexes", f'Invalid value: "{text}": error parsing succeededIndexes: {words}')])
        for text, words in {
            "5": 'too large index: "5"', "0-5": 'too large index: "5"', "a": 'cannot convert string to integer for index: "a"',
            "1-": 'cannot convert string to integer for index: ""', "2-1": "non-increasing order, previous: 2, current: 1",
            "1,1": "non-increasing order, previous: 1, current: 1", "0-2,2": "non-increasing order, previous: 2, current: 2",
            "1-2-3": 'the fragment "1-2-3" violates the requirement that an index interval can have at most two parts',
        }.items()
    ),
    (rule(**codes(1, 2)), []),
    (rule(**codes(0, operator="NotIn")), []),
    (rule("FailIndex", **codes(1)), [(f"{RULE}.action", 'Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set')]),
    ({**PER_INDEX, **rule("FailIndex", **codes(1))}, []),
    (rule("", **codes(1)), [(f"{RULE}.action", 'Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]')]),
    (rule("Odd", **codes(1)),
     [(f"{RULE}.action", 'Unsupported value: "Odd": supported values: "Count", "FailIndex", "FailJob", "Ignore"')]),
    (rule(), [(RULE, "Invalid value: specifying one of OnExitCodes and OnPodConditions is required")]),
    (rule(**codes(1), onPodConditions=[DISRUPTED]),
     [(RULE, "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported")]),
    (rule(onPodConditions=[{"type": "A b", "status": "True"}]), [(f"{RULE}.onPodConditions[0].type", 'Invalid value: "A b": name part ')]),
    (rule(onPodConditions=[{"type": "A", "status": ""}]),
     [(f"{RULE}.onPodConditions[0].status", 'Required value: valid values: ["False" "True" "Unknown"]')]),
    (rule(onPodConditions=[{"type": "A", "status": "Odd"}]),
     [(f"{RULE}.onPodConditions[0].status", 'Unsupported value: "Odd": supported values: "False", "True", "Unknown"')]),
    (rule(onPodConditions=[DISRUPTED] * 21), [(f"{RULE}.onPodConditions", "Too many: 21: must have at most 20 items")]),
    (rule(onPodConditions=[{"type": "DisruptionTarget"}]), []),
    (rule(**codes(0, 1)), [(f"{RULE}.onExitCodes.values[0]", "Invalid value: 0: must not be 0 for the In operator")]),
    (rule(**codes()), [(f"{RULE}.onExitCodes.values", "Invalid value: []: at least one value is required")]),
    (rule(**codes(*range(1, 257))), [(f"{RULE}.onExitCodes.values", "Too many: 256: must have at most 255 items")]),
    (rule(**codes(2, 1, 2)), [(f"{RULE}.onExitCodes.values[2]", "Duplicate value: 2"),
                              (f"{RULE}.onExitCodes.values", "Invalid value: [2,1,2]: must be ordered")]),
    (rule(**codes(1, operator="")), [(f"{RULE}.onExitCodes.operator", 'Required value: valid values: ["In" "NotIn"]')]),
    (rule(**codes(1, containerName="c")), []),
    (rule(**codes(1, containerName="d")), [(
        f"{RULE}.onExitCodes.containerName",
        'Invalid value: "d": must be one of the container or initContainer names in the pod template',
    )]),
    ({"podFailurePolicy": {"rules": [{"action": "Count", **codes(1)}] * 21}},
     [("spec.podFailurePolicy.rules", "Too many: 21: must have at most 20 items")]),
    ({**rule(**codes(1)), "podReplacementPolicy": "TerminatingOrFailed"},
     [("spec.podReplacementPolicy", 'Unsupported value: "TerminatingOrFailed": supported values: "Failed"')]),
    ({"podReplacementPolicy": "Odd"},
     [("spec.podReplacementPolicy", 'Unsupported value: "Odd": supported values: "Failed", "TerminatingOrFailed"')]),
    ({**rule(**codes(1)), "template": {"spec": {"restartPolicy": "OnFailure"}}}, [(
        "spec.template.spec.restartPolicy",
        'Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
    )]),
    ({"template": {"spec": {"restartPolicy": "Always"}}},
     [("spec.template.spec.restartPolicy", 'Required value: valid values: "OnFailure", "Never"')]),
    ({"selector": {"matchLabels": {"job-name": "j"}}}, []),
    ({"selector": {"matchLabels": {"controller-uid": "other"}}}, [
        ("spec.selector", "Invalid value: "), ("spec.template.metadata.labels", "Invalid value: "),
    ]),
    ({"manualSelector": True}, [
        ("spec.selector", "Required value"), ("spec.template.metadata.labels", "Invalid value: null: `selector` does not match"),
    ]),
    ({"template": {"metadata": {"labels": {"job-name": "other"}}}},
     [("spec.template.metadata.labels[job-name]", "Invalid value: ")]),
]


@pytest.mark.parametrize(("spec", "expected"), SPECS)
def test_a_spec_is_refused_in_upstreams_words(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = [(cause.field, cause.message) for cause in JOB.validate(job(**copy.deepcopy(spec)))]
    assert [field for field, _ in found] == [field for field, _ in expected]
    for (_, message), (_, words) in zip(found, expected, strict=True):
        assert message.startswith(words)


@pytest.mark.parametrize(("length", "completions", "refused"), [(61, 10, False), (61, 11, True), (62, 10, True), (62, 0, False)])
def test_the_longest_host_name_of_an_indexed_job_must_fit(length: int, completions: int, refused: bool) -> None:
    name = "x" * length
    found = JOB.validate(job(name, **{**INDEXED, "completions": completions}))
    words = f'Invalid value: "{name}": will not able to create pod with invalid DNS label: {name}-{completions - 1}'
    assert [(cause.field, cause.message) for cause in found] == ([("metadata.name", words)] if refused else [])


def condition(type_: str, status: str = "True") -> dict[str, Any]:
    return {"type": type_, "status": status}


COMPLETE = [condition("SuccessCriteriaMet"), condition("Complete")]
FAILED = [condition("FailureTarget"), condition("Failed")]
DONE = {"startTime": START, "completionTime": LATER, "succeeded": 1, "conditions": COMPLETE}
CONDITIONS = "status.conditions"
STATUSES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = [
    ({}, {}, {"startTime": START, "active": 1, "ready": 1}, []),
    ({}, {"startTime": START}, DONE, []),
    ({}, {"startTime": START}, {"startTime": START, "conditions": FAILED, "failed": 1}, []),
    ({}, {}, {"active": -1}, [("status.active", "must be greater than or equal to 0")]),
    ({}, {}, {"uncountedTerminatedPods": {"succeeded": ["a", "b", "a"], "failed": ["b", ""]}}, [
        ("status.uncountedTerminatedPods.succeeded[2]", 'Duplicate value: "a"'),
        ("status.uncountedTerminatedPods.failed[0]", 'Duplicate value: "b"'),
        ("status.uncountedTerminatedPods.failed[1]", "must not be empty"),
    ]),
    ({}, {"failed": 3}, {"failed": 1}, [("status.failed", "cannot decrease the failed counter")]),
    ({}, {"succeeded": 3}, {"succeeded": 1}, [("status.succeeded", "cannot decrease the succeeded counter")]),
    ({**INDEXED, "parallelism": 2}, {"succeeded": 2}, {"succeeded": 1}, []),
    ({**INDEXED, "parallelism": 1}, {"succeeded": 2}, {"succeeded": 1}, [("status.succeeded", "cannot decrease the succeeded counter")]),
    ({}, DONE, {**DONE, "conditions": COMPLETE[:1]}, [
        (CONDITIONS, "cannot disable the terminal Complete=True condition"),
        ("status.completionTime", "cannot set completionTime when there is no Complete=True condition"),
    ]),
    ({}, {"conditions": FAILED[:1]}, {"conditions": []}, [(CONDITIONS, "cannot disable the terminal FailureTarget=True condition")]),
    ({}, {"conditions": COMPLETE[:1]}, {"conditions": []}, [(CONDITIONS, "cannot disable the SuccessCriteriaMet=True condition")]),
    ({}, {"startTime": START}, {"startTime": START, "conditions": FAILED[1:]},
     [(CONDITIONS, "cannot set Failed=True condition without the FailureTarget=true condition")]),
    ({}, {"startTime": START}, {**DONE, "conditions": COMPLETE[1:]},
     [(CONDITIONS, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition")]),
    ({}, {"startTime": START}, {**DONE, "conditions": COMPLETE + FAILED}, [
        (CONDITIONS, "cannot set Complete=True and Failed=true conditions"),
        (CONDITIONS, "cannot set Complete=True and FailureTarget=true conditions"),
        (CONDITIONS, "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
        (CONDITIONS, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
    ]),
    ({}, {"startTime": START}, {**DONE, "completionTime": None}, [("status.completionTime", "completionTime is required for Complete jobs")]),
    ({}, DONE, {**DONE, "completionTime": "2026-01-01T02:00:00Z"}, [("status.completionTime", "completionTime cannot be mutated")]),
    ({}, {"startTime": LATER}, {**DONE, "startTime": LATER, "completionTime": START},
     [("status.completionTime", "completionTime cannot be set before startTime")]),
    ({}, {"startTime": START}, {**DONE, "active": 1}, [("status.active", "active>0 is invalid for finished job")]),
    ({}, {"startTime": START}, {**DONE, "terminating": 1}, [("status.terminating", "terminating>0 is invalid for finished job")]),
    ({}, {}, {**DONE, "startTime": None}, [("status.startTime", "startTime is required for finished job")]),
    ({}, {"startTime": START}, {**DONE, "uncountedTerminatedPods": {"failed": ["a"]}},
     [("status.uncountedTerminatedPods", "uncountedTerminatedPods needs to be empty for finished job")]),
    ({}, {"startTime": START}, {"startTime": LATER}, [("status.startTime", "startTime cannot be removed for unsuspended job")]),
    ({"suspend": True}, {"startTime": START}, {}, []),
    ({}, {}, {"ready": 1}, [("status.ready", "cannot set more ready pods than active")]),
    ({}, {"ready": 1}, {"ready": 1, "failed": 1}, []),
    ({}, {}, {"completedIndexes": "0"}, [("status.completedIndexes", "cannot set non-empty completedIndexes when non-indexed completion mode")]),
    (INDEXED, {}, {"completedIndexes": "0-9"}, [("status.completedIndexes", 'error parsing completedIndexes: too large index: "9"')]),
    (INDEXED, {"completedIndexes": "0-9"}, {"completedIndexes": "0-9", "failed": 1}, []),
    (INDEXED, {}, {"failedIndexes": ""}, [("status.failedIndexes", "cannot set non-null failedIndexes when backoffLimitPerIndex is null")]),
    (PER_INDEX, {}, {"failedIndexes": "x"}, [("status.failedIndexes", "error parsing failedIndexes: cannot convert string")]),
    (PER_INDEX, {}, {"completedIndexes": "0-1", "failedIndexes": "1"},
     [("status.failedIndexes", "failedIndexes and completedIndexes overlap at index: 1")]),
    (PER_INDEX, {}, {"completedIndexes": "0", "failedIndexes": "1"}, []),
    ({**INDEXED, "successPolicy": {"rules": [{"succeededCount": 1}]}}, {"conditions": COMPLETE[1:]}, {"conditions": COMPLETE}, [
        (CONDITIONS, "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"),
    ]),
]


@pytest.mark.parametrize(("spec", "before", "status", "expected"), STATUSES)
def test_a_status_is_refused_in_upstreams_words(
    spec: dict[str, Any], before: dict[str, Any], status: dict[str, Any], expected: list[tuple[str, str]],
) -> None:
    old = {**job(**spec), "status": before}
    found = [(cause.field, cause.message) for cause in JOB.validate_status({**old, "status": status}, old)]
    assert [field for field, _ in found] == [field for field, _ in expected]
    for (_, message), (_, words) in zip(found, expected, strict=True):
        assert words in message


def test_names_and_sizes_that_may_surprise_are_warned_of() -> None:
    dotted = job("a.b")
    assert JOB.warnings_on_create(job()) == []
    assert "a DNS label is recommended: [a lowercase RFC 1123 label must" in JOB.warnings_on_create(dotted)[0]
    assert CRON_JOB.warnings_on_create(dotted) == JOB.warnings_on_create(dotted)
    big = job(completionMode="Indexed", completions=100_001, parallelism=10_001)
    assert JOB.warnings(big)[0].startswith("In Indexed Jobs with a number of completions higher than 10^5")
    assert CRON_JOB.warnings({"spec": {"jobTemplate": big}}) == JOB.warnings(big)
    assert JOB.warnings(job(completionMode="Indexed", completions=100_000, parallelism=10_001)) == []


POD_AFFINITY = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "a", "labelSelector": {}}]}}
NODE_AFFINITY = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": []}]}}}


@pytest.mark.parametrize(("before", "after", "refused"), [
    pytest.param(None, NODE_AFFINITY, False, id="to nodes, added"),
    pytest.param(NODE_AFFINITY, None, False, id="to nodes, removed"),
    pytest.param(None, POD_AFFINITY, True, id="to Pods, added"),
    pytest.param(POD_AFFINITY, None, True, id="to Pods, removed"),
    pytest.param({**POD_AFFINITY, **NODE_AFFINITY}, POD_AFFINITY, False, id="to nodes, removed beside one to Pods"),
    pytest.param({**POD_AFFINITY, **NODE_AFFINITY}, NODE_AFFINITY, True, id="to Pods, removed beside one to nodes"),
])
def test_only_affinity_to_nodes_may_change_while_a_job_rests(before: Any, after: Any, refused: bool) -> None:
    old = job(suspend=True, template={"spec": {"affinity": before}})
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["affinity"] = after
    if after is None:
        del new["spec"]["template"]["spec"]["affinity"]
    assert [cause.field for cause in JOB.validate_update(new, old)] == (["spec.template"] if refused else [])


ZONES: list[tuple[Any, str]] = [
    (None, ""), ("Asia/Seoul", ""), ("Etc/GMT+5", ""), ("", "timeZone must be nil or non-empty string"),
    ("local", "timeZone must be an explicit time zone"), ("Local", "timeZone must be an explicit time zone"), ("asia/seoul", "unknown time zone"),
    ("../etc/passwd", "unknown time zone"), ("Amer\\ica/New_York", "unknown time zone"), ("a/-b", "unknown time zone"),
    ("Continent/" + "z" * 15, "unknown time zone"), ("America//New_York", "unknown time zone"),
]


@pytest.mark.parametrize(("zone", "words"), ZONES)
def test_time_zones(zone: Any, words: str) -> None:
    cron = {"metadata": {"name": "c"}, "spec": {"schedule": "@daily", "timeZone": zone, "jobTemplate": {"spec": job()["spec"]}}}
    CRON_JOB.default(cron)
    found = [cause for cause in CRON_JOB.validate(cron) if cause.field == "spec.timeZone"]
    assert bool(found) == bool(words)
    assert not found or words in found[0].message


@pytest.mark.parametrize(("schedule", "words"), [
    ("TZ=Asia/Seoul 0 * * * *", ["cannot use TZ or CRON_TZ in schedule"]),
    ("CRON_TZ=UTC @daily", ["cannot use TZ or CRON_TZ in schedule"]),
    ("TZ=Moon/Base 0 * * * *", ["provided bad location Moon/Base: unknown time zone Moon/Base", "cannot use TZ or CRON_TZ in schedule"]),
    ("error", ["expected exactly 5 fields, found 1: [error]"]),
    ("59 23 31 2 *", []),
])
def test_schedules_that_name_a_zone(schedule: str, words: list[str]) -> None:
    cron = {"metadata": {"name": "c"}, "spec": {"schedule": schedule, "jobTemplate": {"spec": job()["spec"]}}}
    CRON_JOB.default(cron)
    found = [cause.message for cause in CRON_JOB.validate(cron) if cause.field == "spec.schedule"]
    assert len(found) == len(words)
    assert all(expected in message for expected, message in zip(words, found, strict=True))


def test_fields_behind_a_gate_that_is_off_are_dropped_unless_they_are_there() -> None:
    gang = {"schedulingPolicy": {"gang": {"minCount": 2}}}
    assert "scheduling" not in job(scheduling=gang)["spec"]
    old = job()
    new = {**old, "spec": {**old["spec"], "scheduling": gang}}
    kept = copy.deepcopy(new)
    JOB.prepare_for_update(new, old)
    assert "scheduling" not in new["spec"]
    JOB.prepare_for_update(kept, kept)
    assert kept["spec"]["scheduling"] == gang
    cron = {"spec": {"jobTemplate": {"spec": {"scheduling": gang}}}}
    CRON_JOB.prepare_for_create(cron)
    assert cron["spec"] == {"jobTemplate": {"spec": {}}}
