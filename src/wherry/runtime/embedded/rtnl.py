"""Links, addresses, routes and neighbours over rtnetlink: the few messages that Pods' networks need.

A plain socket, used from worker threads: it belongs to the network namespace of the thread that
opened it, and a batch is one system call.  (pyroute2's synchronous classes run an event loop of
their own and cost a Pod 26 ms; this costs it one or two, nearly all of that the kernel's.)
Message layouts: rtnetlink(7), linux/rtnetlink.h, linux/if_link.h.
"""

import errno
import itertools
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from types import TracebackType

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _ACK, _DUMP, _REPLACE, _EXCL, _CREATE = 0x1, 0x4, 0x300, 0x100, 0x200, 0x400
_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_NEWADDR = 20
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_NEWNEIGH = 28
_NESTED = 0x8000
_IFF_UP = 1
_UNREACHABLE = 7
_NUD_PERMANENT = 0x80

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_NET_NS_FD, _IFLA_IFALIAS = 1, 3, 4, 18, 28, 20
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC = 1, 4, 5, 6, 7

EVERYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class Message:
    """One request.  `tolerate` are the errors that mean that it was so already."""

    type: int
    flags: int
    body: bytes
    tolerate: tuple[int, ...] = ()
    what: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    index: int
    name: str
    alias: str
    mtu: int


@dataclass(frozen=True, slots=True)
class Route:
    destination: IPv4Network
    type: int
    index: int
    metric: int

    @property
    def unreachable(self) -> bool:
        return self.type == _UNREACHABLE


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _ifinfo(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BBHiII", 0, 0, 0, index, flags, change)


def host_network(address: IPv4Address) -> IPv4Network:
    """The range that holds `address` alone."""
    return IPv4Network((address, 32))


def add_bridge(name: str, address: bytes) -> Message:
    info = _attribute(_IFLA_LINKINFO | _NESTED, _text(_IFLA_INFO_KIND, "bridge"))
    body = _ifinfo() + _text(_IFLA_IFNAME, name) + _attribute(_IFLA_ADDRESS, address) + info
    return Message(_NEWLINK, _CREATE | _EXCL, body, (errno.EEXIST,), f"add bridge {name}")


def add_veth(name: str, address: bytes, peer: str, peer_address: bytes, namespace: int, mtu: int) -> Message:
    """A pair of links: `name` here, `peer` in the network namespace that the descriptor `namespace` is open on."""
    other = _ifinfo() + _text(_IFLA_IFNAME, peer) + _attribute(_IFLA_ADDRESS, peer_address) + _number(_IFLA_MTU, mtu)
    other += _number(_IFLA_NET_NS_FD, namespace)
    data = _attribute(_IFLA_INFO_DATA | _NESTED, _attribute(_VETH_INFO_PEER | _NESTED, other))
    info = _attribute(_IFLA_LINKINFO | _NESTED, _text(_IFLA_INFO_KIND, "veth") + data)
    body = _ifinfo() + _text(_IFLA_IFNAME, name) + _attribute(_IFLA_ADDRESS, address) + _number(_IFLA_MTU, mtu) + info
    return Message(_NEWLINK, _CREATE | _EXCL, body, what=f"add link {name}")


def set_link(name: str, *, up: bool = True, alias: str = "") -> Message:
    body = _ifinfo(flags=_IFF_UP if up else 0, change=_IFF_UP) + _text(_IFLA_IFNAME, name)
    if alias:
        body += _attribute(_IFLA_IFALIAS, alias.encode())
    return Message(_NEWLINK, 0, body, what=f"set link {name}")


def delete_link(name: str) -> Message:
    return Message(_DELLINK, 0, _ifinfo() + _text(_IFLA_IFNAME, name), (errno.ENODEV,), f"delete link {name}")


def add_address(index: int, address: IPv4Address, prefix: int = 32) -> Message:
    body = struct.pack("=BBBBI", socket.AF_INET, prefix, 0, 0, index)
    body += _attribute(1, address.packed) + _attribute(2, address.packed)
    return Message(_NEWADDR, _CREATE | _EXCL, body, (errno.EEXIST,), f"add address {address}")


def _route(kind: int, destination: IPv4Network, index: int, gateway: IPv4Address | None, source: IPv4Address | None, metric: int) -> bytes:
    scope = 0 if kind == _UNREACHABLE or gateway else 253  # 253 is "link"
    onlink = 4 if gateway else 0
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, destination.prefixlen, 0, 0, 254, 4, scope, kind, onlink)
    if destination.prefixlen:
        body += _attribute(_RTA_DST, destination.network_address.packed)
    if index:
        body += _number(_RTA_OIF, index)
    if gateway:
        body += _attribute(_RTA_GATEWAY, gateway.packed)
    if source:
        body += _attribute(_RTA_PREFSRC, source.packed)
    if metric:
        body += _number(_RTA_PRIORITY, metric)
    return body


def add_route(
    destination: IPv4Network,
    index: int,
    *,
    gateway: IPv4Address | None = None,
    source: IPv4Address | None = None,
    metric: int = 0,
) -> Message:
    """A route through the link `index`; a `gateway` is taken to be on that link, whatever its address."""
    body = _route(1, destination, index, gateway, source, metric)
    return Message(_NEWROUTE, _CREATE | _REPLACE, body, what=f"add route {destination}")


