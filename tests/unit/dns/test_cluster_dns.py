"""Cluster DNS: what is answered to whom."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import pytest

from wherry.api.types import core_v1, discovery_v1, meta_v1
from wherry.dns.records import build
from wherry.dns.responder import Responder
from wherry.dns.server import DNSServer

DOMAIN = "cluster.local"


def service(name: str, ip: str, **spec: object) -> core_v1.Service:
    return core_v1.Service(metadata=meta_v1.ObjectMeta(name=name, namespace="ns"), spec=core_v1.ServiceSpec(cluster_ip=ip, **spec))  # type: ignore[arg-type]


def slice_(name: str, *endpoints: discovery_v1.Endpoint) -> discovery_v1.EndpointSlice:
    return discovery_v1.EndpointSlice(
        metadata=meta_v1.ObjectMeta(name=f"{name}-1", namespace="ns", labels={"kubernetes.io/service-name": name}), address_type="IPv4",
        endpoints=list(endpoints), ports=[discovery_v1.EndpointPort(name="web", port=8080, protocol="TCP")],
    )


def endpoint(ip: str, ready: bool = True, hostname: str = "") -> discovery_v1.Endpoint:
    return discovery_v1.Endpoint(addresses=[ip], hostname=hostname, conditions=discovery_v1.EndpointConditions(ready=ready))


async def refuse(wire: bytes, tcp: bool) -> bytes:
    raise OSError("no resolver")


@pytest.fixture
def responder() -> Responder:
    made = Responder(DOMAIN, refuse, "10.244.0.0/16")
    ports = [core_v1.ServicePort(name="web", port=80, protocol="TCP")]
    services = [
        service("web", "10.96.0.20", ports=ports), service("db", "None", ports=ports),
        service("far", "", type="ExternalName", external_name="Example.com"),
    ]
    slices = [slice_("db", endpoint("10.244.0.2", hostname="db-0"), endpoint("10.244.0.3"), endpoint("10.244.0.4", ready=False))]
    made.load(build(services, slices, DOMAIN))
    return made


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        pytest.param("web.ns.svc.cluster.local", "A", {"10.96.0.20"}, id="cluster ip"),
        pytest.param("WEB.ns.svc.Cluster.local", "A", {"10.96.0.20"}, id="case does not matter"),
        pytest.param("db.ns.svc.cluster.local", "A", {"10.244.0.2", "10.244.0.3"}, id="headless: the ready ones"),
        pytest.param("db-0.db.ns.svc.cluster.local", "A", {"10.244.0.2"}, id="by hostname"),
        pytest.param("10-244-0-3.db.ns.svc.cluster.local", "A", {"10.244.0.3"}, id="by address"),
        pytest.param("_web._tcp.web.ns.svc.cluster.local", "SRV", {"0 100 80 web.ns.svc.cluster.local."}, id="srv"),
        pytest.param("20.0.96.10.in-addr.arpa", "PTR", {"web.ns.svc.cluster.local."}, id="ptr of a service"),
        pytest.param("2.0.244.10.in-addr.arpa", "PTR", {"db-0.db.ns.svc.cluster.local."}, id="ptr of an endpoint"),
        pytest.param("far.ns.svc.cluster.local", "A", {"example.com."}, id="external name"),
        pytest.param("10-244-9-9.ns.pod.cluster.local", "A", {"10.244.9.9"}, id="pod"),
        pytest.param("dns-version.cluster.local", "TXT", {'"1.1.0"'}, id="version"),
    ],
)
async def test_answers(responder: Responder, name: str, kind: str, expected: set[str]) -> None:
    for _ in range(2):  # built, then from the cache
        wire = await responder.answer(dns.message.make_query(name, kind).to_wire(), tcp=False)
        assert wire is not None
        found = dns.message.from_wire(wire)
        assert {rdata.to_text() for rrset in found.answer for rdata in rrset} == expected
        assert found.flags & dns.flags.AA


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        pytest.param("nope.ns.svc.cluster.local", "A", dns.rcode.NXDOMAIN, id="no such service"),
        pytest.param("web.ns.svc.cluster.local", "AAAA", dns.rcode.NOERROR, id="no such type"),
        pytest.param("ns.svc.cluster.local", "A", dns.rcode.NOERROR, id="an empty name above a service"),
        pytest.param("9.0.244.10.in-addr.arpa", "PTR", dns.rcode.NXDOMAIN, id="a pod's address that nobody names"),
        pytest.param("example.com", "A", dns.rcode.SERVFAIL, id="outside, without a resolver"),
    ],
)
async def test_nothing_found(responder: Responder, name: str, kind: str, code: int) -> None:
    wire = await responder.answer(dns.message.make_query(name, kind).to_wire(), tcp=False)
    assert wire is not None
    found = dns.message.from_wire(wire)
    assert (found.rcode(), found.answer) == (code, [])


async def test_a_long_answer_is_cut_and_whole_over_tcp() -> None:
    responder = Responder(DOMAIN, refuse, "10.244.0.0/16")
    responder.load(build([service("db", "None")], [slice_("db", *(endpoint(f"10.244.1.{n}") for n in range(1, 200)))], DOMAIN))
    query = dns.message.make_query("db.ns.svc.cluster.local", "A").to_wire()
    short, whole = await responder.answer(query, tcp=False), await responder.answer(query, tcp=True)
    assert short is not None
    assert whole is not None
    assert dns.message.from_wire(short).flags & dns.flags.TC
    assert sum(len(r) for r in dns.message.from_wire(whole).answer) == 199


async def test_addresses_take_turns(responder: Responder) -> None:
    query = dns.message.make_query("db.ns.svc.cluster.local", "A").to_wire()
    first = set()
    for _ in range(64):
        wire = await responder.answer(query, tcp=False)
        assert wire is not None
        first.add(dns.message.from_wire(wire).answer[0][0].to_text())
    assert first == {"10.244.0.2", "10.244.0.3"}


@pytest.mark.parametrize("wire", [b"", b"\0" * 11, b"\x12\x34\x80\0" + b"\0" * 8], ids=["empty", "short", "an answer"])
async def test_garbage_gets_no_answer(responder: Responder, wire: bytes) -> None:
    assert await responder.answer(wire, tcp=False) is None


async def test_malformed_queries_get_formerr(responder: Responder) -> None:
    wire = await responder.answer(b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\xff\xff\xff", tcp=False)
    assert wire is not None
    assert dns.message.from_wire(wire, continue_on_error=True).rcode() == dns.rcode.FORMERR


async def test_over_sockets(responder: Responder) -> None:
    import dns.asyncquery

    server = DNSServer(responder)
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    await server.listen("127.0.0.1", port)
    try:
        query = dns.message.make_query("web.ns.svc.cluster.local", "A")
        for ask in (dns.asyncquery.udp, dns.asyncquery.tcp):
            found = await ask(query, "127.0.0.1", port=port, timeout=5)
            assert found.answer[0][0].to_text() == "10.96.0.20"
    finally:
        await server.close()
