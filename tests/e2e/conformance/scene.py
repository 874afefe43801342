"""Pods for conformance tests: short to write, run many at a time, and read afterwards."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from cluster_harness import Cluster, eventually

Json = dict[str, Any]
IMAGE = "busybox:1.36"
STAY = "trap 'exit 0' TERM; while :; do sleep 0.1; done"


def container(script: str = "", name: str = "c", **fields: Any) -> Json:
    """A container that runs a shell script (or what `fields` say)."""
    made: Json = {"name": name, "image": IMAGE}
    if script:
        made["command"] = ["sh", "-c", script]
    return made | fields


def pod(name: str, *containers: Json, labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **spec: Any) -> Json:
    """A Pod that is not restarted and goes at once when it is deleted, unless `spec` says otherwise."""
    meta: Json = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
    body = {"containers": list(containers), "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "enableServiceLinks": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": body | spec}


def thing(kind: str, name: str, api: str = "v1", **fields: Any) -> Json:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}} | fields


class Scene:
    """One namespace of a cluster."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        cluster.kubectl("create", "namespace", namespace)

    def kubectl(self, *arguments: str, **more: Any) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, **more)

    def apply(self, *objects: Json) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def create(self, *objects: Json) -> None:
        self.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def status(self, name: str) -> Json:
        return dict(self.get("pod", name)["status"])

    def ended(self, name: str, seconds: float = 60) -> Json:
        """The Pod's status once it has succeeded or failed."""
        return dict(eventually(lambda: (s := self.status(name))["phase"] in ("Succeeded", "Failed") and s, f"{name} ends", seconds))

    def said(self, name: str, *arguments: str) -> str:
        """What a Pod's container printed until it ended."""
        self.ended(name)
        return self.kubectl("logs", name, *arguments).strip()

    def ready(self, *names: str, seconds: float = 60) -> None:
        self.kubectl("wait", *(f"pod/{name}" for name in names), "--for=condition=Ready", f"--timeout={seconds:g}s", timeout=seconds + 10)

    def sh(self, name: str, script: str, *arguments: str, **more: Any) -> str:
        """What a script in a running container printed."""
        return self.kubectl("exec", name, *arguments, "--", "sh", "-c", script, **more).strip()

    def waiting(self, name: str, reason: str, seconds: float = 60) -> str:
        """The message with which the Pod's container waits for `reason`."""

        def look() -> Any:
            states = [each["state"].get("waiting", {}) for each in self.status(name).get("containerStatuses", [])]
            return next((state for state in states if state.get("reason") == reason), None)

        return str(eventually(look, f"{name} waits: {reason}", seconds).get("message", ""))

    def events(self, name: str, reason: str) -> list[str]:
        """Messages of the events about an object."""
        found = self.get("events", f"--field-selector=involvedObject.name={name},reason={reason}")["items"]
        return [each["message"] for each in found]


# Python in a container: the host's own, mounted. What upstream's agnhost does there is a few lines of it here.
_PLACES = [path for path in ("/usr", "/lib", "/lib64", sys.base_prefix) if os.path.isdir(path) and not (path != "/usr" and path.startswith("/usr/"))]


def python(script: str, name: str = "c", **fields: Any) -> Json:
    """A container that runs a Python program.  Its Pod needs `PYTHON_VOLUMES`."""
    mounts = [{"name": f"p{n}", "mountPath": path, "readOnly": True} for n, path in enumerate(_PLACES)]
    return container(name=name, command=[f"{sys.base_prefix}/bin/python3", "-u", "-c", script], volumeMounts=mounts, **fields)


PYTHON_VOLUMES: Json = {"volumes": [{"name": f"p{n}", "hostPath": {"path": path}} for n, path in enumerate(_PLACES)]}
