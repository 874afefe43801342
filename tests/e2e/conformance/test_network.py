"""Services and names, by upstream's conformance tests of sig-network, with real packets."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename
import pytest
from cluster_harness import Cluster, eventually
from scene import PYTHON_VOLUMES, STAY, Json, Scene, container, pod, python, thing

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]

# Answers every HTTP request and every datagram with its Pod's name and who asked.
SERVER = """
import http.server, os, signal, socket, sys, threading
name = os.environ.get("NAME") or socket.gethostname()
if len(sys.argv) > 1: signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = f"{name} {self.client_address[0]}".encode()
        self.send_response(200); self.send_header("content-length", str(len(text))); self.end_headers(); self.wfile.write(text)
    def log_message(self, *a): pass
port = int(os.environ.get("PORT") or 8080)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", port + 1))
def datagrams():
    while True:
        data, who = udp.recvfrom(2048); udp.sendto(f"{name} {who[0]}".encode(), who)
threading.Thread(target=datagrams, daemon=True).start()
http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()
"""
READY: Json = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}
PORTS: Json = {"ports": [{"name": "http", "containerPort": 8080}, {"name": "udp", "containerPort": 8081, "protocol": "UDP"}]}


def server(name: str, app: str, **more: Any) -> Json:
    return pod(name, python(SERVER, **READY, **PORTS), labels={"app": app}, **PYTHON_VOLUMES, **more)


def service(name: str, app: str, *ports: Json, **spec: Any) -> Json:
    return thing("Service", name, spec={"selector": {"app": app}, "ports": list(ports) or [{"port": 80, "targetPort": "http"}], **spec})


BOTH: tuple[Json, Json] = (
    {"name": "tcp", "port": 80, "targetPort": "http", "protocol": "TCP"}, {"name": "udp", "port": 80, "targetPort": "udp", "protocol": "UDP"},
)


@pytest.fixture(scope="module")
def scene(conformance: Cluster) -> Scene:
    made = Scene(conformance, "ns-net")
    made.apply(
        *(server(f"web-{n}", "web") for n in range(3)), server("solo", "solo"), server("moved-1", "moved"),
        pod("on-host", python(SERVER, env=[{"name": "PORT", "value": "18980"}, {"name": "NAME", "value": "on-host"}]), labels={"app": "on-host"}, hostNetwork=True, **PYTHON_VOLUMES),
        pod("client", container(STAY)), pod("host-client", container(STAY), hostNetwork=True),
        pod("named", container(STAY), labels={"app": "headless"}, hostname="named", subdomain="headless"),
        pod("unready", container(STAY, readinessProbe={"exec": {"command": ["false"]}}), labels={"app": "headless"}),
        service("both", "web", *BOTH), service("sticky", "web", sessionAffinity="ClientIP"),
        service("short", "web", sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 2}}),
        service("node", "web", *BOTH, type="NodePort"), service("outer", "web", externalIPs=["192.0.2.77"]),
        service("solo", "solo"), service("host", "on-host", {"port": 80, "targetPort": 18980}),
        service("moved", "moved", {"port": 80, "targetPort": "udp", "protocol": "UDP"}), service("balanced", "web", type="LoadBalancer"),
        service("headless", "headless", {"name": "web", "port": 80}, clusterIP="None"),
        service("all", "headless", {"name": "web", "port": 80}, clusterIP="None", publishNotReadyAddresses=True),
        thing("Service", "elsewhere", spec={"type": "ExternalName", "externalName": "example.com"}),
        thing("Service", "local", spec={"ports": [{"port": 80}], "internalTrafficPolicy": "Local"}),
    )
    made.ready("web-0", "web-1", "web-2", "solo", "on-host", "client", "host-client", "named", "moved-1")
    return made


def address(scene: Scene, name: str) -> str:
    return str(scene.get("service", name)["spec"]["clusterIP"])


def ask(host: str, port: int = 80, *, source: int = 0) -> str:
    """What a server told over HTTP; OSError when there is none."""
    with socket.create_connection((host, port), timeout=3, source_address=("", source)) as link:
        link.sendall(b"GET / HTTP/1.0\r\n\r\n")
        text = b""
        while block := link.recv(4096):
            text += block
    return text.rpartition(b"\r\n")[2].decode()


def ask_udp(host: str, port: int = 80, *, link: socket.socket | None = None) -> str:
    own = link or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.settimeout(1)
    try:
        own.sendto(b"?", (host, port))
        return own.recv(2048).decode()
    finally:
        if link is None:
            own.close()


def names(what: Callable[[], str], times: int = 20) -> set[str]:
    return {what().split()[0] for _ in range(times)}


def from_pod(scene: Scene, name: str, url: str) -> str:
    return scene.sh(name, f"/bin/wget -qO- {url}", timeout=20)


def test_a_service_spreads_over_its_pods_in_both_protocols(scene: Scene) -> None:
    ip = address(scene, "both")
    eventually(lambda: names(lambda: ask(ip)) == {"web-0", "web-1", "web-2"}, "all answer over TCP", 20)
    eventually(lambda: names(lambda: ask_udp(ip)) == {"web-0", "web-1", "web-2"}, "all answer over UDP", 20)
    assert from_pod(scene, "client", "http://both").startswith("web-")
    assert from_pod(scene, "host-client", f"http://{ip}").startswith("web-")


def test_a_protocol_can_be_taken_away_and_given_back(scene: Scene) -> None:
    scene.apply(service("turns", "web", *BOTH))
    ip = address(scene, "turns")
    eventually(lambda: answers(lambda: ask(ip)) and answers(lambda: ask_udp(ip)), "both answer")
    scene.kubectl("patch", "service", "turns", "--type=merge", "-p", json.dumps({"spec": {"ports": [BOTH[0]]}}))
    eventually(lambda: answers(lambda: ask(ip)) and not answers(lambda: ask_udp(ip)), "TCP alone")
    scene.kubectl("patch", "service", "turns", "--type=merge", "-p", json.dumps({"spec": {"ports": [BOTH[1]]}}))
    eventually(lambda: answers(lambda: ask_udp(ip)) and not answers(lambda: ask(ip)), "UDP alone")


def answers(what: Callable[[], str]) -> bool:
    try:
        return bool(what())
    except OSError:
        return False


def test_affinity(scene: Scene) -> None:
    ip = address(scene, "sticky")
    eventually(lambda: answers(lambda: ask(ip)), "it answers")
    assert len(names(lambda: ask(ip), 15)) == 1
    assert len(names(lambda: from_pod(scene, "client", "http://sticky"), 5)) == 1
    scene.kubectl("patch", "service", "sticky", "-p", '{"spec":{"sessionAffinity":"None"}}')
    eventually(lambda: len(names(lambda: ask(ip))) == 3, "it spreads again")
    scene.kubectl("patch", "service", "sticky", "-p", '{"spec":{"sessionAffinity":"ClientIP"}}')
    eventually(lambda: len(names(lambda: ask(ip))) == 1, "it stays again")


def test_affinity_ends_with_its_timeout(scene: Scene) -> None:
    ip = address(scene, "short")

    def seen() -> set[str]:
        found = names(lambda: ask(ip), 2)
        assert len(found) == 1
        time.sleep(2.5)
        return found

    found: set[str] = set()
    for _ in range(8):
        found |= seen()
        if len(found) > 1:
            return
    raise AssertionError(f"always {found}")


def test_node_ports(scene: Scene) -> None:
    ports = {each["protocol"]: each["nodePort"] for each in scene.get("service", "node")["spec"]["ports"]}
    ip = scene.status("host-client")["hostIP"]
    for host in (ip, "127.0.0.1"):
        assert names(lambda host=host: ask(host, ports["TCP"])) <= {"web-0", "web-1", "web-2"}
        assert answers(lambda host=host: ask_udp(host, ports["UDP"]))
    assert from_pod(scene, "client", f"http://{ip}:{ports['TCP']}").startswith("web-")


def test_local_node_ports_keep_the_clients_address(scene: Scene) -> None:
    scene.apply(service("kept", "web", type="NodePort", externalTrafficPolicy="Local"))
    port = scene.get("service", "kept")["spec"]["ports"][0]["nodePort"]
    ip = scene.status("host-client")["hostIP"]
    client = scene.status("client")["podIP"]
    eventually(lambda: from_pod(scene, "client", f"http://{ip}:{port}").split()[1] == client, "the address is the client's own", 20)


def test_external_addresses_answer(scene: Scene) -> None:
    assert ask("192.0.2.77").startswith("web-")
    assert from_pod(scene, "client", "http://192.0.2.77").startswith("web-")


def test_a_pod_reaches_itself_through_its_service(scene: Scene) -> None:
    said = from_pod(scene, "solo", "http://solo.ns-net")  # its bare name is its own in /etc/hosts
    assert said.startswith("solo ")


def test_a_pod_on_the_hosts_network_serves(scene: Scene) -> None:
    assert from_pod(scene, "client", "http://host").startswith("on-host ")
    assert ask(address(scene, "host")).startswith("on-host ")


def test_datagrams_find_the_pod_that_came_after(scene: Scene) -> None:
    """A client that keeps its port is not left with the connection tracking of a Pod that is gone."""
    ip = address(scene, "moved")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("", 0))
        eventually(lambda: answers(lambda: ask_udp(ip, link=link)), "it answers")
        scene.kubectl("delete", "pod", "moved-1")
        scene.apply(server("moved-2", "moved"))
        eventually(lambda: ask_udp_or(ip, link).startswith("moved-2"), "the new Pod answers the old client", 30)


def ask_udp_or(ip: str, link: socket.socket) -> str:
    try:
        return ask_udp(ip, link=link)
    except OSError:
        return ""


def test_datagrams_sent_before_there_was_a_pod_do_not_spoil_the_way(scene: Scene) -> None:
    scene.apply(service("later", "later", {"port": 80, "targetPort": "udp", "protocol": "UDP"}))
    ip = address(scene, "later")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("", 0))
        assert ask_udp_or(ip, link) == ""
        scene.apply(server("later", "later"))
        eventually(lambda: ask_udp_or(ip, link).startswith("later"), "it answers", 30)


def test_a_service_changes_its_type(scene: Scene) -> None:
    scene.apply(thing("Service", "changes", spec={"type": "ExternalName", "externalName": "example.com"}))
    patch = {"type": "ClusterIP", "externalName": None, "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}
    scene.kubectl("patch", "service", "changes", "--type=merge", "-p", json.dumps({"spec": patch}))
    ip = address(scene, "changes")
    eventually(lambda: answers(lambda: ask(ip)), "a cluster IP answers")
    scene.kubectl("patch", "service", "changes", "--type=merge", "-p", '{"spec":{"type":"NodePort"}}')
    port = scene.get("service", "changes")["spec"]["ports"][0]["nodePort"]
    eventually(lambda: answers(lambda: ask("127.0.0.1", port)), "a node port answers")
    scene.kubectl("patch", "service", "changes", "--type=merge", "-p", '{"spec":{"type":"ClusterIP"}}')
    eventually(lambda: not answers(lambda: ask("127.0.0.1", port)), "no node port any more")
    patch = {"type": "ExternalName", "externalName": "example.org", "clusterIP": None, "clusterIPs": None, "selector": None, "ports": None}
    scene.kubectl("patch", "service", "changes", "--type=merge", "-p", json.dumps({"spec": patch}))
    eventually(lambda: not answers(lambda: ask(ip)), "no cluster IP any more")


def test_local_traffic_leaves_endpoints_elsewhere_alone(scene: Scene) -> None:
    """internalTrafficPolicy Local: an endpoint on no node, or another one, is not used."""
    ip = scene.status("web-0")["podIP"]
    node = scene.get("pod", "web-0")["spec"]["nodeName"]

    def slice_(name: str | None) -> Json:
        endpoint = {"addresses": [ip], "conditions": {"ready": True}} | ({"nodeName": name} if name else {})
        made = thing("EndpointSlice", "local-1", "discovery.k8s.io/v1", addressType="IPv4", endpoints=[endpoint], ports=[{"port": 8080, "protocol": "TCP", "name": ""}])
        made["metadata"]["labels"] = {"kubernetes.io/service-name": "local"}
        return made

    target = address(scene, "local")
    scene.apply(slice_(node))
    eventually(lambda: answers(lambda: ask(target)), "an endpoint here answers")
    scene.apply(slice_("another"))
    eventually(lambda: not answers(lambda: ask(target)), "one elsewhere does not")
    scene.apply(slice_(None))
    assert not answers(lambda: ask(target))


def test_a_load_balancer_is_pending(scene: Scene) -> None:
    assert "<pending>" in scene.kubectl("get", "service", "balanced")
    assert answers(lambda: ask(address(scene, "balanced")))


def test_pods_that_end_serve_when_no_other_does(scene: Scene) -> None:
    ending = pod("ending", python(SERVER + "\n# ", **READY, **PORTS), labels={"app": "ending"}, **PYTHON_VOLUMES)
    ending["spec"]["containers"][0]["command"].append("ignore")
    ending["spec"]["terminationGracePeriodSeconds"] = 600
    scene.apply(ending, service("ending", "ending"))
    scene.ready("ending")
    ip = address(scene, "ending")
    eventually(lambda: answers(lambda: ask(ip)), "it answers")
    scene.kubectl("delete", "pod", "ending", "--wait=false")
    eventually(lambda: not scene.get("endpointslice", "-l", "kubernetes.io/service-name=ending")["items"][0]["endpoints"][0]["conditions"]["ready"], "it is not ready any more")
    for _ in range(5):
        assert ask(ip).startswith("ending")
        time.sleep(0.2)
    scene.kubectl("delete", "pod", "ending", "--grace-period=0", "--force")
    eventually(lambda: not answers(lambda: ask(ip)), "nobody answers")


def test_endpoints_follow_pods(scene: Scene) -> None:
    def ports() -> set[str]:
        found = scene.get("endpoints", "both")["subsets"][0]
        return {each["targetRef"]["name"] for each in found["addresses"]}

    assert ports() == {"web-0", "web-1", "web-2"}


# Names ------------------------------------------------------------------------------------------


def resolve(scene: Scene, name: str, kind: str = "A", *, tcp: bool = False, payload: int = 0) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0 if payload else -1, payload=payload or 1232)
    server_ = scene.status("host-client")["hostIP"]
    return (dns.query.tcp if tcp else dns.query.udp)(query, server_, timeout=5)


def texts(message: dns.message.Message) -> set[str]:
    return {item.to_text() for rrset in message.answer for item in rrset}


def test_records_of_services(scene: Scene) -> None:
    zone = "ns-net.svc.cluster.local."
    ip = address(scene, "both")
    assert texts(resolve(scene, f"both.{zone}")) == {ip}
    assert texts(resolve(scene, f"BoTh.{zone.upper()}", tcp=True)) == {ip}
    srv = resolve(scene, f"_udp._udp.both.{zone}", "SRV")
    assert texts(srv) == {f"0 100 80 both.{zone}"}
    assert {item.to_text() for rrset in srv.additional for item in rrset} == {ip}
    assert texts(resolve(scene, dns.reversename.from_address(ip).to_text(), "PTR")) == {f"both.{zone}"}
    assert texts(resolve(scene, f"elsewhere.{zone}", "CNAME")) == {"example.com."}
    assert texts(resolve(scene, "kubernetes.default.svc.cluster.local.")) == {scene.cluster.get("service", "kubernetes", "-n", "default")["spec"]["clusterIP"]}


def test_records_of_headless_services(scene: Scene) -> None:
    zone = "svc.cluster.local."
    named, unready = scene.status("named")["podIP"], scene.status("unready")["podIP"]
    assert texts(resolve(scene, f"headless.ns-net.{zone}")) == {named}
    assert texts(resolve(scene, f"all.ns-net.{zone}")) == {named, unready}
    assert texts(resolve(scene, f"named.headless.ns-net.{zone}")) == {named}
    assert texts(resolve(scene, f"_web._tcp.headless.ns-net.{zone}", "SRV")) == {f"0 100 80 named.headless.ns-net.{zone}"}
    assert texts(resolve(scene, dns.reversename.from_address(named).to_text(), "PTR")) & {f"named.headless.ns-net.{zone}"}
    assert texts(resolve(scene, f"{named.replace('.', '-')}.ns-net.pod.cluster.local.")) == {named}


def test_what_is_not_there(scene: Scene) -> None:
    gone = resolve(scene, "none.ns-net.svc.cluster.local.")
    assert gone.rcode() == dns.rcode.NXDOMAIN
    assert gone.authority[0].rdtype == dns.rdatatype.SOA
    empty = resolve(scene, "both.ns-net.svc.cluster.local.", "AAAA")
    assert (empty.rcode(), empty.answer) == (dns.rcode.NOERROR, [])
    assert empty.authority[0].rdtype == dns.rdatatype.SOA
    assert empty.flags & dns.flags.AA
    above = resolve(scene, "ns-net.svc.cluster.local.")
    assert (above.rcode(), above.answer) == (dns.rcode.NOERROR, [])


def test_large_answers_are_cut_and_come_over_tcp(scene: Scene) -> None:
    endpoints = [{"addresses": [f"10.200.0.{n}"], "conditions": {"ready": True}} for n in range(1, 91)]
    made = thing("EndpointSlice", "large-1", "discovery.k8s.io/v1", addressType="IPv4", endpoints=endpoints, ports=[{"port": 80, "protocol": "TCP", "name": ""}])
    made["metadata"]["labels"] = {"kubernetes.io/service-name": "large"}
    scene.apply(thing("Service", "large", spec={"clusterIP": "None", "ports": [{"port": 80}]}), made)
    name = "large.ns-net.svc.cluster.local."
    eventually(lambda: len(texts(resolve(scene, name, tcp=True))) == 90, "all over TCP")
    short = resolve(scene, name)
    assert short.flags & dns.flags.TC
    assert resolve(scene, name, payload=4096).edns == 0


@pytest.mark.parametrize("name", ["both", "both.ns-net", "both.ns-net.svc", "both.ns-net.svc.cluster.local", "BOTH"])
def test_names_are_searched(scene: Scene, name: str) -> None:
    assert from_pod(scene, "client", f"http://{name}").startswith("web-")


def test_a_pod_knows_its_own_name(scene: Scene) -> None:
    said = scene.sh("named", "hostname -f; cat /etc/hosts | grep headless")
    assert said.splitlines()[0] == "named.headless.ns-net.svc.cluster.local"
