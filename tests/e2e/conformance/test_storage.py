"""Volumes of Pods, by upstream's conformance tests of sig-storage, on real containers."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from cluster_harness import Cluster, eventually
from scene import STAY, Json, Scene, container, pod, thing

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]

CONFIG = [
    thing("ConfigMap", "texts", data={"one": "1", "two": "2"}, binaryData={"bin": "AP8="}),
    thing("Secret", "hidden", stringData={"one": "1", "two": "2"}),
    thing("ConfigMap", "changes", data={"key": "before"}), thing("ConfigMap", "goes", data={"key": "there"}),
    thing("Secret", "changes", stringData={"key": "before"}), thing("Secret", "goes", stringData={"key": "there"}),
]
PRINTED: dict[str, tuple[Json, str]] = {}


def mounts(name: str, expected: str, script: str, source: Json, *, mount: Json | None = None, of_pod: Json | None = None, **fields: Any) -> None:
    """A Pod with one volume at /v, and what its script prints."""
    at: Json = {"name": "v", "mountPath": "/v"} | (mount or {})
    made = pod(name, container(script, volumeMounts=[at], **fields), volumes=[{"name": "v"} | source], **(of_pod or {}))
    PRINTED[name] = (made, expected)


def projected(*sources: Json, **more: Any) -> Json:
    return {"projected": {"sources": list(sources)} | more}


NON_ROOT: Json = {"securityContext": {"runAsUser": 1000}}
GROUP: Json = {"securityContext": {"runAsUser": 1000, "fsGroup": 1001}}
LIST = "cd /v; for f in $(find . -type l -maxdepth 1 ! -name '..*' | sort) ; do stat -L -c '%n %A' $f; done"
ITEM = {"items": [{"key": "one", "path": "deep/down"}]}
MODED = {"items": [{"key": "one", "path": "deep/down", "mode": 0o400}]}

for kind, source, wrapped in (
    ("map", lambda **more: {"configMap": {"name": "texts", **more}}, lambda **more: {"configMap": {"name": "texts", **more}}),
    ("secret", lambda **more: {"secret": {"secretName": "hidden", **more}}, lambda **more: {"secret": {"name": "hidden", **more}}),
):
    keys = ("./bin", "./one", "./two") if kind == "map" else ("./one", "./two")
    plain = "\n".join(f"{key} -rw-r--r--" for key in keys)
    for form, plainly in (("", source), ("projected-", None)):
        def of(more: Json | None = None, mode: Json | None = None, plainly: Any = plainly, wrapped: Any = wrapped) -> Json:
            return plainly(**(more or {}), **(mode or {})) if plainly else projected(wrapped(**(more or {})), **(mode or {}))

        mounts(f"{form}{kind}-plain", f"{plain}\n1", f"{LIST}; cat one", of())
        mounts(f"{form}{kind}-user", f"{plain}\n1", f"{LIST}; cat one", of(), of_pod=NON_ROOT)
        mounts(f"{form}{kind}-mode", plain.replace("rw-r--r--", "r--------") + "\n1", f"{LIST}; cat one", of(mode={"defaultMode": 0o400}))
        mounts(f"{form}{kind}-group", plain.replace("rw-r--r--", "r--r-----") + "\n1\n1001", f"{LIST}; cat one; echo; stat -L -c %g one", of(mode={"defaultMode": 0o440}), of_pod=GROUP)
        mounts(f"{form}{kind}-items", "1\n-rw-r--r--", "cat /v/deep/down; echo; stat -L -c %A /v/deep/down; ls /v | grep -v deep", of(ITEM))
        mounts(f"{form}{kind}-item-mode", "1\n-r--------", "cat /v/deep/down; echo; stat -L -c %A /v/deep/down", of(MODED))
mounts("binary", "00ff", "xxd -p /v/bin", {"configMap": {"name": "texts"}})
mounts("optional-key", "", "ls /v", {"configMap": {"name": "texts", "optional": True, "items": [{"key": "none", "path": "none"}]}})
mounts("optional-secret", "", "ls /v", {"secret": {"secretName": "none", "optional": True}})
mounts("twice", "11", "cat /v/one /w/one", {"configMap": {"name": "texts"}})
PRINTED["twice"][0]["spec"]["containers"][0]["volumeMounts"].append({"name": "w", "mountPath": "/w"})
PRINTED["twice"][0]["spec"]["volumes"].append({"name": "w", "configMap": {"name": "texts"}})
mounts("secret-in-memory", "tmpfs", "stat -f -c %T /v", {"secret": {"secretName": "hidden"}})
mounts(
    "combined", "combined\n1\n1\n2\n64", "cd /v; cat name; echo; cat m; echo; cat s; echo; cat cpu; echo; cat memory",
    projected(
        {"configMap": {"name": "texts", "items": [{"key": "one", "path": "m"}]}}, {"secret": {"name": "hidden", "items": [{"key": "one", "path": "s"}]}},
        {"downwardAPI": {"items": [
            {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}, {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}},
            {"path": "memory", "resourceFieldRef": {"containerName": "c", "resource": "requests.memory", "divisor": "1Mi"}},
        ]}},
    ), resources={"requests": {"memory": "64Mi"}, "limits": {"cpu": "1250m"}},
)
mounts("down-mode", "-r-------- -rw-r--r--\ndown-mode", "echo $(stat -L -c %A /v/a) $(stat -L -c %A /v/b); cat /v/a", {"downwardAPI": {"items": [
    {"path": "a", "fieldRef": {"fieldPath": "metadata.name"}, "mode": 0o400}, {"path": "b", "fieldRef": {"fieldPath": "metadata.name"}}]}})
mounts("down-labels", 'a="1"\nb="x-y"', "cat /v/l", {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}})
PRINTED["down-labels"][0]["metadata"]["labels"] = {"a": "1", "b": "x-y"}

for medium, kind in (("", "default"), ("Memory", "tmpfs")):
    for who, of_pod in (("root", {}), ("user", {"securityContext": {"runAsUser": 1001}})):
        for mode in ("644", "666", "777"):
            expected = {"644": "-rw-r--r--", "666": "-rw-rw-rw-", "777": "-rwxrwxrwx"}[mode]
            mounts(f"empty-{kind}-{who}-{mode}", f"drwxrwxrwx\n{expected}\nhi" + ("\ntmpfs" if medium else ""),
                   f"stat -c %A /v; echo hi > /v/f; chmod {mode} /v/f; stat -c %A /v/f; cat /v/f" + ("; stat -f -c %T /v" if medium else ""),
                   {"emptyDir": {"medium": medium} if medium else {}}, of_pod=of_pod)
mounts("empty-group", "drwxrwsrwx 1001\n1001", "stat -c '%A %g' /v; echo hi > /v/f; stat -c %g /v/f", {"emptyDir": {}}, of_pod=GROUP)
mounts("empty-size", "1024", "df -k /v | tail -1 | awk '{print $2}'", {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}})
mounts("empty-size-by-limit", "16384", "df -k /v | tail -1 | awk '{print $2}'", {"emptyDir": {"medium": "Memory"}}, resources={"limits": {"memory": "16Mi"}})
mounts("empty-group-tmpfs", "drwxrwsrwx 1001", "stat -c '%A %g' /v", {"emptyDir": {"medium": "Memory"}}, of_pod=GROUP)
mounts("shared", "from the other", "until cat /v/f 2>/dev/null; do sleep 0.1; done", {"emptyDir": {}})
PRINTED["shared"][0]["spec"]["containers"].append(container("echo from the other > /v/f", "other", volumeMounts=[{"name": "v", "mountPath": "/v"}]))
mounts("read-only", "no", "touch /v/f 2>/dev/null && echo yes || echo no", {"emptyDir": {}}, mount={"readOnly": True})

# A part of a volume
mounts("part-map", "1", "cat /v", {"configMap": {"name": "texts"}}, mount={"subPath": "one"})
mounts("part-over-file", "1\nroot", "cat /etc/passwd; echo; grep -o ^root /etc/group", {"configMap": {"name": "texts"}}, mount={"subPath": "one", "mountPath": "/etc/passwd"})
mounts("part-secret", "2", "cat /v", {"secret": {"secretName": "hidden"}}, mount={"subPath": "two"})
mounts("part-projected", "2", "cat /v", projected({"secret": {"name": "hidden"}}), mount={"subPath": "two"})
mounts("part-down", "part-down", "cat /v", {"downwardAPI": {"items": [{"path": "deep/n", "fieldRef": {"fieldPath": "metadata.name"}}]}}, mount={"subPath": "deep/n"})
mounts("part-by-name", "part-by-name", "touch /v/f; ls /w", {"emptyDir": {}}, mount={"subPathExpr": "$(NAME)"}, env=[{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])
PRINTED["part-by-name"][0]["spec"]["containers"][0]["volumeMounts"].append({"name": "v", "mountPath": "/w"})

HOST_TYPES = {"Directory": True, "DirectoryOrCreate": True, "FileOrCreate": False, "CharDevice": False, "": True}


@pytest.fixture(scope="module")
def scene(conformance: Cluster) -> Scene:
    made = Scene(conformance, "ns-storage")
    made.apply(*CONFIG)
    made.apply(*(each[0] for each in PRINTED.values()), watcher())
    return made


def watcher() -> Json:
    """A Pod that has what changes later: objects that come, change and go, and its own labels."""
    optional = {"optional": True}
    volumes = [
        {"name": "map-comes", "configMap": {"name": "comes", **optional}}, {"name": "map-changes", "configMap": {"name": "changes"}},
        {"name": "map-goes", "configMap": {"name": "goes", **optional}},
        {"name": "secret-comes", "secret": {"secretName": "comes", **optional}}, {"name": "secret-changes", "secret": {"secretName": "changes"}},
        {"name": "secret-goes", "secret": {"secretName": "goes", **optional}},
        {"name": "projected", **projected({"configMap": {"name": "changes"}}, {"secret": {"name": "comes", "items": [{"key": "key", "path": "new"}], **optional}})},
        {"name": "own", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}, {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}}]}},
    ]
    at = [{"name": each["name"], "mountPath": f"/v/{each['name']}"} for each in volumes]
    at.append({"name": "map-changes", "mountPath": "/v/fixed", "subPath": "key"})
    return pod("watcher", container(STAY, volumeMounts=at), volumes=volumes, labels={"a": "before"}, annotations={"b": "before"})


@pytest.mark.parametrize("name", PRINTED)
def test_what_a_volume_shows(scene: Scene, name: str) -> None:
    assert scene.said(name, "-c", "c") == PRINTED[name][1]


def test_changes_reach_a_running_pod(scene: Scene) -> None:
    scene.ready("watcher")
    read = lambda: scene.sh("watcher", "cd /v; for f in */key projected/new fixed own/*; do echo \"$f $(cat $f 2>/dev/null | tr '\\n' ' ')\"; done")  # noqa: E731
    assert "map-changes/key before" in read()
    scene.apply(
        thing("ConfigMap", "comes", data={"key": "new"}), thing("Secret", "comes", stringData={"key": "new"}),
        thing("ConfigMap", "changes", data={"key": "after"}), thing("Secret", "changes", stringData={"key": "after"}),
    )
    scene.kubectl("delete", "configmap/goes", "secret/goes")
    scene.kubectl("label", "pod", "watcher", "a=after", "--overwrite")
    scene.kubectl("annotate", "pod", "watcher", "b=after", "--overwrite")

    def look() -> bool:
        lines = set(read().splitlines())
        assert not {line for line in lines if line.startswith(("map-goes", "secret-goes")) and "there" in line}, lines
        wanted = {"map-comes/key new", "secret-comes/key new", "map-changes/key after", "secret-changes/key after", "projected/key after", "projected/new new"}
        assert wanted <= {line.strip() for line in lines}, lines
        return 'a="after"' in str(lines) and 'b="after"' in str(lines)

    eventually(look, "all changes are seen")
    assert "fixed before" in read(), "what is mounted by subPath stays"


@pytest.mark.parametrize("kind", ["configmap", "secret"])
def test_what_is_immutable_stays(scene: Scene, kind: str) -> None:
    field = {"configmap": "data", "secret": "stringData"}[kind]
    scene.apply(thing({"configmap": "ConfigMap", "secret": "Secret"}[kind], "fixed", **{field: {"a": "1"}}))
    patch = lambda body: scene.kubectl("patch", kind, "fixed", "--type=merge", "-p", json.dumps(body), check=False)  # noqa: E731
    assert "patched" in patch({field: {"a": "2"}})
    assert "patched" in patch({"immutable": True})
    assert "field is immutable when `immutable` is set" in patch({field: {"a": "3"}})
    assert "field is immutable when `immutable` is set" in patch({"immutable": False})
    assert "patched" in patch({"metadata": {"labels": {"x": "y"}}})
    scene.kubectl("delete", kind, "fixed")


@pytest.mark.parametrize("kind", ["Directory", "DirectoryOrCreate", "File", "FileOrCreate", "CharDevice", "Socket"])
def test_host_paths(scene: Scene, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "Directory":
        path.mkdir()
    elif kind == "File":
        path.write_text("")
    elif kind == "CharDevice":
        path = Path("/dev/null")
    name = f"host-{kind.lower()}"
    test = {"Directory": "-d", "DirectoryOrCreate": "-d", "File": "-f", "FileOrCreate": "-f", "CharDevice": "-c", "Socket": "-S"}[kind]
    scene.apply(pod(name, container(f"test {test} /v && echo yes", volumeMounts=[{"name": "v", "mountPath": "/v"}]), volumes=[{"name": "v", "hostPath": {"path": str(path), "type": kind}}]))
    if kind == "Socket":
        told = f'MountVolume.SetUp failed for volume "v" : hostPath type check failed: {path} is not a socket file'
        eventually(lambda: told in scene.events(name, "FailedMount"), "the event tells why")
        assert scene.status(name)["containerStatuses"][0]["state"]["waiting"]["reason"] == "ContainerCreating"
        scene.kubectl("delete", "pod", name)
    else:
        assert scene.said(name) == "yes"


def test_a_missing_object_holds_the_pod_until_it_comes(scene: Scene) -> None:
    scene.apply(pod("waits", container("cat /v/key", volumeMounts=[{"name": "v", "mountPath": "/v"}]), volumes=[{"name": "v", "configMap": {"name": "late"}}]))
    eventually(lambda: 'MountVolume.SetUp failed for volume "v" : configmap "late" not found' in scene.events("waits", "FailedMount"), "the event tells why")
    scene.apply(thing("ConfigMap", "late", data={"key": "here"}))
    assert scene.said("waits") == "here"


def test_a_sub_path_that_fails_is_mended_by_an_annotation(scene: Scene) -> None:
    env = [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['part']"}}}]
    scene.apply(pod("mended", container("touch /v/f && echo yes", env=env, volumeMounts=[{"name": "v", "mountPath": "/v", "subPathExpr": "$(A)/x"}]), volumes=[{"name": "v", "emptyDir": {}}]))
    assert re.search("absolute path|relative", scene.waiting("mended", "CreateContainerConfigError"))
    scene.kubectl("annotate", "pod", "mended", "part=here")
    assert scene.said("mended") == "yes"


def test_fifty_config_maps_in_one_pod(scene: Scene) -> None:
    scene.create(*(thing("ConfigMap", f"race-{n}", data={"k": str(n)}) for n in range(50)))
    volumes = [{"name": f"v{n}", "configMap": {"name": f"race-{n}"}} for n in range(50)]
    at = [{"name": f"v{n}", "mountPath": f"/v/{n}"} for n in range(50)]
    scene.create(*(pod(f"race-{n}", container("cat /v/*/k | wc -c", volumeMounts=at), volumes=volumes) for n in range(3)))
    assert [scene.said(f"race-{n}") for n in range(3)] == ["90"] * 3


def test_an_image_is_a_volume(scene: Scene) -> None:
    made = pod("pictures", container("ls /v/bin/busybox /w/passwd; touch /v/f 2>/dev/null || echo read only", volumeMounts=[
        {"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/w", "subPath": "etc"}]),
        volumes=[{"name": "v", "image": {"reference": "busybox:1.36", "pullPolicy": "IfNotPresent"}}])
    scene.apply(made)
    assert scene.said("pictures") == "/v/bin/busybox\n/w/passwd\nread only"


def test_an_image_volume_that_cannot_be_had(scene: Scene) -> None:
    scene.apply(pod("no-picture", container("true", volumeMounts=[{"name": "v", "mountPath": "/v"}]),
                    volumes=[{"name": "v", "image": {"reference": "none:1", "pullPolicy": "Never"}}]))
    assert 'Container image "none:1" is not present with pull policy of Never' in scene.waiting("no-picture", "ErrImageNeverPull")
    scene.kubectl("delete", "pod", "no-picture")
