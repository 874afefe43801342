"""What a deletion that says nothing of the objects below leaves to its API version: the oldest ones keep them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_harness import API
from test_old_versions import BODIES, SELECTED, TEMPLATE

JOB = {"spec": {"template": {"spec": {"restartPolicy": "Never", **TEMPLATE["spec"]}}}}
RC = {"spec": {"selector": {"app": "web"}, "template": TEMPLATE}}
KEPT = ("child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
        "propagationPolicy=Orphan to suppress this warning")

CASES: list[tuple[str, str, dict[str, Any], bool]] = [
    ("apis/batch/v1", "jobs", JOB, True),
    ("api/v1", "replicationcontrollers", RC, True),
    ("apis/batch/v1", "cronjobs", BODIES["CronJob"], False),
    ("apis/batch/v1beta1", "cronjobs", BODIES["CronJob"], True),
    ("apis/apps/v1", "deployments", {"spec": SELECTED}, False),
    ("apis/apps/v1beta2", "deployments", {"spec": SELECTED}, True),
    ("apis/extensions/v1beta1", "replicasets", {"spec": SELECTED}, True),
]


def warned(response: Any) -> bool:
    return any(KEPT in value for name, value in response.headers if name.lower() == "warning")


@pytest.mark.parametrize(("root", "plural", "body", "orphans"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
async def test_each_version_has_its_default(api: API, root: str, plural: str, body: dict[str, Any], orphans: bool) -> None:
    await api.namespace("n")
    place = f"/{root}/namespaces/n/{plural}"
    for name in "abcd":
        await api.call("POST", place, {"metadata": {"name": name}, **body})
    silent = await api.send("DELETE", f"{place}/a")
    assert warned(silent) is (plural == "jobs")
    said = await api.send("DELETE", f"{place}/b?propagationPolicy=Background")
    asked = await api.send("DELETE", f"{place}/c?orphanDependents=true")
    assert not warned(said)
    assert not warned(asked)
    left = {item["metadata"]["name"]: item["metadata"]["finalizers"] for item in (await api.call("GET", place))["items"]
            if "deletionTimestamp" in item["metadata"]}
    assert left == ({"a": ["orphan"]} if orphans else {}) | {"c": ["orphan"]}
    everything = await api.send("DELETE", place)
    assert everything.status == 200
    assert warned(everything) is (plural == "jobs")
    left = {item["metadata"]["name"] for item in (await api.call("GET", place))["items"]}
    assert left == ({"a", "c", "d"} if orphans else {"c"})


async def test_a_deletion_before_has_said_it(api: API) -> None:
    await api.namespace("n")
    jobs = "/apis/batch/v1/namespaces/n/jobs"
    await api.call("POST", jobs, {"metadata": {"name": "j", "finalizers": ["a.io/held"]}, **JOB})
    await api.call("DELETE", f"{jobs}/j?propagationPolicy=Foreground")
    again = await api.send("DELETE", f"{jobs}/j")
    assert json.loads(again.body)["metadata"]["finalizers"] == ["a.io/held", "foregroundDeletion"]
