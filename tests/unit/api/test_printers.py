"""Printers against what a real server and kubectl printed, and tables of the states that those did not show."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from wherry.api import registry
from wherry.api.printers import autoscaling, batch, cluster, core, networking, pod, storage, text, workloads
from wherry.api.printers.duration import age_text, between_text, duration_text
from wherry.api.resource import Age, Object, Printer
from wherry.util.clock import parse_rfc3339

MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 365 * DAY


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"), (-1.9, "0s"), (-0.5, "0s"), (0, "0s"), (0.9, "0s"), (5.99, "5s"), (119, "119s"), (120, "2m"),
        (150, "2m30s"), (599, "9m59s"), (600, "10m"), (179 * MINUTE, "179m"), (3 * HOUR, "3h"), (3 * HOUR + 5 * MINUTE, "3h5m"),
        (8 * HOUR, "8h"), (47 * HOUR + 59 * MINUTE, "47h"), (2 * DAY, "2d"), (2 * DAY + 4 * HOUR, "2d4h"),
        (8 * DAY + 4 * HOUR, "8d"), (2 * YEAR - 1, "729d"), (2 * YEAR, "2y"), (3 * YEAR + 60 * DAY, "3y60d"),
        (8 * YEAR + 60 * DAY, "8y"),
    ],
)
def test_durations_read_as_upstreams(seconds: float, shown: str) -> None:
    assert duration_text(seconds) == shown


def test_ages() -> None:
    now = parse_rfc3339("2026-11-23T20:23:50Z")
    assert age_text("", now) == age_text("nonsense", now) == "<unknown>"
    assert age_text("2026-11-23T20:23:45.5Z", now) == "4s"
    assert between_text("2026-11-23T20:23:45Z", "2026-11-23T20:26:15Z") == "2m30s"


def shown(printer: Printer, obj: Object, now: float, wide: bool = False) -> list[str]:
    """The row as kubectl prints it."""
    cells = printer.cells(obj)
    assert len(cells) == len(printer.columns)
    texts = [c.text.replace("{}", age_text(c.since, now)) if isinstance(c, Age) else str(c) for c in cells]
    return [each for each, column in zip(texts, printer.columns, strict=True) if wide or not column.priority]


# --- against the recorded Tables ---------------------------------------------------------------

# Rows whose object a controller changed between its creation, which is recorded, and the Table.
CHANGED = {"rq": "the quota was counted", "pv": "the volume became available", "j": "the Job was suspended", "ji": "as j"}
DURATION = r"\d+[smhdy](\d+[smhd])?"


@pytest.fixture(scope="module")
def created(shared: Path) -> dict[str, Object]:
    """uid -> hub's form of every object that was recorded when created or listed."""
    found: dict[str, Object] = {}
    for file in ("defaults", "reads"):
        for case in json.loads((shared / f"upstream/api/{file}.json").read_text()):
            body = case["response"]["body"]
            if isinstance(body, dict):
                kind, api_version = body.get("kind", ""), body.get("apiVersion", "")
                for item in body.get("items", [body]):
                    obj = {"kind": kind.removesuffix("List"), "apiVersion": api_version, **item}
                    _remember(found, obj)
    return found


def _remember(found: dict[str, Object], obj: Object) -> None:
    group, _, version = obj["apiVersion"].rpartition("/")
    row = registry.by_kind(group, version, obj["kind"])
    uid = (obj.get("metadata") or {}).get("uid")
    if row is not None and uid:
        convert = row[1].to_hub
        found.setdefault(uid, convert(obj) if convert else obj)


def tables(shared: Path) -> list[tuple[registry.Found, dict[str, Any]]]:
    cases = []
    for case in json.loads((shared / "upstream/api/tables.json").read_text()):
        steps = case["request"]["path"].partition("?")[0].strip("/").split("/")
        group, version, rest = ("", steps[1], steps[2:]) if steps[0] == "api" else (steps[1], steps[2], steps[3:])
        if rest[0] == "namespaces" and len(rest) > 2:
            rest = rest[2:]
        row = registry.by_path(group, version, rest[0])
        if row is None:
            assert group == "ex.io", f"{rest[0]} in {group} is not served"  # the custom resource
        else:
            cases.append((row, case["response"]["body"]))
    return cases


def test_columns_are_the_recorded_ones(shared: Path) -> None:
    for (resource, _), table in tables(shared):
        assert resource.printer is not None
        ours = [(c.name, c.type, c.format, c.priority) for c in resource.printer.columns]
        assert ours == [(c["name"], c["type"], c["format"], c["priority"]) for c in table["columnDefinitions"]], resource.plural


