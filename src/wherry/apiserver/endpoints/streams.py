"""pods/exec, attach, portforward and log: requests that the Pod's kubelet answers.

The API server finds the node, checks what it can, and passes the kubelet's answer through: the
streaming protocols are spoken there, once.
"""

from __future__ import annotations

from collections.abc import Callable

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Handler, Request, Response
from wherry.apimachinery.streaming.websocket import offered
from wherry.apiserver.call import Call
from wherry.apiserver.codec import decode_json
from wherry.apiserver.endpoints.logoptions import log_query
from wherry.apiserver.filters import Filters
from wherry.apiserver.registry.store import Store

NodeConnector = Callable[[str], Handler]  # by node name; raises StatusError or OSError when there is no way to it
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_PRIVATE = ("authorization", "cookie")  # the client's credentials are for us alone
_MAX_ERROR = 64 << 10


def unconnected(node: str) -> Handler:
    """The connector of a server that was given none."""
    raise dialing_failed(f"no way to node {node} is known")


def dialing_failed(why: object) -> StatusError:
    return StatusError(500, "", f"error dialing backend: {why}")


def container_of(pod: Object, wanted: str) -> str:
    """The container to use: the one named, or the only one.  Raises StatusError 400."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    names = {kind: [c["name"] for c in spec.get(kind) or []] for kind in _CONTAINERS}
    if wanted:
        if not any(wanted in each for each in names.values()):
            raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(names["containers"]) == 1:
        return str(names["containers"][0])
    message = f"a container name must be specified for pod {name}, choose one of: [{' '.join(names['containers'])}]"
    for kind, told in (("initContainers", "init"), ("ephemeralContainers", "ephemeral")):
        if names[kind]:
            message += f" or one of the {told} containers: [{' '.join(names[kind])}]"
    raise errors.bad_request(message)


def _pod(call: Call, store: Store) -> Object:
    pod: Object = decode_json(store.require(call.info.namespace, call.info.name).value)
    return pod


def _node_of(pod: Object) -> str:
    node = pod["spec"].get("nodeName", "")
    if not node:
        raise errors.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    return str(node)


class Nodes:
    """The way to the kubelets."""

    def __init__(self, connect: NodeConnector) -> None:
        self._connect = connect

    async def send(self, node: str, call: Call, path: str, query: list[tuple[str, str]]) -> Response:
        """The kubelet's answer.  Raises StatusError 500 when it cannot be reached."""
        request = call.request
        headers = {k: v for k, v in request.headers.items() if k not in _PRIVATE and not k.startswith("impersonate-")}
        if "sec-websocket-protocol" in headers:
            headers["sec-websocket-protocol"] = ", ".join(offered(request))
        try:
            return await self._connect(node)(Request(request.method, path, query, headers, request.body, peer=request.peer))
        except OSError as error:
            raise dialing_failed(error) from error


class PodStreams:
    """exec, attach and portforward: the upgrade is the kubelet's, and the bytes pass through."""

    def __init__(self, nodes: Nodes, filters: Filters) -> None:
        self._nodes, self._filters = nodes, filters

    async def __call__(self, call: Call, store: Store) -> Response:
        request, info = call.request, call.info
        if request.method not in ("GET", "POST"):
            raise errors.method_not_allowed()
        if request.method == "GET":  # a WebSocket can only GET; it may do no more than who may POST
            self._filters.authorize(call.user, info._replace(verb="create"))
        pod = _pod(call, store)
        if info.subresource == "portforward":
            path, query = f"/portForward/{info.namespace}/{info.name}", [("port", each) for each in request.params("ports")]
        else:
            container = container_of(pod, request.param("container"))
            path, query = f"/{info.subresource}/{info.namespace}/{info.name}/{container}", _stream_query(request, info.subresource)
        node = _node_of(pod)
        if "upgrade" not in request.headers.get("connection", "").lower():
            raise errors.bad_request("Upgrade request required")
        return await self._nodes.send(node, call, path, query)


def _flag(request: Request, name: str, default: bool = False) -> bool:
    """As upstream reads a bool from a query: anything but "false" and "0" is true."""
    values = request.params(name)
    return values[0].lower() not in ("false", "0") if values else default


def _stream_query(request: Request, subresource: str) -> list[tuple[str, str]]:
    """The kubelet has its own names for the streams."""
    defaults = subresource == "attach"  # upstream defaults stdout and stderr of an attach only
    wanted = (("stdin", "input", False), ("stdout", "output", defaults), ("stderr", "error", defaults), ("tty", "tty", False))
    query = [(theirs, "1") for ours, theirs, default in wanted if _flag(request, ours, default)]
    if subresource == "exec":
        query += [("command", word) for word in request.params("command")]
    return query


class PodLogs:
    """log: text as the kubelet streams it."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    async def __call__(self, call: Call, store: Store) -> Response:
        info = call.info
        query = log_query(call.request, info.name)
        pod = _pod(call, store)
        container = container_of(pod, call.request.param("container"))
        if not pod["spec"].get("nodeName"):
            return Response(204, content_type="")
        path = f"/containerLogs/{info.namespace}/{info.name}/{container}"
        response = await self._nodes.send(pod["spec"]["nodeName"], call, path, query)
        if 200 <= response.status < 300:
            response.content_type = "text/plain"
            return response
        raise _generic(response.status, await _text(response), "pods/log", info.name)


async def _text(response: Response) -> str:
    """An error's body, as far as anyone would read it."""
    body = response.body
    if response.stream is not None:
        async for part in response.stream:
            body += part
            if len(body) > _MAX_ERROR:
                break
        close = getattr(response.stream, "aclose", None)
        if close is not None:
            await close()
    return body[:_MAX_ERROR].decode("utf-8", "replace")


def _generic(code: int, text: str, resource: str, name: str) -> StatusError:
    """A kubelet's plain-text refusal as a Status."""
    if code == 500:
        return errors.internal_error(text)
    if code == 400:
        return errors.bad_request(text)
    causes = [{"reason": "UnexpectedServerResponse", "message": text}]
    details = {"name": name, "kind": resource, "causes": causes}
    if code == 404:
        return StatusError(404, "NotFound", f"the server could not find the requested resource ( {resource} {name})", details)
    message = f"the server responded with the status code {code} but did not return more information ( {resource} {name})"
    return StatusError(code, "", message, details)
