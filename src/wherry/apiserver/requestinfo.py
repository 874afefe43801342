"""What a request asks for, read from its method and path (upstream's `RequestInfo`)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from wherry.apimachinery.http import Request

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# /api/v1/namespaces/x/<these> are subresources of the Namespace, not resources within it.
_NAMESPACE_SUBRESOURCES = {"status", "finalize"}


class RequestInfo(NamedTuple):
    """A resource request (`resource` is set), or a path such as /healthz (`resource` is empty)."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    rest: str = ""  # what follows the subresource: the path of a proxy request

    @property
    def is_resource(self) -> bool:
        return bool(self.resource)


def parse(request: Request) -> RequestInfo:
    """The RequestInfo of `request`; its verb tells list, watch and deletecollection from get and delete."""
    if request.method != "GET" or not request.query:
        return _parse(request.method, request.path, False, "")
    return _parse(request.method, request.path, bool(request.flag("watch")), request.param("fieldSelector"))


@lru_cache(maxsize=4096)
def _parse(method: str, path: str, watch: bool, fields: str) -> RequestInfo:
    parts = [part for part in path.split("/") if part]
    group = ""
    if len(parts) >= 3 and parts[0] == "api":
        version, rest = parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(method.lower(), path)
    watch_prefix = rest[0] == "watch" and len(rest) > 1
    if watch_prefix:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and not group:
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            namespace, rest = rest[1], rest[2:]
        elif len(rest) > 1:
            namespace = rest[1]
    elif rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = [*rest, "", ""][:3]
    tail = "/".join(rest[3:])
    if tail and path.endswith("/"):
        tail += "/"
    verb = _VERBS.get(method, "")
    if not name and verb in ("get", "delete"):
        verb = {"get": "list", "delete": "deletecollection"}[verb]
    if method == "GET" and (watch_prefix or (watch and verb == "list")):
        verb = "watch"
    if not name and fields and verb in ("list", "watch"):
        name = _only_name(fields)
    return RequestInfo(verb, path, group, version, resource, subresource, namespace, name, tail)


def _only_name(fields: str) -> str:
    """The one object that a list or watch is about, if its field selector names it: authorizers want to know."""
    for term in fields.split(","):
        field, sign, value = term.partition("=")
        if field == "metadata.name" and sign:
            return value.removeprefix("=")
    return ""