def add_unreachable(destination: IPv4Network, metric: int = 0) -> Message:
    body = _route(_UNREACHABLE, destination, 0, None, None, metric)
    return Message(_NEWROUTE, _CREATE | _REPLACE, body, what=f"add unreachable route {destination}")


def delete_unreachable(destination: IPv4Network, metric: int = 0) -> Message:
    body = _route(_UNREACHABLE, destination, 0, None, None, metric)
    return Message(_DELROUTE, 0, body, (errno.ESRCH,), f"delete unreachable route {destination}")


def add_neighbour(index: int, address: IPv4Address, hardware: bytes) -> Message:
    """A fixed answer to "who has `address`" on a link, so that no question is asked."""
    body = struct.pack("=BBHiHBB", socket.AF_INET, 0, 0, index, _NUD_PERMANENT, 0, 0)
    body += _attribute(1, address.packed) + _attribute(2, hardware)
    return Message(_NEWNEIGH, _CREATE | _REPLACE, body, what=f"add neighbour {address}")


class Netlink:
    """An rtnetlink socket in the network namespace of the thread that makes it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(10.0)
        self._socket.bind((0, 0))
        self._numbers = itertools.count(1)

    def __enter__(self) -> "Netlink":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def apply(self, messages: Sequence[Message]) -> None:
        """Send all as one batch, in order.  Raises OSError for the first that failed; the others were tried."""
        waiting: dict[int, Message] = {}
        packets = []
        for message in messages:
            number = next(self._numbers)
            waiting[number] = message
            header = struct.pack("=IHHII", 16 + len(message.body), message.type, _REQUEST | _ACK | message.flags, number, 0)
            packets.append(header + message.body)
        self._socket.send(b"".join(packets))
        failed: OSError | None = None
        while waiting:
            for kind, number, body in self._receive():
                done = waiting.pop(number, None)
                if done is None or kind != _NLMSG_ERROR:
                    continue
                code = -struct.unpack_from("=i", body)[0]
                if code and code not in done.tolerate and failed is None:
                    failed = OSError(code, f"{done.what}: {os.strerror(code)}")
        if failed is not None:
            raise failed

    def links(self) -> list[Link]:
        return [_link(body) for body in self._ask(_GETLINK, _DUMP, _NEWLINK, _ifinfo())]

    def index(self, name: str) -> int:
        """A link's index.  Raises OSError when there is none of that name."""
        return _link(self._ask(_GETLINK, 0, _NEWLINK, _ifinfo() + _text(_IFLA_IFNAME, name))[0]).index

    def routes(self) -> list[Route]:
        """The main table's IPv4 routes."""
        found = []
        for body in self._ask(_GETROUTE, _DUMP, _NEWROUTE, bytes([socket.AF_INET]) + bytes(11)):
            prefix, table, kind = body[1], body[4], body[7]
            if table != 254:
                continue
            values = dict(_attributes(body, 12))
            destination = IPv4Network((values.get(_RTA_DST, bytes(4)), prefix))
            index = struct.unpack("=I", values[_RTA_OIF])[0] if _RTA_OIF in values else 0
            metric = struct.unpack("=I", values[_RTA_PRIORITY])[0] if _RTA_PRIORITY in values else 0
            found.append(Route(destination, kind, index, metric))
        return found

    def _ask(self, request: int, flags: int, answer: int, body: bytes) -> list[bytes]:
        """The parts of the answer: of a dump all, otherwise the first."""
        number = next(self._numbers)
        self._socket.send(struct.pack("=IHHII", 16 + len(body), request, _REQUEST | flags, number, 0) + body)
        found: list[bytes] = []
        while True:
            for kind, about, part in self._receive():
                if about != number:
                    continue
                if kind == _NLMSG_DONE:
                    return found
                if kind == _NLMSG_ERROR:
                    code = -struct.unpack_from("=i", part)[0]
                    raise OSError(code, f"rtnetlink: {os.strerror(code)}")
                if kind == answer:
                    found.append(part)
                    if not flags & _DUMP:
                        return found

    def _receive(self) -> Iterable[tuple[int, int, bytes]]:
        data = self._socket.recv(1 << 18)
        offset = 0
        while offset + 16 <= len(data):
            length, kind, _, number, _ = struct.unpack_from("=IHHII", data, offset)
            yield kind, number, data[offset + 16 : offset + length]
            offset += (length + 3) & ~3


def _link(body: bytes) -> Link:
    values = dict(_attributes(body, 16))
    mtu = struct.unpack("=I", values[_IFLA_MTU])[0] if _IFLA_MTU in values else 0
    index = struct.unpack_from("=i", body, 4)[0]
    return Link(index, _string(values.get(_IFLA_IFNAME)), _string(values.get(_IFLA_IFALIAS)), mtu)


def _attributes(body: bytes, offset: int) -> Iterable[tuple[int, bytes]]:
    while offset + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, offset)
        if length < 4:
            return
        yield kind & 0x3FFF, body[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def _string(value: bytes | None) -> str:
    return value.rstrip(b"\0").decode(errors="replace") if value else ""
