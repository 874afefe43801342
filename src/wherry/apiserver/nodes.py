"""The way to kubelets over HTTPS: at their node's InternalIP and the port that its status tells.

https://kubernetes.io/docs/concepts/architecture/control-plane-node-communication/
A kubelet shows a serving certificate of the cluster's CA that names its node; we show that of the API server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from wherry.apimachinery import errors
from wherry.apimachinery.http import Handler, Request, Response
from wherry.apiserver.codec import decode_json
from wherry.apiserver.endpoints.streams import dialing_failed
from wherry.client import HTTPSTransport, TLSConfig
from wherry.client.upgrade import is_upgrade
from wherry.storage.cached import CachedObject

KUBELET_PORT = 10250  # of nodes that tell none
# What concerns one connection, and not what it carries (RFC 9110, section 7.6.1); an upgrade needs the first two.
_UPGRADING = ("connection", "upgrade")
_OF_A_HOP = (*_UPGRADING, "host", "content-length", "transfer-encoding", "te", "trailer", "keep-alive", "accept-encoding", "expect")
_OURS_TO_SAY = (*_OF_A_HOP, "content-type", "content-encoding", "date", "server", "cache-control")


class NodeDialer:
    """A NodeConnector.  `node_of` gives the Node's object; `tls` has our certificate and the cluster's CA."""

    def __init__(self, node_of: Callable[[str], CachedObject | None], tls: TLSConfig) -> None:
        self._node_of, self._tls = node_of, tls
        self._ways: dict[tuple[str, str], HTTPSTransport] = {}  # by node and the endpoint that it told

    def __call__(self, node: str) -> Handler:
        """Raises StatusError when the node is not known or tells no address."""
        found = self._node_of(node)
        if found is None:
            raise errors.not_found("", "nodes", node)
        server = endpoint(decode_json(found.value))
        way = self._ways.get((node, server))
        if way is None:
            way = self._ways[node, server] = HTTPSTransport(server, replace(self._tls, server_name=node), timeout=None)

        async def send(request: Request) -> Response:
            return _ours(await way.send(_theirs(request)))

        return send

    async def close(self) -> None:
        for way in self._ways.values():
            await way.close()


def endpoint(node: dict[str, Any]) -> str:
    """https://address:port of a node's kubelet.  Raises StatusError when it has no InternalIP."""
    status = node.get("status") or {}
    addresses = {each["type"]: each["address"] for each in reversed(status.get("addresses") or [])}
    address = addresses.get("InternalIP")
    if not address:
        raise dialing_failed(f"no preferred addresses found; known addresses: {sorted(addresses)}")
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or KUBELET_PORT
    return f"https://[{address}]:{port}" if ":" in address else f"https://{address}:{port}"


def _theirs(request: Request) -> Request:
    """The request as the kubelet is to see it: from us, whoever asks."""
    kept = _UPGRADING if is_upgrade(request) else ()
    headers = {name: value for name, value in request.headers.items() if name not in _OF_A_HOP or name in kept}
    return Request(request.method, request.path, request.query, headers, request.body)


def _ours(response: Response) -> Response:
    """The answer, as if it had been given in this process."""
    told = dict(response.headers)
    response.content_type = told.get("content-type", "")
    dropped = [name for name in _OURS_TO_SAY if response.status != 101 or name not in _UPGRADING]
    response.headers = [(name, value) for name, value in response.headers if name not in dropped]
    return response
