"""What the conformance tests of workloads share: a namespace to work in, and short manifests."""

from __future__ import annotations

import json
from typing import Any

from cluster_harness import Cluster

Json = dict[str, Any]
IMAGE = "busybox:1.36"
FOREVER = "trap exit TERM; while :; do sleep 1000 & wait; done"


def template(script: str = FOREVER, labels: Json | None = None, container: Json | None = None, **spec: Any) -> Json:
    """A Pod template of one container `c` that runs a shell script and goes at once when it is deleted."""
    made = {"name": "c", "image": IMAGE, "command": ["sh", "-c", script], **(container or {})}
    body = {"containers": [made], "terminationGracePeriodSeconds": 1, "enableServiceLinks": False}
    return {"metadata": {"labels": labels or {}}, "spec": body | spec}


def workload(kind: str, name: str, pod: Json | None = None, meta: Json | None = None, **spec: Any) -> Json:
    """A workload of apps/v1 that selects `app: NAME`."""
    pod = pod or template()
    pod["metadata"]["labels"] = {"app": name, **pod["metadata"]["labels"]}
    body = {"selector": {"matchLabels": {"app": name}}, "template": pod, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, **(meta or {})}, "spec": body}


def job(name: str, script: str, restart: str = "Never", container: Json | None = None, **spec: Any) -> Json:
    body = {"template": template(script, container=container, restartPolicy=restart), **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": body}


def pod(name: str, script: str = FOREVER, labels: Json | None = None, container: Json | None = None, **spec: Any) -> Json:
    made = template(script, labels, container, **spec)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **made["metadata"]}, "spec": made["spec"]}


class Room:
    """A namespace of the cluster."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.name = cluster, name
        cluster.kubectl("create", "namespace", name)

    def kubectl(self, *arguments: str, **more: Any) -> str:
        return self.cluster.kubectl("-n", self.name, *arguments, **more)

    def create(self, *objects: Json) -> None:
        self.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def replace(self, thing: Json, *arguments: str) -> str:
        return self.kubectl("replace", *arguments, "-f", "-", stdin=json.dumps(thing))

    def patch(self, what: str, body: Any, *arguments: str, type_: str = "merge", check: bool = True) -> str:
        return self.kubectl("patch", what, "--type", type_, "-p", json.dumps(body), *arguments, check=check)

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def items(self, kind: str, selector: str = "") -> list[Json]:
        """All of a kind, the oldest first."""
        found = self.get(kind, "-l", selector)["items"]
        return sorted(found, key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"]))

    def pods(self, selector: str = "") -> dict[str, Json]:
        return {each["metadata"]["name"]: each for each in self.items("pods", selector)}

    def raw(self, path: str) -> Any:
        return json.loads(self.kubectl("get", "--raw", path))

    def rolled_out(self, what: str) -> str:
        return self.kubectl("rollout", "status", what, "--timeout=60s", timeout=70)

    def wait(self, what: str, condition: str) -> None:
        self.kubectl("wait", what, f"--for={condition}", "--timeout=60s", timeout=70)

    def events(self, kind: str, name: str) -> list[tuple[str, str]]:
        """(reason, message) of an object's events, in the order written."""
        found = self.get("events", "--field-selector", f"involvedObject.kind={kind},involvedObject.name={name}")["items"]
        found.sort(key=lambda each: int(each["metadata"]["resourceVersion"]))
        return [(each["reason"], each["message"]) for each in found]


def condition(thing: Json, type_: str) -> tuple[str, str]:
    """Status and reason of a condition; empty when there is none."""
    found = next((each for each in thing["status"].get("conditions", ()) if each["type"] == type_), {})
    return found.get("status", ""), found.get("reason", "")


def owner(thing: Json) -> str:
    """Kind and name of what controls it."""
    return next((f"{ref['kind']}/{ref['name']}" for ref in thing["metadata"].get("ownerReferences", ()) if ref.get("controller")), "")


def is_ready(each: Json) -> bool:
    return "deletionTimestamp" not in each["metadata"] and condition(each, "Ready")[0] == "True"


def image_of(each: Json) -> str:
    return str(each["spec"]["containers"][0]["image"])


def set_env(value: str) -> Json:
    """A strategic patch that makes another revision of a template."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "env": [{"name": "V", "value": value}]}]}}}}
