"""What must differ between two recordings, taken out of both: uids, addresses, times, generated names, the node, OpenShift's extras.

The hash of a Pod template is one of them: upstream's is of a dump of Go's structs, wherry's of JSON.
Generated names get labels by the order in which they came: `web-5b5b69457c` is `web-<1>`, the first Pod of it `web-<1>-<1>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]
Recording = dict[str, Any]

UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ADDRESS = re.compile(r"\b(?!127\.0\.0\.1\b)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
TOKEN_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}\b")
RUNTIME = re.compile(r"\b(containerd|wherry)://")
UNLIMITED = {"memory": "9007199254740988Ki"}  # a cgroup (v1) without a limit; the recording's kubelet told it on
OPENSHIFT = "openshift-service-ca.crt"
# Who runs containers and pulls images has its own words, and no one else's would be true: (pattern, what stands for it, why).
WORDS = {
    "containerd's tasks": (
        re.compile(r"failed to create containerd task: failed to create shim task: (OCI runtime create failed: .*?): unknown"), r"\1",
        "containerd and its shim put words of their own round runc's; wherry has neither",
    ),
    "containerd's pulls": (
        re.compile(r'failed to do request: Head "[^"]*"'), "<asked the registry>", "containerd asks a registry for the manifest at once",
    ),
    "skopeo's pulls": (
        re.compile(r'pinging container registry \S+: Get "[^"]*"'), "<asked the registry>", "skopeo, which pulls for wherry, asks for /v2/ first",
    ),
}
LABELLED = ("replicasets", "jobs", "pods", "endpointslices")  # owners before what they own


class Names:
    """The labels of one recording's generated names, and its node."""

    def __init__(self, recording: Recording) -> None:
        self.labels: dict[str, str] = {}
        self.groups: dict[str, str] = {}  # the label of a Pod -> what its siblings share
        self.pods: set[str] = set()
        self._texts: dict[tuple[str, bool], str] = {}
        self._hashes: dict[str, str] = {}
        counted: dict[str, int] = {}
        for resource in LABELLED:
            for event in recording[resource]:
                obj = event["object"]
                name, owner = obj["metadata"]["name"], _owner(obj)
                if name in self.labels or not owner or not _generated(obj, owner):
                    continue
                group = self.labels.get(owner, owner)
                if index := obj["metadata"].get("annotations", {}).get("batch.kubernetes.io/job-completion-index"):
                    group = f"{group}-{index}"
                counted[group] = counted.get(group, 0) + 1
                self.labels[name] = f"{group}-<{counted[group]}>"
                self.groups[self.labels[name]] = group
                if resource == "pods":
                    self.pods.add(self.labels[name])
                if resource == "replicasets":
                    self._hashes[name.rpartition("-")[2]] = f"<hash of {self.labels[name]}>"
        for resource in ("statefulsets", "daemonsets"):  # revisions: by what Pods carry and statuses tell
            self._revisions(recording, resource)
        known = {**self.labels, **self._hashes}
        self._known = re.compile("|".join(re.escape(each) for each in sorted(known, key=len, reverse=True)) or "$^")
        self._replace = known
        self.node = next(e["object"]["spec"]["nodeName"] for e in recording["pods"] if e["object"]["spec"].get("nodeName"))

    def _revisions(self, recording: Recording, resource: str) -> None:
        for event in recording[resource]:
            name, status = event["object"]["metadata"]["name"], event["object"].get("status", {})
            if revision := status.get("updateRevision"):
                self._hashes[revision] = f"{name}-<revision>"
        for event in recording["pods"]:
            meta = event["object"]["metadata"]
            revision = meta.get("labels", {}).get("controller-revision-hash")
            if revision and "pod-template-generation" in meta["labels"]:
                self._hashes[revision] = f"<revision of {_owner(event['object'])}>"

    def text(self, text: str, *, siblings: bool = False) -> str:
        """`text` with nothing in it that varies; with `siblings`, Pods of one owner are called alike."""
        known = self._texts.get((text, siblings))
        if known is None:
            known = self._texts[text, siblings] = self._plain(text, siblings)
        return known

    def _plain(self, text: str, siblings: bool) -> str:
        text = self._known.sub(lambda found: self._called(found.group(), siblings), text)
        for pattern, word, _ in WORDS.values():
            text = pattern.sub(word, text)
        for pattern, word in ((UID, "<uid>"), (TIME, "<time>"), (DIGEST, "<digest>"), (TOKEN_VOLUME, "kube-api-access-<n>"), (ADDRESS, "<ip>"), (RUNTIME, "<runtime>://")):
            text = pattern.sub(word, text)
        return text.replace(self.node, "<node>")

    def _called(self, name: str, siblings: bool) -> str:
        label = self._replace[name]
        return f"{self.groups[label]}-<n>" if siblings and label in self.pods else label

    def value(self, value: Any) -> Any:
        """The same in a whole object."""
        if isinstance(value, str):
            return self.text(value, siblings=True)
        if isinstance(value, dict):
            return {self.text(key): self.value(each) for key, each in value.items() if each != UNLIMITED}
        if isinstance(value, list):
            return [self.value(each) for each in value if not _openshift(each)]
        return value


def _owner(obj: Json) -> str:
    owners = obj["metadata"].get("ownerReferences", [])
    return str(owners[0]["name"]) if owners else ""


def _generated(obj: Json, owner: str) -> bool:
    return not (owner == "st" and obj.get("kind", "Pod") == "Pod")  # a StatefulSet's Pods have names of their own


def _openshift(value: Any) -> bool:
    return isinstance(value, dict) and value.get("configMap", {}).get("name") == OPENSHIFT


def flatten(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """The leaves of an object, each with its path; members of lists go by their name, type or place."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from flatten(each, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            name = (each.get("name") or each.get("type") or index) if isinstance(each, dict) else index
            yield from flatten(each, f"{path}[{name}]")
    else:
        yield path, value
