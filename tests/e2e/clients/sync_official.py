"""The official client: objects, watches, paging, server-side apply, logs, exec, port-forward, proxy, the dynamic client."""

from __future__ import annotations

import threading
import time

from busybox_pod import pod
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import portforward, stream

config.load_kube_config()
core, apps = client.CoreV1Api(), client.AppsV1Api()

# objects, pages, conflicts
for n in range(7):
    core.create_namespaced_config_map("default", {"metadata": {"name": f"page-{n}", "labels": {"page": "yes"}}, "data": {"n": str(n)}})
names, token = [], None
while token != "":
    page = core.list_namespaced_config_map("default", label_selector="page=yes", limit=3, _continue=token)
    names += [each.metadata.name for each in page.items]
    token = page.metadata._continue or ""
assert names == [f"page-{n}" for n in range(7)], names
stale = core.read_namespaced_config_map("page-0", "default")
core.patch_namespaced_config_map("page-0", "default", {"data": {"more": "x"}})
try:
    core.replace_namespaced_config_map("page-0", "default", stale)
    refused = 0
except ApiException as error:
    refused = error.status
assert refused == 409
core.create_namespaced_config_map("default", {"metadata": {"name": "dry"}}, dry_run="All")

# a watch from a revision
revision = core.list_namespaced_config_map("default").metadata.resource_version


def change() -> None:
    time.sleep(0.3)
    core.patch_namespaced_config_map("page-1", "default", {"data": {"more": "y"}})
    core.delete_namespaced_config_map("page-2", "default")


threading.Thread(target=change).start()
seen = []
for event in watch.Watch().stream(core.list_namespaced_config_map, "default", resource_version=revision, timeout_seconds=20):
    seen.append((event["type"], event["object"].metadata.name))
    if len(seen) == 2:
        break
assert seen == [("MODIFIED", "page-1"), ("DELETED", "page-2")], seen
core.delete_collection_namespaced_config_map("default", label_selector="page=yes")

# a Pod: logs, exec, port-forward, proxy
core.create_namespaced_pod("default", pod("official", "echo hello; exec httpd -f -p 8080 -h /etc"))
for event in watch.Watch().stream(core.list_namespaced_pod, "default", label_selector="app=official", timeout_seconds=30):
    if any(each.type == "Ready" and each.status == "True" for each in event["object"].status.conditions or []):
        break
assert core.read_namespaced_pod_log("official", "default") == "hello\n"
for line in watch.Watch().stream(core.read_namespaced_pod_log, "official", "default"):
    assert line == "hello"
    break
run = stream(
    core.connect_get_namespaced_pod_exec, "official", "default", command=["sh", "-c", "read x; echo got $x; echo bad >&2; exit 3"],
    stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False,
)
run.write_stdin("abc\n")
run.run_forever(timeout=10)
assert (run.read_stdout(), run.read_stderr(), run.returncode) == ("got abc\n", "bad\n", 3)
forward = portforward(core.connect_get_namespaced_pod_portforward, "official", "default", ports="8080,9")
socket = forward.socket(8080)
socket.settimeout(10)
socket.sendall(b"GET /hostname HTTP/1.0\r\n\r\n")
answer = b""
while part := socket.recv(4096):
    answer += part
assert answer.endswith(b"official\n"), answer
assert forward.error(8080) is None
assert core.connect_get_namespaced_pod_proxy_with_path("official:8080", "default", "hostname") == "official\n"

# server-side apply and discovery through the dynamic client, and a manifest
kinds = dynamic.DynamicClient(client.ApiClient())
deployments = kinds.resources.get(api_version="apps/v1", kind="Deployment")
body = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "applied"},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "main", "image": "busybox:1.36", "command": ["sleep", "60"]}]},
    }},
}
deployments.server_side_apply(body=body, namespace="default", field_manager="one")
body["spec"]["replicas"] = 0
try:
    deployments.server_side_apply(body=body, namespace="default", field_manager="two")
    raise AssertionError("no conflict")
except dynamic.exceptions.ConflictError:
    pass
assert deployments.server_side_apply(body=body, namespace="default", field_manager="two", force_conflicts=True).spec.replicas == 0
scale = apps.read_namespaced_deployment_scale("applied", "default")
assert (scale.spec.replicas or 0, scale.status.selector) == (0, "a=b")
job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "made"}, "spec": {"schedule": "@daily", "jobTemplate": {"spec": {
    "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox:1.36"}]}}}}}}
utils.create_from_dict(client.ApiClient(), job)
assert len(client.BatchV1Api().list_cron_job_for_all_namespaces().items) == 1
