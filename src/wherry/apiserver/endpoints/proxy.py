"""pods/proxy, services/proxy and nodes/proxy: any request, passed on to what listens there.

https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls
The name in the URL is NAME, NAME:PORT or SCHEME:NAME:PORT.  Where to go is planned from the watch caches alone, and only
a Pod's own address is ever dialed.  A node's name leads to its kubelet's HTTP API.
"""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.http import Request, Response
from wherry.apiserver.admission.interface import Reader
from wherry.apiserver.call import Call
from wherry.apiserver.codec import decode_json
from wherry.apiserver.endpoints.rewriting import MAX_HTML, Rewriter
from wherry.apiserver.endpoints.streams import Nodes, dialing_failed
from wherry.apiserver.registry.store import Store
from wherry.client.forward import Forwarder, Unreachable
from wherry.client.paths import url
from wherry.client.upgrade import is_upgrade

_SCHEMES = ("", "http", "https")
_SLICES, _SERVICE_LABEL = ("discovery.k8s.io", "endpointslices"), "kubernetes.io/service-name"
_CORS = "access-control-"
NO_NETWORK = "error trying to reach service: the Pods of this cluster are simulated, and have no network"


@dataclass(frozen=True, slots=True)
class Target:
    """What a name in a proxy's URL asks for."""

    scheme: str
    name: str
    port: str


def parse_target(text: str, what: str) -> Target:
    """Raises StatusError 400."""
    parts = text.split(":")
    scheme, name, port = {1: ("", *parts, ""), 2: ("", *parts), 3: tuple(parts)}.get(len(parts), ("", "", ""))
    if not name or scheme not in _SCHEMES:
        raise errors.bad_request(f'invalid {what} request "{text}"')
    return Target(scheme or "http", name, port)


def origin(scheme: str, ip: str, port: str) -> str:
    """scheme://host[:port] of an address.  Raises StatusError 400 for one that is no Pod's to have."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        raise errors.bad_request("address not allowed") from None
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        raise errors.bad_request("address not allowed")
    host = f"[{ip}]" if address.version == 6 else ip
    return f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"


def pod_origin(pod: Object, target: Target) -> str:
    """A Pod's own address, at the port asked for or the first one that it declares.  Raises StatusError 400."""
    declared = (str(port["containerPort"]) for container in pod["spec"]["containers"] for port in container.get("ports") or ())
    return origin(target.scheme, _ips(pod)[0], target.port or next(declared, ""))


def _ips(pod: Object) -> list[str]:
    return [one["ip"] for one in (pod.get("status") or {}).get("podIPs") or ()] or [""]


def service_port(service: Object, target: Target) -> str:
    """The name of the Service's port that is asked for by number or name.  Raises StatusError 503."""
    if not target.port.isdecimal():
        return target.port
    for port in service["spec"].get("ports") or ():
        if port["port"] == int(target.port):
            return str(port.get("name", ""))
    raise errors.service_unavailable(f'no service port {int(target.port)} found for service "{target.name}"')


def endpoints_of(slices: list[Object], port: str) -> Iterator[tuple[str, int, str]]:
    """(address, port, Pod's name) of each ready endpoint that has the port of that name and is a Pod."""
    for each in slices:
        numbers = [p["port"] for p in each.get("ports") or () if (p.get("name") or "") == port and p.get("port")]
        for endpoint in each.get("endpoints") or () if numbers else ():
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            reference = endpoint.get("targetRef") or {}
            if ready and reference.get("kind") == "Pod" and endpoint.get("addresses"):
                yield endpoint["addresses"][0], numbers[0], reference["name"]


class Passing:
    """What is the same for all: the redirect to a path, the request as the other side sees it, and its answer."""

    def __init__(self, forwarder: Forwarder, *, network: bool = True) -> None:
        self._forwarder, self._network = forwarder, network

    async def send(self, call: Call, where: str) -> Response:
        """The answer of `where` (scheme://host:port).  Raises StatusError 500 or 503 when there is none."""
        if not self._network:
            raise errors.service_unavailable(NO_NETWORK)
        prefix, rest = split_path(call)
        request = outgoing(call.request, prefix, rest)
        try:
            response = await self._forwarder.send(where, request)
        except Unreachable as error:
            if is_upgrade(call.request):
                raise dialing_failed(error) from error
            raise errors.service_unavailable(f"error trying to reach service: {error}") from error
        hosts = (where.partition("://")[2], call.request.headers.get("host", ""))
        return response if response.status == 101 else await rewritten(response, Rewriter(prefix, hosts))


def split_path(call: Call) -> tuple[str, str]:
    """(the proxy's own path, what follows it with the query), as they stand on the wire where they came from one."""
    request = call.request
    target = request.target if request.target.startswith("/") else url(request.path, request.query)
    count = 7 if call.info.namespace else 5  # api, v1, [namespaces, NAME,] pods, NAME, proxy
    found = re.match(rf"(?:/+[^/?]+){{{count}}}", target)
    assert found is not None, target
    return found[0], target[found.end() :]


