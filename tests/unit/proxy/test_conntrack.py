"""Which flows of datagrams are deleted, and how they are read."""

from __future__ import annotations

import socket
import struct

from wherry.proxy.conntrack import Flow, parse, stale, wanted
from wherry.proxy.plan import Backend, ServicePort

SERVICE, OLD, NEW, NODE = ("10.96.0.10", 53), ("10.244.0.2", 5353), ("10.244.0.3", 5353), ("192.168.0.1", 30053)


def port(*backends: tuple[str, int], protocol: str = "udp") -> ServicePort:
    ready = tuple(Backend(*each) for each in backends)
    return ServicePort("n", "s", "", protocol, 53, 30053, ("10.96.0.10",), ready, 0, (), ready)


def flow(target: tuple[str, int], answers: tuple[str, int]) -> Flow:
    return Flow(target, answers, b"")


def test_flows_to_an_endpoint_that_is_gone_are_stale() -> None:
    flows = [flow(SERVICE, OLD), flow(SERVICE, NEW), flow(NODE, OLD), flow(NODE, NEW)]
    assert stale(flows, wanted([port(OLD)]), wanted([port(NEW)])) == [flows[0], flows[2]]
    assert stale(flows, wanted([port(OLD, NEW)]), wanted([])) == flows
    assert stale(flows, wanted([]), wanted([port(OLD, NEW)])) == []


def test_flows_from_before_there_were_endpoints_are_stale() -> None:
    untranslated = flow(SERVICE, SERVICE)
    assert stale([untranslated], wanted([port()]), wanted([port(NEW)])) == [untranslated]


def test_what_is_not_ours_stays() -> None:
    flows = [flow(("9.9.9.9", 53), ("9.9.9.9", 53)), flow(("10.96.0.11", 53), OLD), flow(NODE, NODE)]
    assert stale(flows, wanted([port(OLD)]), wanted([port(NEW)])) == []
    assert wanted([port(OLD, protocol="tcp")]).addresses == {}


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def ends(source: tuple[str, int], target: tuple[str, int], protocol: int) -> bytes:
    ip = attribute(0x8000 | 1, attribute(1, socket.inet_aton(source[0])) + attribute(2, socket.inet_aton(target[0])))
    ports = attribute(2, struct.pack("!H", source[1])) + attribute(3, struct.pack("!H", target[1]))
    return ip + attribute(0x8000 | 2, attribute(1, bytes([protocol])) + ports)


def entry(protocol: int) -> bytes:
    client = ("10.244.0.9", 999)
    original, reply = ends(client, SERVICE, protocol), ends(OLD, client, protocol)
    return attribute(0x8000 | 1, original) + attribute(0x8000 | 2, reply) + attribute(3, bytes(4))


def test_an_entry_is_read() -> None:
    found = parse(entry(socket.IPPROTO_UDP))
    assert found is not None
    assert (found.target, found.answers) == (SERVICE, OLD)
    assert entry(socket.IPPROTO_UDP).startswith(found.key), "an entry is deleted by its original direction, as it came"
    assert parse(entry(socket.IPPROTO_TCP)) is None
    assert parse(b"") is None
