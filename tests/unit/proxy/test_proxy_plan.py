"""The proxy's plan: which packets go where."""

from __future__ import annotations

import os
import shutil
import subprocess

import msgspec
import pytest

from wherry.api.types import core_v1, discovery_v1, meta_v1
from wherry.proxy import nft
from wherry.proxy.plan import Backend, Ruleset, ruleset, service_ports


def service(name: str = "web", **spec: object) -> core_v1.Service:
    defaults: dict[str, object] = {"cluster_ip": "10.96.0.10", "type": "ClusterIP", "ports": [core_v1.ServicePort(port=80, protocol="TCP")]}
    return core_v1.Service(metadata=meta_v1.ObjectMeta(name=name, namespace="default"), spec=core_v1.ServiceSpec(**{**defaults, **spec}))


def endpoints(name: str, *addresses: tuple[str, bool | None, bool]) -> discovery_v1.EndpointSlice:
    """addresses: (ip, ready, terminating and serving)."""
    made = [
        discovery_v1.Endpoint(addresses=[ip], conditions=discovery_v1.EndpointConditions(ready=ready, serving=going, terminating=going))
        for ip, ready, going in addresses
    ]
    meta = meta_v1.ObjectMeta(name=f"{name}-x", namespace="default", labels={"kubernetes.io/service-name": name})
    return discovery_v1.EndpointSlice(metadata=meta, address_type="IPv4", endpoints=made, ports=[discovery_v1.EndpointPort(port=8080)])


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        pytest.param([], (), id="no slices"),
        pytest.param([("10.244.0.2", True, False)], (Backend("10.244.0.2", 8080),), id="ready"),
        pytest.param([("10.244.0.2", None, False)], (Backend("10.244.0.2", 8080),), id="unknown readiness counts as ready"),
        pytest.param([("10.244.0.2", False, False)], (), id="not ready"),
        pytest.param([("10.244.0.2", False, True)], (Backend("10.244.0.2", 8080),), id="only terminating ones still serve"),
        pytest.param(
            [("10.244.0.2", False, True), ("10.244.0.3", True, False)], (Backend("10.244.0.3", 8080),), id="ready before terminating"
        ),
    ],
)
def test_backends(slices: list[tuple[str, bool | None, bool]], expected: tuple[Backend, ...]) -> None:
    [port] = service_ports([service()], [endpoints("web", *slices)] if slices else [])
    assert port.backends == expected


@pytest.mark.parametrize(
    "spec", [{"cluster_ip": "None"}, {"type": "ExternalName", "cluster_ip": ""}], ids=["headless", "external name"]
)
def test_services_without_an_address_have_no_ports(spec: dict[str, object]) -> None:
    assert service_ports([service(**spec)], []) == []


def build(*services: core_v1.Service, slices: list[discovery_v1.EndpointSlice]) -> Ruleset:
    return ruleset(service_ports(services, slices), bridge="whtest", pod_range="10.244.0.0/16")


def test_a_service_without_endpoints_refuses() -> None:
    rules = build(service(), slices=[])
    assert rules.maps["service-ips"] == {}
    assert rules.maps["no-endpoint-services"] == {"10.96.0.10 . tcp . 80": "goto refuse"}


def test_a_node_port_that_another_cluster_holds_is_not_programmed() -> None:
    port = core_v1.ServicePort(port=80, node_port=30080, protocol="TCP")
    ports = service_ports([service(type="NodePort", ports=[port])], [endpoints("web", ("10.244.0.2", True, False))])
    assert list(ruleset(ports, bridge="b", pod_range="10.244.0.0/16").maps["node-ports"]) == ["tcp . 30080"]
    assert ruleset(ports, bridge="b", pod_range="10.244.0.0/16", refused=[("tcp", 30080)]).maps["node-ports"] == {}


def test_nothing_to_do_is_no_transaction() -> None:
    rules = build(service(), slices=[endpoints("web", ("10.244.0.2", True, False))])
    assert nft.transaction("x", rules, rules) == ""


