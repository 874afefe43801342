"""The client of the Kubernetes API: typed calls over any transport.

A kind is its struct type (`core_v1.Pod`); errors are `StatusError`, as the server told them, and
`OSError` when it cannot be reached.  Structs forget fields they do not know, so there is no typed
update: change what exists with `patch`, or a whole object as a dict with `update_raw`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, cast

import msgspec

from wherry.api.types import authentication_v1, core_v1, policy_v1
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response, Transport, UserInfo
from wherry.client.codec import LIST, Events, PartialObjectMetadata, decoder_of, encode, newest
from wherry.client.paths import ResourceInfo, info_of

T = TypeVar("T")
Query = list[tuple[str, str]]

PATCH_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_PARTIAL = "application/json;as={};g=meta.k8s.io;v=v1,application/json"
# What is posted to a subresource of another kind.
_PARENTS: dict[type[Any], type[Any]] = {
    core_v1.Binding: core_v1.Pod, policy_v1.Eviction: core_v1.Pod,
    authentication_v1.TokenRequest: core_v1.ServiceAccount,
}
AT_ONCE = 64  # watch events that are decoded at a time: some milliseconds
_MAX_LINE = 64 * 1024 * 1024  # bytes of one watch event


@dataclass(slots=True)
class ListResult(Generic[T]):
    """One page of a list.  `continue_` is empty on the last."""

    items: list[T]
    resource_version: str = ""
    continue_: str = ""


@dataclass(slots=True)
class Client:
    """Speaks for one user.  `user` is for an in-process transport, or impersonates over HTTPS; `token` is a bearer token."""

    transport: Transport
    user: UserInfo | None = None
    token: str = ""
    user_agent: str = ""
    _headers: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.token:
            self._headers["authorization"] = f"Bearer {self.token}"
        if self.user_agent:
            self._headers["user-agent"] = self.user_agent

    def as_(self, *, user: UserInfo | None = None, user_agent: str = "") -> Client:
        """The same connection for another user or agent."""
        return replace(self, user=user or self.user, user_agent=user_agent or self.user_agent)

    async def raw(
        self, method: str, path: str, *, query: Sequence[tuple[str, str]] = (), body: bytes = b"",
        content_type: str = "application/json", accept: str = "application/json", headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Any request.  A failure's Status is raised."""
        sent = {**self._headers, "accept": accept}
        if headers:
            sent.update(headers)
        if body:
            sent["content-type"] = content_type
        response = await self.transport.send(Request(method, path, list(query), sent, body, self.user))
        if response.status >= 400:
            raise await _failure(response)
        return response

    async def get(
        self, kind: type[T], name: str, namespace: str = "", *, subresource: str = "", resource_version: str = "",
        resource: ResourceInfo | None = None,
    ) -> T:
        path = (resource or info_of(kind)).path(namespace, name, subresource)
        query = _query(resourceVersion=resource_version)
        return _decode(kind, await self.raw("GET", path, query=query, accept=_accept(kind, "PartialObjectMetadata")))

    async def list(
        self, kind: type[T], namespace: str = "", *, label_selector: str = "", field_selector: str = "", limit: int = 0,
        resource_version: str = "", continue_: str = "", resource: ResourceInfo | None = None,
    ) -> ListResult[T]:
        """Objects of one namespace, or of all; at most `limit` when it is given."""
        query = _query(
            labelSelector=label_selector, fieldSelector=field_selector, limit=limit or "", resourceVersion=resource_version,
            **{"continue": continue_},
        )
        path = (resource or info_of(kind)).path(namespace)
        response = await self.raw("GET", path, query=query, accept=_accept(kind, "PartialObjectMetadataList"))
        found = LIST.decode(response.body)
        decode = decoder_of(kind).decode
        items = [decode(raw) for raw in found.items or ()]
        return ListResult(items, found.metadata.resource_version, found.metadata.continue_)

    async def watch(
        self, kind: type[T], namespace: str = "", *, resource_version: str = "", label_selector: str = "",
        field_selector: str = "", allow_bookmarks: bool = False, timeout_seconds: int = 0,
        resource: ResourceInfo | None = None, overtaken: bool = True,
    ) -> AsyncGenerator[Events[T], None]:
        """Events after `resource_version`, until the server ends the watch, some of those that came together at a time.

        An ERROR event is raised.

        `overtaken=False` leaves out what a later event, already here, overtakes.  Close it (`contextlib.aclosing`)
        when leaving early: that is how the server learns of it.
        """
        query = _query(
            watch="true", resourceVersion=resource_version, labelSelector=label_selector, fieldSelector=field_selector,
            allowWatchBookmarks="true" if allow_bookmarks else "", timeoutSeconds=timeout_seconds or "",
        )
        path = (resource or info_of(kind)).path(namespace)
        response = await self.raw("GET", path, query=query, accept=_accept(kind, "PartialObjectMetadata"))
        decode = decoder_of(kind).decode_event
        async with aclosing(batches(response)) as found:
            async for batch in found:
                whole = batch if overtaken else newest(batch)
                for start in range(0, len(whole), AT_ONCE):
                    events: Events[T] = []
                    for line in whole[start:start + AT_ONCE]:
                        event = decode(line)
                        if event.type == "ERROR":
                            if events:
                                yield events
                            raise StatusError.from_json(cast("dict[str, Any]", event.object))
                        events.append(event)
                    yield events

    async def create(self, obj: T, *, namespace: str | None = None, subresource: str = "", name: str = "") -> T:
        """Create `obj`, or post it to the `subresource` of the object `name` (Binding, Eviction, TokenRequest)."""
        kind = type(obj)
        response = await self.post(obj, namespace=namespace, subresource=subresource, name=name)
        if kind in _PARENTS and response.body and msgspec.json.decode(response.body, type=_Kind).kind == "Status":
            return obj  # bindings and evictions are answered with a plain success
        return _decode(kind, response)

    async def post(self, obj: Any, *, namespace: str | None = None, subresource: str = "", name: str = "") -> Response:
        """`create` for who does not want to know what became of it."""
        kind, metadata = type(obj), obj.metadata
        space = metadata.namespace if namespace is None else namespace
        info = info_of(_PARENTS[kind] if subresource and kind in _PARENTS else kind)
        path = info.path(space, (name or metadata.name) if subresource else "", subresource)
        return await self.raw("POST", path, body=encode(obj))

    async def create_raw(self, info: ResourceInfo, obj: dict[str, Any], namespace: str = "") -> dict[str, Any]:
        """Create an object of any resource from a dict."""
        response = await self.raw("POST", info.path(namespace), body=msgspec.json.encode(obj))
        return msgspec.json.decode(response.body)  # type: ignore[no-any-return]

    async def patch(
        self, kind: type[T], name: str, body: Any, namespace: str = "", *, subresource: str = "",
        patch_type: str = "merge", field_manager: str = "", force: bool = False, resource: ResourceInfo | None = None,
    ) -> T:
        """Patch with `body` (anything JSON, or bytes).  Put a `resourceVersion` into it to refuse lost updates."""
        path = (resource or info_of(kind)).path(namespace, name, subresource)
        query = _query(fieldManager=field_manager, force="true" if force else "")
        raw = body if isinstance(body, bytes) else encode(body)
        response = await self.raw(
            "PATCH", path, query=query, body=raw, content_type=PATCH_TYPES[patch_type],
            accept=_accept(kind, "PartialObjectMetadata"),
        )
        return _decode(kind, response)

    async def update_raw(
        self, kind: type[Any] | ResourceInfo, name: str, obj: dict[str, Any], namespace: str = "", *, subresource: str = "",
    ) -> dict[str, Any]:
        """Replace a whole object, given and returned as a dict."""
        info = kind if isinstance(kind, ResourceInfo) else info_of(kind)
        response = await self.raw("PUT", info.path(namespace, name, subresource), body=msgspec.json.encode(obj))
        return msgspec.json.decode(response.body)  # type: ignore[no-any-return]

    async def delete(
        self, kind: type[Any], name: str, namespace: str = "", *, grace_period_seconds: int | None = None,
        propagation_policy: str | None = None, uid: str | None = None, resource_version: str | None = None,
        resource: ResourceInfo | None = None,
    ) -> None:
        """Delete, only if `uid` and `resource_version` still hold where they are given (else StatusError 409)."""
        options = _delete_options(grace_period_seconds, propagation_policy, uid, resource_version)
        await self.raw("DELETE", (resource or info_of(kind)).path(namespace, name), body=options)

    async def delete_collection(
        self, kind: type[Any], namespace: str = "", *, label_selector: str = "", field_selector: str = "",
        propagation_policy: str | None = None, grace_period_seconds: int | None = None,
        resource: ResourceInfo | None = None,
    ) -> None:
        query = _query(labelSelector=label_selector, fieldSelector=field_selector)
        options = _delete_options(grace_period_seconds, propagation_policy, None, None)
        await self.raw("DELETE", (resource or info_of(kind)).path(namespace), query=query, body=options)

    async def close(self) -> None:
        await self.transport.close()


