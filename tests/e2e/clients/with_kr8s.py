"""kr8s: waiting, exec, port-forward, labels, scaling, and discovery with slashes at the ends of its paths."""

from __future__ import annotations

import urllib.request

import kr8s
from busybox_pod import pod
from kr8s.objects import Deployment, Pod

web = Pod(pod("krates", "echo hello; exec httpd -f -p 8080 -h /etc"))
web.create()
web.wait("condition=Ready", timeout=30)
assert list(web.logs()) == ["hello"]
assert web.exec(["hostname"]).stdout == b"krates\n"
with web.portforward(remote_port=8080) as port, urllib.request.urlopen(f"http://localhost:{port}/hostname", timeout=10) as answer:
    assert answer.read() == b"krates\n"
web.label({"more": "yes"})
web.refresh()
assert web.labels["more"] == "yes"
assert len(list(kr8s.api().api_resources())) > 60
template = {"metadata": {"labels": {"kr": "d"}}, "spec": pod("", "sleep 600")["spec"]}
scaled = Deployment({
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "krates"},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"kr": "d"}}, "template": template},
})
scaled.create()
scaled.scale(2)
scaled.wait("condition=Available", timeout=30)
assert len(scaled.pods()) == 2
scaled.delete()
web.delete()
web.wait("delete", timeout=30)