def test_cells_are_the_recorded_ones(shared: Path, created: dict[str, Object]) -> None:
    compared = 0
    for (resource, _), table in tables(shared):
        for row in table["rows"] or ():
            obj = created.get(((row.get("object") or {}).get("metadata") or {}).get("uid", ""))
            if obj is None or text.name(obj) in CHANGED:
                continue
            compared += 1
            assert resource.printer is not None
            for ours, theirs, column in zip(resource.printer.cells(obj), row["cells"], resource.printer.columns, strict=True):
                if isinstance(ours, Age):
                    expected = re.escape(ours.text).replace(r"\{\}", "<unknown>" if not ours.since else DURATION)
                    assert re.fullmatch(expected, theirs), (resource.plural, column.name, ours, theirs)
                else:
                    assert (type(ours), ours) == (type(theirs), theirs), (resource.plural, text.name(obj), column.name)
    assert compared > 45


# --- against what kubectl printed after a scenario with a real node ------------------------------


@pytest.fixture(scope="module")
def life(shared: Path) -> Path:
    return shared / "upstream/life"


@cache
def latest(life: Path, resource: str) -> dict[str, Object]:
    found: dict[str, Object] = {}
    for event in json.loads((life / f"{resource}.json").read_text()):
        obj = event["object"]
        found.pop(text.name(obj), None)
        if event["type"] != "DELETED":
            found[text.name(obj)] = obj
    return found


def printed(life: Path, command: str) -> dict[str, list[str]]:
    """name -> the line that kubectl printed, without its kind."""
    out = json.loads((life / "kubectl.json").read_text())[command]["stdout"]
    lines = [re.split(r" {2,}", line.rstrip()) for line in out.splitlines() if line and not line.startswith("NAME ")]
    return {line[0].rpartition("/")[2]: [line[0].rpartition("/")[2], *line[1:]] for line in lines}


def ran_at(life: Path, after: float = 99.4) -> float:
    """When kubectl ran: `after` the second in which the first Pod was made."""
    return min(parse_rfc3339(text.created(each)) for each in latest(life, "pods").values()) + after


@pytest.mark.parametrize(("command", "wide"), [("get pods", False), ("get pods -o wide", True)])
def test_pods_as_kubectl_printed_them(life: Path, command: str, wide: bool) -> None:
    pods, lines = latest(life, "pods"), printed(life, command)
    assert len(lines) > 40
    assert {name: shown(pod.POD, pods[name], ran_at(life), wide) for name in lines} == lines


@pytest.mark.parametrize(
    ("resource", "printer", "after"),  # kubectl asked for one after the other
    [
        ("deployments", workloads.DEPLOYMENT, 99.9), ("replicasets", workloads.REPLICA_SET, 99.9),
        ("statefulsets", workloads.STATEFUL_SET, 100.1), ("daemonsets", workloads.DAEMON_SET, 100.1),
        ("jobs", batch.JOB, 100.1), ("cronjobs", batch.CRON_JOB, 100.1),
    ],
)
def test_workloads_as_kubectl_printed_them(life: Path, resource: str, printer: Printer, after: float) -> None:
    lines = printed(life, "get deploy,rs,sts,ds,job,cronjob")
    objects = {name: obj for name, obj in latest(life, resource).items() if name in lines}
    assert objects
    rows = {name: shown(printer, obj, ran_at(life, after)) for name, obj in objects.items()}
    assert rows == {name: lines[name] for name in objects}


def test_events_as_kubectl_printed_them(life: Path) -> None:
    out = json.loads((life / "kubectl.json").read_text())["get events --sort-by=.lastTimestamp"]["stdout"]
    lines = {tuple(re.split(r" {2,}", line.rstrip(), maxsplit=4)[1:]) for line in out.splitlines()[1:]}
    events = [shown(core.EVENT, obj, ran_at(life)) for obj in latest(life, "events").values()]
    ours = {tuple(row[1:]) for row in events}
    assert len(lines) > 100
    assert {line for line in lines if line not in ours and "\n" not in line[-1]} == set()


# --- Pods in the states that the recordings do not have ------------------------------------------

NOW = parse_rfc3339("2026-11-23T20:23:50Z")
ENDED = "2026-11-23T20:23:45Z"