class _Kind(msgspec.Struct):
    kind: str = ""


def _query(**options: object) -> Query:
    return [(name, str(value)) for name, value in options.items() if value != ""]


def _accept(kind: type[Any], form: str) -> str:
    return _PARTIAL.format(form) if kind is PartialObjectMetadata else "application/json"


def _decode(kind: type[T], response: Response) -> T:
    return decoder_of(kind).decode(response.body)


def _delete_options(grace: int | None, policy: str | None, uid: str | None, resource_version: str | None) -> bytes:
    preconditions = {k: v for k, v in (("uid", uid), ("resourceVersion", resource_version)) if v}
    options = {"gracePeriodSeconds": grace, "propagationPolicy": policy, "preconditions": preconditions or None}
    given = {key: value for key, value in options.items() if value is not None}
    return encode({"kind": "DeleteOptions", "apiVersion": "v1", **given}) if given else b""


async def _failure(response: Response) -> StatusError:
    body = response.body
    if response.stream is not None:
        body += b"".join([chunk async for chunk in response.stream])
    try:
        status = msgspec.json.decode(body)
    except msgspec.DecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return StatusError.from_json(status, response.status)
    text = body.decode(errors="replace").strip()
    return StatusError(response.status, "", text or f"the server answered {response.status}")


async def lines(response: Response) -> AsyncIterator[bytes]:
    """The lines of a streamed (or whole) answer, without their ends.  Closes the stream when left."""
    async with aclosing(batches(response)) as found:
        async for batch in found:
            for line in batch:
                yield line


async def batches(response: Response) -> AsyncGenerator[list[bytes], None]:
    """The same, as many at once as came together."""
    whole_lines = getattr(response.stream, "lines", None)
    if whole_lines is not None:  # a watch in this process
        async with aclosing(whole_lines()) as found:
            async for batch in found:
                yield batch
        return
    if response.stream is None:
        yield [line for line in response.body.splitlines() if line]
        return
    rest = b""
    try:
        async for chunk in response.stream:
            *whole, rest = (rest + chunk if rest else chunk).split(b"\n")
            if len(rest) > _MAX_LINE:
                raise StatusError(500, "InternalError", "a watch event has more than 64 MiB")
            yield [line for line in whole if line]
    finally:
        close = getattr(response.stream, "aclose", None)
        if close is not None:
            await close()
