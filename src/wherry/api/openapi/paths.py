"""Paths of the documents: each row of the table of resources, as the operations that it serves.

Written in v3's form; `as_v2` says the same in v2's.  kubectl looks at the PATCH operation of a kind to learn
whether the server knows `dryRun` and `fieldValidation`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wherry.api import schemas
from wherry.api.openapi.definitions import Definitions, Document
from wherry.api.resource import Resource, Subresource, Version

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
JSON, YAML = "application/json", "application/yaml"
PATCHES = (
    "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
# Query parameters: name -> type.
_WRITE = {"dryRun": "string", "fieldManager": "string", "fieldValidation": "string"}
_PATCH = {**_WRITE, "force": "boolean"}
_DELETE = {
    "dryRun": "string", "gracePeriodSeconds": "integer", "orphanDependents": "boolean", "propagationPolicy": "string",
}
_LIST = {
    "allowWatchBookmarks": "boolean", "continue": "string", "fieldSelector": "string", "labelSelector": "string",
    "limit": "integer", "resourceVersion": "string", "resourceVersionMatch": "string", "sendInitialEvents": "boolean",
    "timeoutSeconds": "integer", "watch": "boolean",
}
_STREAM = {
    "command": "string", "container": "string", "stderr": "boolean", "stdin": "boolean", "stdout": "boolean", "tty": "boolean",
}
_CONNECT: dict[str, dict[str, str]] = {
    "exec": _STREAM,
    "attach": {name: kind for name, kind in _STREAM.items() if name != "command"},
    "portforward": {"ports": "integer"},
    "proxy": {"path": "string"},
    "log": {
        "container": "string", "follow": "boolean", "insecureSkipTLSVerifyBackend": "boolean", "limitBytes": "integer",
        "previous": "boolean", "sinceSeconds": "integer", "stream": "string", "tailLines": "integer", "timestamps": "boolean",
    },
}
_METHODS = {"get": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete"}
_WORDS = {"get": "read", "create": "create", "update": "replace", "patch": "patch", "delete": "delete"}
_ACTIONS = {"create": "post", "update": "put"}


def paths_of(resource: Resource, version: Version, definitions: Definitions) -> Iterator[tuple[str, Document]]:
    """Every path of one served version, in v3's form."""
    yield from _Paths(resource, version, definitions).all()