def a_pod(phase: str = "Running", *states: Object, inits: tuple[Object, ...] = (), **more: Any) -> Object:
    metadata = {"name": "p", "creationTimestamp": "2026-11-23T20:23:40Z", **more.pop("metadata", {})}
    spec = {
        "containers": [{"name": f"c{i}"} for i in range(max(1, len(states)))],
        "initContainers": [
            {"name": f"i{i}", **({"restartPolicy": "Always"} if each.get("sidecar") else {})} for i, each in enumerate(inits)
        ],
        **more.pop("spec", {}),
    }
    status = {
        "phase": phase,
        "containerStatuses": [{"name": f"c{i}", **state} for i, state in enumerate(states)],
        "initContainerStatuses": [{"name": f"i{i}", **state} for i, state in enumerate(inits)],
        **more,
    }
    return {"metadata": metadata, "spec": spec, "status": status}


UP = {"state": {"running": {}}, "ready": True}
NOT_READY = {"state": {"running": {}}, "ready": False}
DONE = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
INIT_DONE = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
SIDECAR = {"sidecar": True, "started": True, "ready": True, "state": {"running": {}}}
STARTING = {"state": {"waiting": {"reason": "PodInitializing"}}}
GONE = {"metadata": {"deletionTimestamp": "2026-11-23T20:24:20Z"}}
INITIALIZED = {"conditions": [{"type": "Initialized", "status": "True"}]}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def waiting(reason: str) -> Object:
    return {"state": {"waiting": {"reason": reason}}}


def ended(**how: Any) -> Object:
    return {"state": {"terminated": {"exitCode": 1, **how}}}


def restarted(count: int, state: Object = UP) -> Object:
    return {**state, "restartCount": count, "lastState": {"terminated": {"exitCode": 1, "finishedAt": ENDED}}}


