"""Answers to queries: from the zone, or from the resolvers of the host.

A finished answer is kept as wire bytes (all but its id), as building one costs ten times what sending
does; a new zone empties that cache.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Awaitable, Callable, Iterator

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from wherry.dns.records import Zone, pod_address

TTL = 5
UDP_SIZE = 1232
CACHED = 10_000
VERSION = "1.1.0"
Forward = Callable[[bytes, bool], Awaitable[bytes]]


class Responder:
    """One question in, one answer out; `forward` asks the host's resolvers (raises OSError when none answers)."""

    def __init__(self, domain: str, forward: Forward, pod_range: str) -> None:
        self._domain = domain
        self._suffix = f".{domain}."
        self._forward = forward
        self._pods = ipaddress.IPv4Network(pod_range)
        self._zone = Zone()
        self._cache: dict[tuple[bytes, bool], list[bytes]] = {}
        self._random = random.Random()

    def load(self, zone: Zone) -> None:
        """Answer from another zone from now on."""
        self._zone = zone
        self._cache.clear()

    async def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """The answer's bytes; None for what is not worth one (garbage, answers sent to us)."""
        if len(wire) < 12 or wire[2] & 0x80:
            return None
        known = self._cache.get((wire[2:], tcp))
        if known is not None:
            return wire[:2] + self._random.choice(known)
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return wire[:2] + bytes([0x80 | (wire[2] & 0x79), dns.rcode.FORMERR]) + b"\0" * 8
        if not isinstance(query, dns.message.QueryMessage) or query.opcode() != 0 or len(query.question) != 1:
            return _refusal(query, dns.rcode.NOTIMP)
        question = query.question[0]
        name = question.name.to_text().lower()
        if not self._is_ours(name):
            try:
                return await self._forward(wire, tcp)
            except OSError:
                return _refusal(query, dns.rcode.SERVFAIL)
        answers = [_encode(message, query, tcp) for message in self._respond(query, name)]
        if len(self._cache) >= CACHED:
            self._cache.clear()
        self._cache[wire[2:], tcp] = [a[2:] for a in answers]
        return answers[0]

    def _is_ours(self, name: str) -> bool:
        if name == self._suffix[1:] or name.endswith(self._suffix):
            return True
        return name in self._zone.ptr or self._reverse_of_pod(name)

    def _reverse_of_pod(self, name: str) -> bool:
        if not name.endswith(".in-addr.arpa."):
            return False
        parts = name.removesuffix(".in-addr.arpa.").split(".")
        try:
            return len(parts) == 4 and ipaddress.IPv4Address(".".join(reversed(parts))) in self._pods
        except ValueError:
            return False

    def _respond(self, query: dns.message.QueryMessage, name: str) -> Iterator[dns.message.Message]:
        """The answer; several that differ in order where there are several addresses."""
        kind = query.question[0].rdtype
        owner = query.question[0].name
        records = self._records(name, kind)
        turns = len(records) if len(records) > 1 and kind == dns.rdatatype.A else 1
        for turn in range(min(turns, 16)):
            message = dns.message.make_response(query, recursion_available=True)
            message.flags |= dns.flags.AA
            if records:
                turned = records[turn:] + records[:turn]
                message.answer.append(dns.rrset.from_text_list(owner, TTL, "IN", dns.rdatatype.to_text(self._type(name, kind)), turned))
                self._additional(message, name, kind)
            else:
                if not self._exists(name):
                    message.set_rcode(dns.rcode.NXDOMAIN)
                soa = f"ns.dns.{self._domain}. hostmaster.{self._domain}. 1 7200 1800 86400 {TTL}"
                message.authority.append(dns.rrset.from_text(f"{self._domain}.", TTL, "IN", "SOA", soa))
            yield message

    def _exists(self, name: str) -> bool:
        return name in self._zone.names or name == self._suffix[1:] or pod_address(name, self._domain) is not None

    def _type(self, name: str, kind: dns.rdatatype.RdataType) -> dns.rdatatype.RdataType:
        return dns.rdatatype.CNAME if name in self._zone.cname else kind

    def _records(self, name: str, kind: dns.rdatatype.RdataType) -> list[str]:
        zone = self._zone
        if name in zone.cname and kind in (dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.CNAME):
            return [zone.cname[name]]
        if kind == dns.rdatatype.A:
            found = sorted(zone.a.get(name, ()))
            pod = pod_address(name, self._domain)
            return found or ([pod] if pod else [])
        if kind == dns.rdatatype.SRV:
            return sorted(f"0 100 {srv.port} {srv.target}" for srv in zone.srv.get(name, ()))
        if kind == dns.rdatatype.PTR:
            return [zone.ptr[name]] if name in zone.ptr else []
        if kind == dns.rdatatype.TXT and name == f"dns-version{self._suffix}":
            return [f'"{VERSION}"']
        return []

    def _additional(self, message: dns.message.Message, name: str, kind: dns.rdatatype.RdataType) -> None:
        """With an SRV record, its target's addresses."""
        if kind != dns.rdatatype.SRV:
            return
        for target in sorted({srv.target for srv in self._zone.srv.get(name, ())}):
            if addresses := sorted(self._zone.a.get(target, ())):
                message.additional.append(dns.rrset.from_text_list(target, TTL, "IN", "A", addresses))


def _encode(message: dns.message.Message, query: dns.message.Message, tcp: bool) -> bytes:
    """Wire form; cut short with TC set when it does not fit into a datagram."""
    limit = 65535 if tcp else max(512, min(query.payload or 512, UDP_SIZE))
    wire = message.to_wire(max_size=65535, want_shuffle=False)  # the turns are ours
    if len(wire) <= limit:
        return wire
    short = dns.message.make_response(query, recursion_available=True)
    short.flags |= dns.flags.AA | dns.flags.TC
    return short.to_wire()


def _refusal(query: dns.message.Message, code: dns.rcode.Rcode) -> bytes:
    message = dns.message.make_response(query, recursion_available=True)
    message.set_rcode(code)
    return message.to_wire()