def redirect(call: Call) -> Response | None:
    """To the same with a slash, where a page's relative links are right."""
    prefix, rest = split_path(call)
    if rest.startswith("/") or call.request.method not in ("GET", "HEAD") or is_upgrade(call.request):
        return None
    return Response(301, b"", "", [("Location", f"{prefix}/{rest}")])


def outgoing(request: Request, prefix: str, rest: str) -> Request:
    """The request as what is behind the proxy sees it: with no credentials of ours."""
    private = ("authorization", "content-encoding")
    headers = {k: v for k, v in request.headers.items() if k not in private and not k.startswith("impersonate-")}
    seen = headers.get("x-forwarded-for")
    if request.peer:
        headers["x-forwarded-for"] = f"{seen}, {request.peer}" if seen else request.peer
    path, question, query = rest.partition("?")
    headers["x-forwarded-uri"] = prefix + (path or "/")
    target = (path or "/") + question + query
    return replace(request, path="", query=[], headers=headers, target=target, user=None, certificate=None)


async def rewritten(response: Response, rewriter: Rewriter) -> Response:
    """Redirects and links lead through the proxy; what the page allows to other origins is not said of ours."""
    led: list[tuple[str, str]] = []
    encoding = ""
    for name, value in response.headers:
        lower = name.lower()
        encoding = value.lower() if lower == "content-encoding" else encoding
        if lower == "location":
            led.append((name, rewriter.url(value)))
        elif not lower.startswith(_CORS):
            led.append((name, value))
    response.headers = led
    if response.content_type.partition(";")[0].strip().lower() == "text/html":
        await _gather(response)
        if response.stream is None:
            response.body = rewriter.body(response.body, encoding)
    return response


async def _gather(response: Response) -> None:
    """Make a page that comes in pieces whole, unless it is too large."""
    stream, parts, size = response.stream, list[bytes](), 0
    if stream is None:
        return
    async for part in stream:
        parts.append(part)
        size += len(part)
        if size > MAX_HTML:
            response.stream = _again(parts, stream)
            return
    response.body, response.stream = b"".join(parts), None


async def _again(parts: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    async for part in rest:
        yield part


class PodProxy:
    """pods/proxy."""

    def __init__(self, passing: Passing) -> None:
        self._passing = passing

    async def __call__(self, call: Call, store: Store) -> Response:
        target = parse_target(call.info.name, "pod")
        pod = decode_json(store.require(call.info.namespace, target.name).value)
        where = pod_origin(pod, target)
        return redirect(call) or await self._passing.send(call, where)


class ServiceProxy:
    """services/proxy: to one of the Service's ready Pods."""

    def __init__(self, passing: Passing, reader: Reader, choose: Callable[[int], int] = random.randrange) -> None:
        self._passing, self._reader, self._choose = passing, reader, choose

    async def __call__(self, call: Call, store: Store) -> Response:
        target = parse_target(call.info.name, "service")
        service = decode_json(store.require(call.info.namespace, target.name).value)
        where = self._origin(call, target, service_port(service, target))
        return redirect(call) or await self._passing.send(call, where)

    def _origin(self, call: Call, target: Target, port: str) -> str:
        namespace, wanted = call.info.namespace, call.info.name
        labelled = (c for c in self._reader.cached_list(*_SLICES, namespace) if c.labels.get(_SERVICE_LABEL) == target.name)
        slices = [decode_json(c.value) for c in labelled]
        found = list(endpoints_of(slices, port))
        first = self._choose(len(found)) if found else 0
        for address, number, name in [*found[first:], *found[:first]]:
            pod = self._reader.cached("", "pods", namespace, name)
            if pod is not None and address in _ips(decode_json(pod.value)):
                return origin(target.scheme, address, str(number))
        asked = target.name if not any(each.get("endpoints") for each in slices) else wanted
        raise errors.service_unavailable(f'no endpoints available for service "{asked}"')


class NodeProxy:
    """nodes/proxy: the kubelet's own HTTP API, or another port of the node."""

    def __init__(self, nodes: Nodes, passing: Passing) -> None:
        self._nodes, self._passing = nodes, passing

    async def __call__(self, call: Call, store: Store) -> Response:
        target = parse_target(call.info.name, "node")
        status = decode_json(store.require("", target.name).value).get("status") or {}
        if answer := redirect(call):
            return answer
        told = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
        if not target.port or target.port == str(told):
            return await self._nodes.send(target.name, call, "/" + call.info.rest, call.request.query)
        addresses = {each["type"]: each["address"] for each in reversed(status.get("addresses") or [])}
        return await self._passing.send(call, origin(target.scheme, addresses.get("InternalIP", ""), target.port))