@pytest.mark.parametrize(
    ("obj", "ready", "status", "restarts"),
    [
        pytest.param(a_pod("Pending"), "0/1", "Pending", "0", id="pending"),
        pytest.param(a_pod("Running", UP, UP), "2/2", "Running", "0", id="running"),
        pytest.param(a_pod("Running", UP, NOT_READY), "1/2", "Running", "0", id="one-not-ready"),
        pytest.param(a_pod("Pending", waiting("ContainerCreating")), "0/1", "ContainerCreating", "0", id="creating"),
        pytest.param(a_pod("Running", restarted(1)), "1/1", "Running", "1 (5s ago)", id="restarted"),
        pytest.param(a_pod("Running", {**UP, "restartCount": 2}), "1/1", "Running", "2", id="restarted-no-one-knows-when"),
        pytest.param(a_pod("Running", restarted(3, waiting("CrashLoopBackOff")), UP), "1/2", "CrashLoopBackOff", "3 (5s ago)",
                     id="first-container-wins"),
        pytest.param(a_pod("Succeeded", DONE), "0/1", "Completed", "0", id="completed"),
        pytest.param(a_pod("Failed", reason="Evicted"), "0/1", "Evicted", "0", id="evicted"),
        pytest.param(a_pod("Failed", ended(reason="OOMKilled")), "0/1", "OOMKilled", "0", id="oom"),
        pytest.param(a_pod("Failed", ended(signal=9)), "0/1", "Signal:9", "0", id="signal"),
        pytest.param(a_pod("Failed", ended(exitCode=3)), "0/1", "ExitCode:3", "0", id="exit-code"),
        pytest.param(a_pod("Running", DONE, UP, **READY), "1/2", "Running", "0", id="one-completed-still-ready"),
        pytest.param(a_pod("Running", DONE, UP), "1/2", "NotReady", "0", id="one-completed-not-ready"),
        pytest.param(a_pod("Running", UP, **GONE), "1/1", "Terminating", "0", id="terminating"),
        pytest.param(a_pod("Succeeded", DONE, **GONE), "0/1", "Completed", "0", id="completed-and-deleted"),
        pytest.param(a_pod("Running", UP, reason="NodeLost", **GONE), "1/1", "Unknown", "0", id="node-lost"),
        pytest.param(a_pod("Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]),
                     "0/1", "SchedulingGated", "0", id="gated"),
        pytest.param(a_pod("Pending", STARTING, inits=(NOT_READY, {})), "0/1", "Init:0/2", "0", id="first-init"),
        pytest.param(a_pod("Pending", STARTING, inits=(INIT_DONE, STARTING)), "0/1", "Init:1/2", "0", id="second-init"),
        pytest.param(a_pod("Pending", STARTING, inits=(restarted(2, waiting("CrashLoopBackOff")),)), "0/1",
                     "Init:CrashLoopBackOff", "2 (5s ago)", id="init-crashes"),
        pytest.param(a_pod("Failed", STARTING, inits=(ended(),)), "0/1", "Init:ExitCode:1", "0", id="init-failed"),
        pytest.param(a_pod("Failed", STARTING, inits=(ended(signal=15),)), "0/1", "Init:Signal:15", "0", id="init-killed"),
        pytest.param(a_pod("Pending", STARTING, inits=(ended(reason="Error"),)), "0/1", "Init:Error", "0", id="init-error"),
        pytest.param(a_pod("Pending", STARTING, inits=(INIT_DONE,)), "0/1", "PodInitializing", "0", id="initialized"),
        pytest.param(a_pod("Running", UP, inits=(restarted(2, INIT_DONE),)), "1/1", "Running", "0", id="inits-are-history"),
        pytest.param(a_pod("Running", UP, inits=(SIDECAR,)), "2/2", "Running", "0", id="sidecar"),
        pytest.param(a_pod("Running", UP, inits=({**restarted(1), **SIDECAR},)), "2/2", "Running", "1 (5s ago)",
                     id="sidecar-restarted"),
        pytest.param(a_pod("Running", UP, inits=({**SIDECAR, "started": False},), **INITIALIZED), "1/2", "Init:0/1", "0",
                     id="sidecar-restarts-under-a-running-pod"),
    ],
)
def test_pod_states(obj: Object, ready: str, status: str, restarts: str) -> None:
    assert shown(pod.POD, obj, NOW) == ["p", ready, status, restarts, "10s"]


def test_wide_pods() -> None:
    gates = [{"conditionType": "a"}, {"conditionType": "b"}]
    obj = a_pod("Running", UP, conditions=[{"type": "a", "status": "True"}, {"type": "b", "status": "False"}],
                podIPs=[{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], nominatedNodeName="n2",
                spec={"containers": [{"name": "c0"}], "nodeName": "n1", "readinessGates": gates})
    assert shown(pod.POD, obj, NOW, wide=True)[5:] == ["10.0.0.1", "n1", "n2", "1/2"]


@pytest.mark.parametrize(
    ("phase", "conditions"),
    [
        ("Running", []),
        ("Succeeded", [{"type": "Completed", "status": "True", "reason": "Succeeded",
                        "message": "The pod has completed successfully."}]),
        ("Failed", [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}]),
    ],
)
def test_finished_pods_have_a_row_condition(phase: str, conditions: list[dict[str, str]]) -> None:
    assert pod.POD.conditions is not None
    assert pod.POD.conditions(a_pod(phase)) == conditions


# --- other kinds ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "ingress", "address"),
    [
        ({"type": "ClusterIP"}, [], "<none>"),
        ({"type": "NodePort", "externalIPs": ["1.1.1.1", "2.2.2.2"]}, [], "1.1.1.1,2.2.2.2"),
        ({"type": "LoadBalancer"}, [], "<pending>"),
        ({"type": "LoadBalancer"}, [{"ip": "9.9.9.9"}, {"hostname": "a.example"}], "9.9.9.9,a.example"),
        ({"type": "LoadBalancer", "externalIPs": ["1.1.1.1"]}, [{"ip": "9.9.9.9"}], "9.9.9.9,1.1.1.1"),
        ({"type": "ExternalName", "externalName": "x.example"}, [], "x.example"),
        ({"type": "Other"}, [], "<unknown>"),
    ],
)
def test_external_addresses_of_services(spec: Object, ingress: list[Object], address: str) -> None:
    service = {"metadata": {"name": "s"}, "spec": spec, "status": {"loadBalancer": {"ingress": ingress}}}
    assert shown(networking.SERVICE, service, NOW)[3] == address


@pytest.mark.parametrize(
    ("labels", "conditions", "unschedulable", "status", "roles"),
    [
        ({}, [], False, "Unknown", "<none>"),
        ({"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": ""}, ["True"], False, "Ready",
         "control-plane,worker"),
        ({"kubernetes.io/role": "edge", "node-role.kubernetes.io/": ""}, ["False"], False, "NotReady", "edge"),
        ({}, ["Unknown"], True, "NotReady,SchedulingDisabled", "<none>"),
    ],
)
def test_nodes(labels: dict[str, str], conditions: list[str], unschedulable: bool, status: str, roles: str) -> None:
    node = {
        "metadata": {"name": "n", "labels": labels}, "spec": {"unschedulable": unschedulable},
        "status": {"conditions": [{"type": "Ready", "status": each} for each in conditions]},
    }
    assert shown(core.NODE, node, NOW)[1:3] == [status, roles]


