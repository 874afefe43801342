"""Flows of datagrams that the kernel still sends to endpoints that are gone.

A connection of TCP ends by itself; a UDP client that keeps its port refreshes its flow's entry with every
datagram, and would talk to nobody for ever.  So such entries are deleted when a UDP Service's endpoints change.
Message layouts: linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wherry.proxy.plan import ServicePort

log = logging.getLogger(__name__)

_NETLINK_NETFILTER = 12
_GET, _DELETE = 0x101, 0x102
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ORIG, _REPLY, _ZONE = 1, 2, 18
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_SRC, _DST = 1, 2  # of an address
_NUMBER, _SRC_PORT, _DST_PORT = 1, 2, 3  # of a protocol
_UDP = socket.IPPROTO_UDP
_TYPE_MASK = 0x3FFF
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """One entry for UDP: where its client sends, and who answers.  `key` deletes it."""

    target: Address
    answers: Address
    key: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who may answer at each address and node port for UDP."""

    addresses: dict[Address, frozenset[Address]]
    node_ports: dict[int, frozenset[Address]]


def wanted(ports: Iterable[ServicePort]) -> Wanted:
    found = Wanted({}, {})
    for port in ports:
        if port.protocol != "udp":
            continue
        inside, outside = (frozenset((b.ip, b.port) for b in backends) for backends in (port.backends, port.external_backends))
        found.addresses.update({(address, port.port): inside for address in port.addresses})
        found.addresses.update({(address, port.port): outside for address in port.external_addresses})
        if port.node_port:
            found.node_ports[port.node_port] = outside
    return found


def stale(flows: Iterable[Flow], old: Wanted, new: Wanted) -> list[Flow]:
    """The entries that lead to nobody, by what was and what is.  Pure."""
    nobody: frozenset[Address] = frozenset()
    addresses = dict.fromkeys(old.addresses, nobody) | new.addresses
    node_ports = dict.fromkeys(old.node_ports, nobody) | new.node_ports
    found = []
    for flow in flows:
        may = addresses.get(flow.target)
        if may is None and flow.answers != flow.target:  # a node port was translated, or it is not ours
            may = node_ports.get(flow.target[1])
        if may is not None and flow.answers not in may:
            found.append(flow)
    return found


def clean(old: Wanted, new: Wanted) -> int:
    """Delete what is stale; how many that was.  Blocking.  Raises OSError where the kernel does not tell of flows."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as link:
        link.settimeout(5)
        link.bind((0, 0))
        gone = stale(list(_flows(link)), old, new)
        for flow in gone:
            link.send(_message(_DELETE, _REQUEST | _ACK, flow.key))
            link.recv(65536)  # an entry that has gone meanwhile is no error
    return len(gone)


def _message(kind: int, flags: int, attributes: bytes = b"") -> bytes:
    body = struct.pack("=BBH", socket.AF_INET, 0, 0) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def _flows(link: socket.socket) -> Iterator[Flow]:
    link.send(_message(_GET, _REQUEST | _DUMP))
    while True:
        data = link.recv(1 << 18)
        while len(data) >= 16:
            size, kind = struct.unpack_from("=IH", data)
            if kind == _DONE:
                return
            if kind == _ERROR:
                code = -struct.unpack_from("=i", data, 16)[0]
                raise OSError(code, "the kernel's connection tracking cannot be read")
            flow = parse(data[20:size])
            if flow is not None:
                yield flow
            data = data[(size + 3) & ~3:]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(kind, value, the whole attribute with its padding)."""
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            return
        end = (size + 3) & ~3
        yield kind & _TYPE_MASK, data[4:size], data[:end]
        data = data[end:]


def parse(data: bytes) -> Flow | None:
    """A flow from an entry's attributes; None for another protocol."""
    found = {kind: (value, whole) for kind, value, whole in _attributes(data)}
    if _ORIG not in found or _REPLY not in found:
        return None
    target = _end(found[_ORIG][0], _DST, _DST_PORT)
    answers = _end(found[_REPLY][0], _SRC, _SRC_PORT)
    if target is None or answers is None:
        return None
    key = found[_ORIG][1] + (found[_ZONE][1] if _ZONE in found else b"")
    return Flow(target, answers, key)


def _end(data: bytes, which: int, which_port: int) -> Address | None:
    """One end of a tuple."""
    parts = {kind: value for kind, value, _ in _attributes(data)}
    address = {kind: value for kind, value, _ in _attributes(parts.get(_TUPLE_IP, b""))}.get(which)
    protocol = {kind: value for kind, value, _ in _attributes(parts.get(_TUPLE_PROTO, b""))}
    if address is None or len(address) != 4 or protocol.get(_NUMBER) != bytes([_UDP]) or which_port not in protocol:
        return None
    return socket.inet_ntoa(address), int.from_bytes(protocol[which_port], "big")
