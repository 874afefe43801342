"""pykube-ng: a Pod made, changed, watched and deleted."""

from __future__ import annotations

import time

import pykube
from busybox_pod import pod

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