def test_lists_are_cut_after_three() -> None:
    addresses = [{"ip": f"10.0.0.{i}"} for i in range(1, 6)]
    endpoints = {"metadata": {"name": "e"}, "subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]}
    assert shown(networking.ENDPOINTS, endpoints, NOW)[1] == "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more..."
    rules = [{"host": f"{name}.example"} for name in "abcd"]
    ingress = {"metadata": {"name": "i"}, "spec": {"rules": rules, "tls": [{}]}}
    assert shown(networking.INGRESS, ingress, NOW)[2:5] == ["a.example,b.example,c.example + 1 more...", "", "80, 443"]


@pytest.mark.parametrize(
    ("job", "cells"),
    [
        ({"spec": {"completions": 3}, "status": {"succeeded": 1, "startTime": ENDED}}, ["Running", "1/3", "5s"]),
        ({"spec": {"parallelism": 4}, "status": {}}, ["Running", "0/1 of 4", ""]),
        ({"spec": {"parallelism": 1}, "status": {"conditions": [{"type": "FailureTarget", "status": "True"}]}},
         ["FailureTarget", "0/1", ""]),
        ({"spec": {"completions": 1}, "status": {"succeeded": 1, "startTime": ENDED, "completionTime": "2026-11-23T20:23:48Z",
                                                  "conditions": [{"type": "Complete", "status": "True"}]}},
         ["Complete", "1/1", "3s"]),
    ],
    ids=["running", "no-completions", "failing", "complete"],
)
def test_jobs(job: Object, cells: list[str]) -> None:
    assert shown(batch.JOB, {"metadata": {"name": "j"}, **job}, NOW)[1:4] == cells


def test_autoscaler_targets() -> None:
    percent = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    used = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 40}}}
    queue = {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "5"}}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3, "metrics": [
        {"type": "Resource", "resource": percent}, {"type": "External", "external": queue}, {"type": "Pods", "pods": queue}]}
    obj = {"metadata": {"name": "h"}, "spec": spec, "status": {"currentMetrics": [used]}}
    assert shown(autoscaling.HORIZONTAL_POD_AUTOSCALER, obj, NOW)[1:6] == [
        "Deployment/d", "cpu: 40%/80%, <unknown>/5 (avg) + 1 more...", "<unset>", "3", "0"]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({}, "Pending"),
        ({"conditions": [{"type": "Approved"}], "certificate": "eA=="}, "Approved,Issued"),
        ({"conditions": [{"type": "Denied"}]}, "Denied"),
        ({"conditions": [{"type": "Approved"}, {"type": "Failed"}]}, "Approved,Failed"),
    ],
)
def test_signing_requests(status: Object, word: str) -> None:
    spec = {"signerName": "k.io/s", "username": "ann", "expirationSeconds": 3600}
    request = {"metadata": {"name": "r"}, "spec": spec, "status": status}
    assert shown(cluster.CERTIFICATE_SIGNING_REQUEST, request, NOW)[2:] == ["k.io/s", "ann", "60m", word]


def test_default_classes_are_marked_and_bound_claims_show_their_volume() -> None:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    assert shown(storage.STORAGE_CLASS, {"metadata": {"name": "sc", "annotations": annotations}}, NOW)[0] == "sc (default)"
    claim = {
        "metadata": {"name": "c"}, "spec": {"volumeName": "v", "storageClassName": "sc", "volumeMode": "Filesystem"},
        "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"]},
    }
    assert shown(storage.PERSISTENT_VOLUME_CLAIM, claim, NOW)[1:6] == ["Bound", "v", "1Gi", "RWO,ROX", "sc"]


def test_series_of_events_show_their_last() -> None:
    event = {
        "metadata": {"name": "e"}, "eventTime": "2026-11-23T20:23:00.000000Z", "type": "Warning", "reason": "R",
        "involvedObject": {"kind": "Node"}, "message": " told \n", "series": {"count": 7, "lastObservedTime": ENDED},
        "reportingComponent": "c", "reportingInstance": "c-1",
    }
    row = shown(core.EVENT, event, NOW, wide=True)
    assert row == ["5s", "Warning", "R", "node", "", "c, c-1", "told", "50s", "7", "e"]


@pytest.mark.parametrize("resource", registry.RESOURCES, ids=registry.full_name)
def test_every_printer_bears_an_object_with_nothing_in_it(resource: registry.Resource) -> None:
    assert resource.printer is not None
    for obj in ({}, {"metadata": {"name": "x"}, "spec": None, "status": None}):
        assert len(resource.printer.cells(obj)) == len(resource.printer.columns)
        if resource.printer.conditions is not None:
            assert resource.printer.conditions(obj) == []
    assert all(column.description for column in resource.printer.columns)
