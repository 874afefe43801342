"""pykube-ng: a Pod made, changed, watched and deleted."""

from __future__ import annotations

import time

import pykube


def pod(name: str, command: str) -> dict[str, object]:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", command], "stdin": True}],
        },
    }


api = pykube.HTTPClient(pykube.KubeConfig.from_env())
pykube.Pod(api, pod("pykube", "echo hello; sleep 600")).create()
for _ in range(300):
    found = pykube.Pod.objects(api).get(name="pykube")
    if found.ready:
        break
    time.sleep(0.1)
assert found.ready
assert found.logs() == "hello\n"
found.annotations["more"] = "yes"
found.update()
for event in pykube.Pod.objects(api).filter(selector={"app": "pykube"}).watch():
    assert event.object.annotations["more"] == "yes"
    break
found.delete()
