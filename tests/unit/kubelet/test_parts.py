"""The kubelet's small pure parts: environment, names, resources, images, back-off, patches, log lines."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wherry.api.pod import qos_class
from wherry.api.types import core_v1
from wherry.kubelet.backoff import Backoff
from wherry.kubelet.container.resources import container_resources, oom_score_adj, pod_cgroup
from wherry.kubelet.container.security import SecurityError, effective_security, verify_run_as_non_root
from wherry.kubelet.container.termination import log_tail
from wherry.kubelet.env import EnvError, EnvSources, make_environment, service_envs
from wherry.kubelet.expansion import expand
from wherry.kubelet.fieldpath import FieldPathError, pod_field, resource_field
from wherry.kubelet.hosts import Resolver, hostname_and_domain, hosts_file, parse_resolv_conf, pod_resolver
from wherry.kubelet.image_manager import ImageError, parse_reference, pull_policy, registry_auths
from wherry.kubelet.podutil import pod_totals
from wherry.kubelet.prober.grpc import decode_response, encode_request
from wherry.kubelet.server.usage import cpu_ns, default_interface, network
from wherry.kubelet.status.patch import status_patch
from wherry.util.clock import FakeClock


def pod(spec: dict[str, Any] | None = None, **metadata: Any) -> core_v1.Pod:
    whole = {"containers": [{"name": "c", "image": "i"}], **(spec or {})}
    return msgspec.convert({"metadata": {"name": "p", "namespace": "n", "uid": "u", **metadata}, "spec": whole}, core_v1.Pod)


# $(VAR)


@pytest.mark.parametrize(("text", "expected"), [
    ("$(A)-$(B)", "1-2"), ("$(NO)", "$(NO)"), ("$$(A)", "$(A)"), ("$$$(A)", "$1"), ("$A", "$A"), ("$(A", "$(A"), ("a$", "a$"),
])
def test_expansion(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}.get) == expected


# Environment


def service(name: str, namespace: str = "n", ip: str = "10.43.0.7", port_name: str = "") -> core_v1.Service:
    ports = [{"port": 80, "protocol": "TCP", "name": port_name}]
    return msgspec.convert({"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "ports": ports}}, core_v1.Service)


def test_service_links() -> None:
    found = service_envs([service("web-ui", port_name="http"), service("other", "m"), service("headless", ip="None")], "n", True)
    assert found == {
        "WEB_UI_SERVICE_HOST": "10.43.0.7", "WEB_UI_SERVICE_PORT": "80", "WEB_UI_SERVICE_PORT_HTTP": "80",
        "WEB_UI_PORT": "tcp://10.43.0.7:80", "WEB_UI_PORT_80_TCP": "tcp://10.43.0.7:80", "WEB_UI_PORT_80_TCP_PROTO": "tcp",
        "WEB_UI_PORT_80_TCP_PORT": "80", "WEB_UI_PORT_80_TCP_ADDR": "10.43.0.7",
    }


def test_the_api_servers_service_is_always_told() -> None:
    found = service_envs([service("kubernetes", "default"), service("web")], "n", False)
    assert found["KUBERNETES_SERVICE_HOST"] == "10.43.0.7"
    assert not any(name.startswith("WEB") for name in found)


async def environment(container: dict[str, Any], **more: Any) -> dict[str, str]:
    async def config_map(namespace: str, name: str) -> core_v1.ConfigMap | None:
        return core_v1.ConfigMap(data={"k": "v", "l": "w"}) if name == "there" else None

    async def secret(namespace: str, name: str) -> core_v1.Secret | None:
        return core_v1.Secret(data={"k": base64.b64encode(b"s").decode()}) if name == "there" else None

    subject = pod({"containers": [{"name": "c", "image": "i", **container}], **more})
    sources = EnvSources(config_map, secret, (), "192.0.2.2", ("10.88.0.5",), {"cpu": "2", "memory": "8Gi"})
    return await make_environment(subject, subject.spec.containers[0], sources)


def ref(**source: Any) -> dict[str, Any]:
    return {"env": [{"name": "V", "valueFrom": source}]}


@pytest.mark.parametrize(("container", "expected"), [
    pytest.param({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}]}, {"A": "1", "B": "12"}, id="references"),
    pytest.param({"env": [{"name": "B", "value": "$(A)2"}, {"name": "A", "value": "1"}]}, {"A": "1", "B": "$(A)2"}, id="no forward ones"),
    pytest.param({"envFrom": [{"prefix": "P_", "configMapRef": {"name": "there"}}]}, {"P_k": "v", "P_l": "w"}, id="envFrom"),
    pytest.param({"envFrom": [{"secretRef": {"name": "there"}}]}, {"k": "s"}, id="envFrom a Secret"),
    pytest.param({"envFrom": [{"configMapRef": {"name": "no", "optional": True}}]}, {}, id="optional envFrom"),
    pytest.param(ref(configMapKeyRef={"name": "there", "key": "k"}), {"V": "v"}, id="configMapKeyRef"),
    pytest.param(ref(secretKeyRef={"name": "there", "key": "k"}), {"V": "s"}, id="secretKeyRef"),
    pytest.param(ref(secretKeyRef={"name": "there", "key": "no", "optional": True}), {}, id="optional key"),
    pytest.param(ref(fieldRef={"fieldPath": "status.podIP"}), {"V": "10.88.0.5"}, id="podIP"),
    pytest.param(ref(fieldRef={"fieldPath": "status.hostIP"}), {"V": "192.0.2.2"}, id="hostIP"),
    pytest.param({**ref(resourceFieldRef={"resource": "limits.cpu"})}, {"V": "2"}, id="no limit: the node's"),
    pytest.param(
        {**ref(resourceFieldRef={"resource": "requests.memory", "divisor": "1Mi"}), "resources": {"requests": {"memory": "5000Ki"}}},
        {"V": "5"}, id="rounded up",
    ),
])
async def test_environment(container: dict[str, Any], expected: dict[str, str]) -> None:
    assert await environment(container) == expected


@pytest.mark.parametrize(("container", "message"), [
    pytest.param({"envFrom": [{"configMapRef": {"name": "nosuch"}}]}, 'configmap "nosuch" not found', id="no ConfigMap"),
    pytest.param(ref(secretKeyRef={"name": "nosuch", "key": "k"}), 'secret "nosuch" not found', id="no Secret"),
    pytest.param(ref(configMapKeyRef={"name": "there", "key": "no"}), "couldn't find key no in ConfigMap n/there", id="no key"),
    pytest.param(ref(fieldRef={"fieldPath": "status.nosuch"}), "unsupported fieldPath: status.nosuch", id="no field"),
    pytest.param(ref(fileKeyRef={"key": "k", "path": "p", "volumeName": "v"}), 'cannot find the volume "v" referenced by FileKeyRef', id="no volume"),
])
async def test_environment_that_cannot_be(container: dict[str, Any], message: str) -> None:
    with pytest.raises(EnvError, match=message):
        await environment(container)


@pytest.mark.parametrize(("path", "expected"), [
    ("metadata.labels", 'a="1"\nb="x\\"y"'), ("metadata.labels['a']", "1"), ("metadata.annotations['no']", ""), ("metadata.uid", "u"),
])
def test_fields(path: str, expected: str) -> None:
    assert pod_field(pod(labels={"b": 'x"y', "a": "1"}), path) == expected


def test_unknown_resource_is_refused() -> None:
    with pytest.raises(FieldPathError):
        resource_field(core_v1.Container(name="c"), "cpu", "", {})


# Names


@pytest.mark.parametrize(("spec", "expected"), [
    pytest.param({}, ("p", ""), id="the Pod's name"),
    pytest.param({"hostname": "h"}, ("h", ""), id="hostname"),
    pytest.param({"hostname": "h", "subdomain": "s"}, ("h", "s.n.svc.cluster.local"), id="subdomain"),
    pytest.param({"subdomain": "s", "setHostnameAsFQDN": True}, ("p.s.n.svc.cluster.local", "s.n.svc.cluster.local"), id="FQDN"),
])
def test_hostname(spec: dict[str, Any], expected: tuple[str, str]) -> None:
    assert hostname_and_domain(pod(spec), "cluster.local") == expected


def test_hosts_file() -> None:
    spec = {"hostname": "h", "subdomain": "s", "hostAliases": [{"ip": "1.2.3.4", "hostnames": ["a", "b"]}]}
    lines = hosts_file(pod(spec), ("10.88.0.5",), "cluster.local").splitlines()
    assert lines[0] == "# Kubernetes-managed hosts file."
    assert "127.0.0.1\tlocalhost" in lines
    assert "10.88.0.5\th.s.n.svc.cluster.local\th" in lines
    assert lines[-2:] == ["# Entries added by HostAliases.", "1.2.3.4\ta\tb"]


HOST = parse_resolv_conf("# c\nnameserver 9.9.9.9\nsearch example.org\noptions edns0\n")
NDOTS = {"name": "ndots", "value": "2"}
CLUSTER = Resolver(("10.43.0.10",), ("n.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org"), ("ndots:5",))


@pytest.mark.parametrize(("spec", "expected"), [
    pytest.param({}, CLUSTER, id="ClusterFirst"),
    pytest.param({"dnsPolicy": "Default"}, HOST, id="Default"),
    pytest.param({"hostNetwork": True}, HOST, id="ClusterFirst on the host's network"),
    pytest.param({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, CLUSTER, id="ClusterFirstWithHostNet"),
    pytest.param(
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "options": [NDOTS, {"name": "x"}]}},
        Resolver(("1.1.1.1",), (), ("ndots:2", "x")), id="None",
    ),
    pytest.param({"dnsConfig": {"options": [NDOTS]}}, Resolver(CLUSTER.servers, CLUSTER.searches, ("ndots:2",)), id="overridden"),
])
def test_resolver(spec: dict[str, Any], expected: Resolver) -> None:
    assert pod_resolver(pod(spec), HOST, ("10.43.0.10",), "cluster.local") == expected


# Resources


def resources(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> dict[str, Any]:
    return {"name": "c", "image": "i", "resources": {"requests": requests or {}, "limits": limits or {}}}


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(("containers", "qos", "score"), [
    pytest.param([resources()], "BestEffort", 1000, id="nothing"),
    pytest.param([resources(BOTH, BOTH)], "Guaranteed", -997, id="as much as allowed"),
    pytest.param([resources(BOTH, {**BOTH, "memory": "2Gi"})], "Burstable", 875, id="less asked than allowed"),
    pytest.param([resources({"cpu": "1"})], "Burstable", 999, id="only CPU"),
    pytest.param([resources(BOTH, BOTH), resources()], "Burstable", 875, id="one without"),
])
def test_quality_of_service(containers: list[dict[str, Any]], qos: str, score: int) -> None:
    subject = pod({"containers": containers})
    assert qos_class(subject) == qos
    assert oom_score_adj(subject, subject.spec.containers[0], 8 << 30) == score


def test_cgroup_settings() -> None:
    subject = pod({"containers": [resources({"cpu": "250m"}, {"cpu": "500m", "memory": "16Mi"})]})
    made = container_resources(subject, subject.spec.containers[0], 8 << 30)
    assert (made.cpu_shares, made.cpu_quota, made.cpu_period, made.memory_limit) == (256, 50_000, 100_000, 16 << 20)
    assert pod_cgroup(subject, "/wherry-x") == "/wherry-x/kubepods/burstable/podu"


def test_pod_totals_count_sidecars_with_containers_and_init_containers_alone() -> None:
    subject = pod({
        "initContainers": [
            {**resources({"cpu": "3"}), "name": "big"}, {**resources({"cpu": "1"}), "name": "side", "restartPolicy": "Always"},
        ],
        "containers": [resources({"cpu": "1", "memory": "1Gi"})],
    })
    assert pod_totals(subject) == ({"cpu": "3", "memory": "1Gi"}, {})


# Security


def test_container_settings_win() -> None:
    own = {"runAsUser": 9, "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}
    subject = pod({
        "securityContext": {"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4]},
        "containers": [{"name": "c", "image": "i", "securityContext": own}],
    })
    made = effective_security(subject, subject.spec.containers[0])
    assert (made.run_as_user, made.run_as_group, made.supplemental_groups) == (9, 2, (4, 3))
    assert (made.add_capabilities, made.drop_capabilities) == (("NET_ADMIN",), ("ALL",))


@pytest.mark.parametrize(("context", "user", "message"), [
    pytest.param({"runAsNonRoot": True}, "", "image will run as root", id="image's root"),
    pytest.param({"runAsNonRoot": True}, "0:0", "image will run as root", id="image's root by number"),
    pytest.param({"runAsNonRoot": True}, "web", r"non-numeric user \(web\)", id="a name cannot be told"),
    pytest.param({"runAsNonRoot": True, "runAsUser": 0}, "5", "breaks non-root policy", id="asked for root"),
])
def test_root_is_refused(context: dict[str, Any], user: str, message: str) -> None:
    subject = pod({"containers": [{"name": "c", "image": "i", "securityContext": context}]})
    container = subject.spec.containers[0]
    with pytest.raises(SecurityError, match=message):
        verify_run_as_non_root(subject, container, effective_security(subject, container), user)


# Images


@pytest.mark.parametrize(("image", "expected"), [
    ("busybox", "busybox:latest"), ("busybox:1.36", "busybox:1.36"), ("127.0.0.1:9/x", "127.0.0.1:9/x:latest"),
    ("a.example/b/c@sha256:" + "0" * 64, "a.example/b/c@sha256:" + "0" * 64),
])
def test_references(image: str, expected: str) -> None:
    assert parse_reference(image) == expected


@pytest.mark.parametrize("image", ["UPPER::bad", "a b", "x:", "", "x@sha256:12", "http://x/y"])
def test_bad_references(image: str) -> None:
    with pytest.raises(ImageError, match="couldn't parse image name") as caught:
        parse_reference(image)
    assert caught.value.reason == "InvalidImageName"


@pytest.mark.parametrize(("image", "given", "expected"), [
    ("a", "", "Always"), ("a:latest", "", "Always"), ("a:1", "", "IfNotPresent"), ("r:5000/a", "", "Always"), ("a", "Never", "Never"),
])
def test_pull_policy(image: str, given: str, expected: str) -> None:
    assert pull_policy(given, image) == expected


@pytest.mark.parametrize(("server", "image", "fits"), [
    ("https://index.docker.io/v1/", "busybox:1", True), ("registry.example", "registry.example/a:1", True),
    ("registry.example/team", "registry.example/team/a:1", True), ("registry.example/team", "registry.example/other/a:1", False),
    ("registry.example", "registry.example.evil/a:1", False),
])
def test_pull_secrets(server: str, image: str, fits: bool) -> None:
    config = {"auths": {server: {"auth": base64.b64encode(b"u:p:q").decode()}}}
    secret = core_v1.Secret(data={".dockerconfigjson": base64.b64encode(json.dumps(config).encode()).decode()})
    found = [(auth.username, auth.password) for auth in registry_auths(secret, image)]
    assert found == ([("u", "p:q")] if fits else [])


# Back-off


async def test_backoff_doubles_to_its_limit_and_is_forgotten() -> None:
    clock = FakeClock()
    backoff = Backoff(clock, 10, 300)
    assert backoff.remaining("k", clock.time()) == 0
    delays = []
    for _ in range(7):
        backoff.next("k", clock.time())
        delays.append(backoff.get("k"))
        assert backoff.remaining("k", clock.time()) == delays[-1]
        await clock.advance(delays[-1])
    assert delays == [10, 20, 40, 80, 160, 300, 300]
    await clock.advance(601)
    assert backoff.remaining("k", clock.time()) == 0
    backoff.next("k", clock.time())
    assert backoff.get("k") == 10


# Status patches


def condition(kind: str, status: str, **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, **more}


def test_patch_says_only_what_changed() -> None:
    conditions = [condition("Ready", "False", reason="R"), condition("Gate", "True")]
    old = {"phase": "Pending", "conditions": conditions, "qosClass": "BestEffort"}
    new = {**old, "phase": "Running", "conditions": [condition("Ready", "True"), condition("Gate", "True")]}
    assert status_patch("u", old, new) == {"metadata": {"uid": "u"}, "status": {
        "phase": "Running", "conditions": [{"type": "Ready", "status": "True", "reason": None}],
        "$setElementOrder/conditions": [{"type": "Ready"}, {"type": "Gate"}],
    }}
    assert status_patch("u", new, new) is None


def test_patch_takes_members_and_addresses_away() -> None:
    old = {"reason": "R", "podIPs": [{"ip": "1.1.1.1"}]}
    assert status_patch("u", old, {"podIPs": [{"ip": "2.2.2.2"}]}) == {"metadata": {"uid": "u"}, "status": {
        "reason": None, "podIPs": [{"$patch": "delete", "ip": "1.1.1.1"}, {"ip": "2.2.2.2"}],
    }}


# gRPC's health messages, and the kernel's files


def test_grpc_messages() -> None:
    assert encode_request("") == b"\0\0\0\0\0"
    assert encode_request("a.B") == b"\0\0\0\0\x05\x0a\x03a.B"
    assert [decode_response(b"\0\0\0\0\x02\x08" + bytes((n,))) for n in (1, 2)] == ["SERVING", "NOT_SERVING"]
    assert decode_response(b"\0\0\0\0\0") == "UNKNOWN"


def test_kernel_files() -> None:
    assert cpu_ns("cpu  10 0 5 1000 7 0 1 0 0 0\ncpu0 1\n") == 16 * 10_000_000
    assert default_interface("Iface Destination Gateway Flags\neth1\t00000000\t0\t0\t0\t0\t0\t00000000\t0\n") == "eth1"
    assert network("h\nh\n eth1: 1 2 3 0 0 0 0 0 9 8 7 0 0 0 0 0\n", "eth1") == (1, 9, 3, 7)


def test_log_tail_without_the_format(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text("".join(f"2026-01-01T00:00:00.{n:09d}Z stdout F line {n}\n" for n in range(100)))
    lines = log_tail(path).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (80, "line 20", "line 99")


def test_what_others_write_into_a_status_stays() -> None:
    old = {"phase": "Pending", "resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "c"}], "extendedResourceClaimStatus": {"resourceClaimName": "d"}}
    assert status_patch("uid", old, {"phase": "Running"}) == {"metadata": {"uid": "uid"}, "status": {"phase": "Running"}}
