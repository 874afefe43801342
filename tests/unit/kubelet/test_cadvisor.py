"""`/metrics/cadvisor` and `/logs/`."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from wherry.kubelet.container.state import PodState
from wherry.kubelet.server.cadvisor import cadvisor_metrics
from wherry.kubelet.server.nodelogs import node_log
from wherry.runtime.interface import ContainerConfig, ContainerState, ContainerStatus, Resources, SandboxConfig, SandboxState, SandboxStatus

TIME = "2026-01-01T00:00:00Z"


def test_figures_have_cadvisors_names() -> None:
    cpu, memory = {"time": TIME, "usageCoreNanoSeconds": 2_500_000_000}, {"time": TIME, "usageBytes": 10, "workingSetBytes": 9, "rssBytes": 8}
    summary = {"node": {"cpu": cpu, "memory": memory}, "pods": [{
        "podRef": {"name": "p", "namespace": "n", "uid": "u"}, "cpu": cpu, "memory": memory,
        "network": {"time": TIME, "rxBytes": 7, "rxErrors": 0, "txBytes": 6, "txErrors": 0},
        "containers": [{"name": "c", "cpu": cpu, "memory": memory}],
    }]}
    sandbox = SandboxStatus("s1", SandboxConfig("p", "n", "u", cgroup_parent="/pods/podu"), SandboxState.READY, 1.0, ())
    config = ContainerConfig("c", "i", resources=Resources(memory_limit=64, cpu_quota=5))
    run = ContainerStatus("c1", "s1", config, ContainerState.RUNNING, 1.0, 2.0, image_ref="img")
    text = cadvisor_metrics(summary, lambda uid: PodState(uid, "p", "n", (sandbox,), (run,)), cpus=2, memory=100, version="v1")
    found = {(s.name, s.labels.get("container"), s.labels.get("pod")): s for family in text_string_to_metric_families(text) for s in family.samples}
    own = found["container_cpu_usage_seconds_total", "c", "p"]
    assert own.value == 2.5
    assert own.labels == {"container": "c", "pod": "p", "namespace": "n", "id": "/pods/podu/c1", "name": "c1", "image": "img", "cpu": "total"}
    assert found["container_memory_working_set_bytes", "", ""].labels["id"] == "/"
    assert found["container_network_receive_bytes_total", "", "p"].value == 7
    assert found["container_spec_memory_limit_bytes", "c", "p"].value == 64
    assert found["machine_cpu_cores", None, None].value == 2


def test_logs_of_the_node(tmp_path: Path) -> None:
    root = tmp_path / "log"
    (root / "deep").mkdir(parents=True)
    (root / "a&b").write_text("text")
    (tmp_path / "secret").write_text("no")
    (root / "link").symlink_to(tmp_path / "secret")
    assert b'<a href="a%26b">a&amp;b</a>\n<a href="deep/">deep/</a>' in node_log("/", root).body
    assert node_log("/a&b", root).body == b"text"
    assert [node_log(path, root).status for path in ("/none", "/../secret", "/link")] == [404] * 3