def test_a_change_touches_only_what_changed() -> None:
    other = service("other", cluster_ip="10.96.0.11")
    old = build(service(), other, slices=[endpoints("web", ("10.244.0.2", True, False)), endpoints("other", ("10.244.0.9", True, False))])
    new = build(service(), other, slices=[endpoints("web", ("10.244.0.3", True, False)), endpoints("other", ("10.244.0.9", True, False))])
    text = nft.transaction("x", old, new)
    assert "10.244.0.3" in text
    assert "10.244.0.9" not in text
    assert "delete table" not in text


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft")
def test_the_kernel_takes_every_transaction() -> None:
    """From nothing, through changes of every kind, to nothing; checked by the kernel (nft -c would not see its state)."""
    affinity = core_v1.SessionAffinityConfig(client_ip=core_v1.ClientIPConfig(timeout_seconds=60))
    sticky = service("sticky", cluster_ip="10.96.0.12", session_affinity="ClientIP", session_affinity_config=affinity)
    node = service("node", cluster_ip="10.96.0.13", type="NodePort", ports=[core_v1.ServicePort(port=80, node_port=30099, protocol="TCP")])
    one, two = ("10.244.0.2", True, False), ("10.244.0.3", True, False)
    states = [
        build(slices=[]),
        build(service(), sticky, node, slices=[]),
        build(service(), sticky, node, slices=[endpoints(n, one) for n in ("web", "sticky", "node")]),
        build(service(), sticky, node, slices=[endpoints(n, one, two) for n in ("web", "sticky", "node")]),
        build(service(), sticky, slices=[endpoints(n, two) for n in ("web", "sticky")]),
        build(slices=[]),
    ]
    old = None
    try:
        for index, state in enumerate(states):
            text = nft.transaction("unit-test", old, state)
            done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True)
            assert done.returncode == 0, f"state {index}: {done.stderr}\n{text}"
            old = state
    finally:
        subprocess.run(["nft", "-f", "-"], input=nft.remove("unit-test"), capture_output=True, text=True, check=True)


def test_local_policies_use_endpoints_of_this_node_alone() -> None:
    port = core_v1.ServicePort(port=80, node_port=30080, protocol="TCP")
    there, here = endpoints("web", ("10.244.0.2", True, False)), endpoints("web", ("10.244.0.3", True, False))
    here = msgspec.structs.replace(here, endpoints=[msgspec.structs.replace(here.endpoints[0], node_name="me")])

    def made(**spec: object) -> Ruleset:
        given = service(type="NodePort", ports=[port], external_ips=["192.0.2.1"], **spec)
        return ruleset(service_ports([given], [there, here], "me"), bridge="whtest", pod_range="10.244.0.0/16")

    both = made()
    assert both.maps["service-ips"]["10.96.0.10 . tcp . 80"] == both.maps["node-ports"]["tcp . 30080"]
    inner = made(internal_traffic_policy="Local")
    own, outside = inner.maps["service-ips"]["10.96.0.10 . tcp . 80"], inner.maps["node-ports"]["tcp . 30080"]
    assert own != outside == inner.maps["service-ips"]["192.0.2.1 . tcp . 80"]
    assert "10.244.0.2" not in str(inner.chains[own.split()[1]])
    assert "10.244.0.2" in str(inner.chains[outside.split()[1]])
    outer = made(external_traffic_policy="Local")
    assert "10.244.0.2" in str(outer.chains[outer.maps["service-ips"]["10.96.0.10 . tcp . 80"].split()[1]])
    assert "10.244.0.2" not in str(outer.chains[outer.maps["node-ports"]["tcp . 30080"].split()[1]])


def test_packets_for_endpoints_elsewhere_are_dropped_and_for_none_refused() -> None:
    given = service(internal_traffic_policy="Local")
    for slices, verdict in (([endpoints("web", ("10.244.0.2", True, False))], "drop"), ([], "goto refuse")):
        rules = ruleset(service_ports([given], slices, "me"), bridge="whtest", pod_range="10.244.0.0/16")
        assert rules.maps["no-endpoint-services"] == {"10.96.0.10 . tcp . 80": verdict}