class _Paths:
    def __init__(self, resource: Resource, version: Version, definitions: Definitions) -> None:
        self._resource, self._version, self._definitions = resource, version, definitions
        self._group = resource.group if version.group is None else version.group
        self._root = f"/apis/{self._group}/{version.name}" if self._group else f"/api/{version.name}"
        self._gvk = {"group": self._group, "kind": resource.kind, "version": version.name}
        self._scope = "Namespaced" if resource.namespaced else ""

    def all(self) -> Iterator[tuple[str, Document]]:
        resource = self._resource
        base = f"{self._root}/namespaces/{{namespace}}" if resource.namespaced else self._root
        places = ["namespace"] if resource.namespaced else []
        yield f"{base}/{resource.plural}", self._item(self._collection(), places)
        verbs = [verb for verb in ("get", "update", "patch", "delete") if verb in resource.verbs]
        if verbs:
            item = {_METHODS[verb]: self._operation(verb) for verb in verbs}
            yield f"{base}/{resource.plural}/{{name}}", self._item(item, ["name", *places])
        for subresource in resource.subresources:
            item = dict(self._subresource(subresource))
            if item:
                yield f"{base}/{resource.plural}/{{name}}/{subresource.name}", self._item(item, ["name", *places])
        if resource.namespaced and "list" in resource.verbs:
            yield f"{self._root}/{resource.plural}", self._item({"get": self._list("ForAllNamespaces")}, [])

    def _item(self, operations: Document, places: Sequence[str]) -> Document:
        named = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in places]
        return {**operations, "parameters": [*named, *_query({"pretty": "string"})]}

    def _collection(self) -> Document:
        verbs = self._resource.verbs
        operations: Document = {}
        if "list" in verbs:
            operations["get"] = self._list("")
        if "create" in verbs:
            operations["post"] = self._operation("create")
        if "deletecollection" in verbs:
            operations["delete"] = self._describe(
                f"deleteCollection{self._name()}", "deletecollection", {**_LIST, **_DELETE}, META + "Status",
                body=META + "DeleteOptions",
            )
        return operations

    def _name(self, kind: str = "") -> str:
        """The middle of an operation's name: CoreV1NamespacedPod."""
        group = self._group.removesuffix(".k8s.io") or "core"
        title = "".join(part[:1].upper() + part[1:] for part in group.replace(".", "-").split("-"))
        return f"{title}{self._version.name[:1].upper()}{self._version.name[1:]}{self._scope}{kind or self._resource.kind}"

    def _list(self, suffix: str) -> Document:
        name = self._name() if not suffix else self._name().replace("Namespaced", "", 1)
        return self._describe(f"list{name}{suffix}", "list", _LIST, f"{self._version.schema}List")

    def _operation(self, verb: str) -> Document:
        schema = self._version.schema
        queries = {"create": _WRITE, "update": _WRITE, "patch": _PATCH, "delete": _DELETE}.get(verb, {})
        bodies = {"create": schema, "update": schema, "patch": META + "Patch", "delete": META + "DeleteOptions"}
        answer = META + "Status" if verb == "delete" else schema
        name = f"{_WORDS[verb]}{self._name()}"
        return self._describe(name, _ACTIONS.get(verb, verb), queries, answer, body=bodies.get(verb, ""))

    def _subresource(self, sub: Subresource) -> Iterator[tuple[str, Document]]:
        group = self._group if sub.group is None else sub.group
        version = sub.version or self._version.name
        gvk = {"group": group, "kind": sub.kind, "version": version}
        title = sub.name[:1].upper() + sub.name[1:]
        schema = self._version.schema if sub.kind == self._resource.kind else schemas.kinds().get((group, version, sub.kind), "")
        for verb in sub.verbs:
            if verb not in _METHODS:
                continue
            if sub.name in _CONNECT:
                method = _METHODS[verb].capitalize()
                name = f"connect{self._connect_name(method)}{title}" if sub.name != "log" else f"read{self._name()}Log"
                action = "connect" if sub.name != "log" else "get"
                yield _METHODS[verb], self._describe(name, action, _CONNECT[sub.name], "", gvk=gvk)
                continue
            queries = {"create": _WRITE, "update": _WRITE, "patch": _PATCH}.get(verb, {})
            body = {"create": schema, "update": schema, "patch": META + "Patch"}.get(verb, "")
            name = f"{_WORDS[verb]}{self._name()}{title}"
            yield _METHODS[verb], self._describe(name, _ACTIONS.get(verb, verb), queries, schema, body=body, gvk=gvk)

    def _connect_name(self, method: str) -> str:
        named = f"{self._scope}{self._resource.kind}"
        return f"{self._name().removesuffix(named)}{method}{named}"

    def _describe(
        self, name: str, action: str, queries: dict[str, str], answer: str, *, body: str = "", gvk: Document | None = None,
    ) -> Document:
        content = {"schema": self._definitions.ref(answer) if answer else {"type": "string"}}
        medias = [JSON, YAML] if answer else ["*/*"]
        if action == "list":
            medias.append(f"{JSON};stream=watch")
        operation: Document = {
            "operationId": name,
            "tags": [f"{self._group.removesuffix('.k8s.io').replace('.', '_') or 'core'}_{self._version.name}"],
            "parameters": _query(queries),
            "responses": {
                "200": {"description": "OK", "content": dict.fromkeys(medias, content)},
                "401": {"description": "Unauthorized"},
            },
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk or self._gvk,
        }
        if action == "post":
            operation["responses"]["201"] = {**operation["responses"]["200"], "description": "Created"}
        if body:
            medias = list(PATCHES) if action == "patch" else ["*/*"]
            schema = {"schema": self._definitions.ref(body)}
            operation["requestBody"] = {"content": dict.fromkeys(medias, schema)}
            if action != "delete" and action != "deletecollection":
                operation["requestBody"]["required"] = True
        return operation


def _query(queries: dict[str, str]) -> list[Document]:
    return [{"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}} for name, kind in queries.items()]


def as_v2(item: Document) -> Document:
    """A path in v2's form: types stand on the parameter itself, a body is a parameter."""
    written: Document = {"parameters": [_parameter(p) for p in item["parameters"]]}
    for method, operation in item.items():
        if method != "parameters":
            written[method] = _operation(operation)
    return written


def _parameter(parameter: Document) -> Document:
    return {**{k: v for k, v in parameter.items() if k != "schema"}, **parameter["schema"]}


def _operation(operation: Document) -> Document:
    written: Document = {k: v for k, v in operation.items() if k not in ("requestBody", "responses", "parameters")}
    written["schemes"] = ["https"]
    written["parameters"] = [_parameter(p) for p in operation["parameters"]]
    written["consumes"] = ["*/*"]
    if body := operation.get("requestBody"):
        content: dict[str, Any] = body["content"]
        written["consumes"] = list(content)
        schema = next(iter(content.values()))["schema"]
        written["parameters"].append({"name": "body", "in": "body", "required": body.get("required", False), "schema": schema})
    written["responses"] = {}
    for code, response in operation["responses"].items():
        told: Document = {"description": response["description"]}
        if "content" in response:
            written["produces"] = list(response["content"])
            told["schema"] = next(iter(response["content"].values()))["schema"]
        written["responses"][code] = told
    return written
