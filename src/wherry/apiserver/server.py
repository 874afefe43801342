"""The API server: stores for every resource, and the one handler that all transports call.

The chain has upstream's order: audit, authentication, impersonation, flow control, authorization,
and then, within the stores, mutating admission, schema, validating admission, storage.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from wherry.api import protobuf
from wherry.api.registry import Registry
from wherry.api.resource import Object, Resource
from wherry.apimachinery import errors
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.apiserver import audit
from wherry.apiserver.admission.interface import Chain, Plugin
from wherry.apiserver.authentication.interface import Authenticator
from wherry.apiserver.authorization.interface import Authorizer
from wherry.apiserver.call import Call
from wherry.apiserver.codec import Codec, decode_json, encode, with_revision
from wherry.apiserver.endpoints import read, write
from wherry.apiserver.endpoints.answers import answer
from wherry.apiserver.filters import Filters
from wherry.apiserver.filters.compression import compressed
from wherry.apiserver.metrics.server import ServerMetrics
from wherry.apiserver.negotiation import accepted
from wherry.apiserver.registry.store import Store
from wherry.apiserver.requestinfo import RequestInfo, parse
from wherry.storage.cached import CachedObject
from wherry.storage.cacher import Cacher
from wherry.storage.interface import Storage, StorageError
from wherry.util.clock import Clock

log = logging.getLogger(__name__)

Subresource = Callable[[Call, Store], Awaitable[Response]]
Virtual = Callable[[Call], Awaitable[Response]]
Path = Callable[[Request], Awaitable[Response]]
MANAGER = "kube-apiserver"
ITSELF = UserInfo("system:apiserver", ("system:masters",))
PASSED_ON = ("proxy", "log")  # answers that another server makes
_STREAMS = ("exec", "attach", "portforward", "proxy")
_METHODS = {
    "get": ("GET", "HEAD"), "list": ("GET", "HEAD"), "watch": ("GET",), "create": ("POST",), "update": ("PUT",),
    "patch": ("PATCH",), "delete": ("DELETE",), "deletecollection": ("DELETE",),
}


class APIServer:
    """Serves the resources of a `Registry` from a `Storage`.

    `install_*` (in `wherry.apiserver.install`) hang subresources, virtual kinds, plain paths and hooks on it.
    """

    def __init__(self, registry: Registry, storage: Storage, clock: Clock) -> None:
        self.registry = registry
        self.storage = storage
        self.clock = clock
        self.chain = Chain([])
        self.stores: dict[tuple[str, str], Store] = {}
        self.codecs: dict[tuple[str, str, str], Codec] = {}
        self.subresources: dict[tuple[str, str, str], Subresource] = {}  # (group, plural or "*", subresource)
        self.components: dict[str, Callable[[], str]] = {}  # by name: what is wrong with it, "" when nothing is
        self.virtuals: dict[tuple[str, str], Virtual] = {}  # (group, plural): kinds that are only asked
        self.aggregated: dict[tuple[str, str], Path] = {}  # (group, version): APIs that other servers serve
        self.paths: dict[str, Path] = {}  # exact, or a prefix that ends in "/"
        self.actions: dict[str, Path] = {}  # exact paths whose handlers take other methods than GET, and say so themselves
        self.authenticators: list[Authenticator] = []
        self.authorizers: list[Authorizer] = []
        self.filters = Filters(self)
        self.metrics = ServerMetrics(self)
        self.closing: list[Callable[[], Awaitable[None]]] = []  # what was installed and has tasks of its own
        self.ready = False
        self._make_audit_id = audit.maker()

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the stores: from here on, requests are answered."""
        for resource in self.registry.resources:
            await self.open_store(resource)
        self.ready = True

    async def open_store(self, resource: Resource) -> None:
        """Make a resource's cache and store, and the codecs of its versions."""
        codecs = [Codec(resource, version) for version in resource.versions]
        for codec in codecs:
            self.codecs[codec.group, codec.version.name, resource.plural] = codec
        if resource.virtual or not resource.verbs:
            return
        cacher = await Cacher.open(self.storage, resource, with_revision)
        by_version = {codec.api_version: codec for codec in codecs}
        self.stores[resource.group, resource.plural] = Store(resource, self.storage, cacher, self.chain, by_version)

    async def close(self) -> None:
        """End every watch; storage stays open (its owner closes it)."""
        self.ready = False
        for store in self.stores.values():
            store.cacher.close()
        for close in self.closing:
            await close()

    def use(self, plugins: Sequence[Plugin]) -> None:
        """Set the admission plugins, in order."""
        self.chain.use(plugins)

    # -- Reader (for admission, authentication, authorization) -------------------------------------

    def store(self, group: str, plural: str) -> Store:
        return self.stores[group, plural]

    def cached(self, group: str, plural: str, namespace: str, name: str) -> CachedObject | None:
        return self.stores[group, plural].cacher.get(namespace, name)

    def cached_list(self, group: str, plural: str, namespace: str = "") -> list[CachedObject]:
        return self.stores[group, plural].cacher.list(namespace, None)

    def read(self, group: str, plural: str, namespace: str, name: str) -> Object | None:
        found = self.cached(group, plural, namespace, name)
        return None if found is None else decode_json(found.value)

    def kinds(self) -> list[tuple[str, str]]:
        return list(self.stores)

    async def write_status(self, group: str, plural: str, namespace: str, name: str, status: Object) -> None:
        await self._change(group, plural, namespace, name, "status", lambda old: {**old, "status": status})

    async def write_labels(self, group: str, plural: str, namespace: str, name: str, labels: dict[str, str]) -> None:
        """Add labels to an object, as the API server itself; nothing happens when the object is gone."""

        def labelled(old: Object) -> Object:
            meta = old["metadata"]
            return {**old, "metadata": {**meta, "labels": {**(meta.get("labels") or {}), **labels}}}

        await self._change(group, plural, namespace, name, "", labelled)

    async def _change(
        self, group: str, plural: str, namespace: str, name: str, subresource: str, change: Callable[[Object], Object],
    ) -> None:
        store = self.stores[group, plural]
        codec = next(codec for codec in store.codecs.values() if codec.is_hub)
        info = RequestInfo("update", "", codec.group, codec.version.name, plural, subresource, namespace, name)
        call = Call(Request("PUT", ""), info, ITSELF, codec, self.clock.time(), field_manager=MANAGER)

        def transform(old: Object | None) -> Object:
            assert old is not None
            return change(old)

        try:
            await store.update(call, namespace, name, transform)
        except StatusError as error:
            if not errors.is_not_found(error):
                raise

    # -- requests ----------------------------------------------------------------------------------

    async def handle(self, request: Request) -> Response:
        """Answer anything; never raises but for cancellation."""
        info = parse(request)
        began = self.clock.monotonic()
        response = await self._answer(request, info)
        if response.upgrade is None:  # else the headers are the kubelet's
            response.headers = [(audit.HEADER, audit.audit_id(request.headers, self._make_audit_id)), *response.headers]
        self.metrics.requests.observe(info, response.status, self.clock.monotonic() - began)
        return response

    async def _answer(self, request: Request, info: RequestInfo) -> Response:
        try:
            user = self.filters.authenticate(request)
            user = self.filters.impersonate(request, user)
            request.user = user
            self.filters.authorize(user, info)
            if self.aggregated and (elsewhere := self._aggregated(info)) is not None:
                request.headers = {**request.headers, "audit-id": audit.audit_id(request.headers, self._make_audit_id)}
                return await elsewhere(request)
            if info.is_resource:
                if request.headers.get("content-type", "").startswith(protobuf.MEDIA) and request.body:
                    _transcode(request)
                response = await self._resource(request, info)
                return response if info.subresource in PASSED_ON else await compressed(request, response)
            return await compressed(request, await self._path(request))
        except StatusError as error:
            return self.failure(error, request)
        except StorageError as error:
            log.error("storage: %s", error)
            return self.failure(errors.internal_error(str(error)), request)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("%s %s", request.method, request.path)
            return self.failure(errors.internal_error(f"{type(error).__name__}: {error}"), request)

    def failure(self, error: StatusError, request: Request) -> Response:
        """A Status; plain text for an unknown path, as upstream."""
        if error.code == 404 and error.reason == "":
            return Response(404, b"404 page not found\n", "text/plain; charset=utf-8")
        headers = [("Warning", warning_header(text)) for text in error.warnings]
        retry = (error.details or {}).get("retryAfterSeconds")
        if retry:
            headers.append(("Retry-After", str(retry)))
        try:
            response = answer(encode(error.to_json()), accepted(request), error.code)
        except StatusError:  # a client that takes nothing that is served gets JSON all the same
            response = Response(error.code, encode(error.to_json()))
        response.headers = headers
        return response

    def _aggregated(self, info: RequestInfo) -> Path | None:
        """Who else serves what is asked for: a resource, or the discovery of a group version."""
        if info.is_resource:
            return self.aggregated.get((info.group, info.version))
        prefix, _, rest = info.path.strip("/").partition("/")
        group, _, version = rest.partition("/")
        return self.aggregated.get((group, version) if prefix == "apis" else ("", rest)) if prefix in ("apis", "api") else None

    async def _path(self, request: Request) -> Response:
        path = request.path
        if (action := self.actions.get(path)) is not None:
            return await action(request)
        found = self.paths.get(path.rstrip("/") or "/") or self.paths.get(path)
        while found is None and "/" in path:
            path = path.rstrip("/").rpartition("/")[0] + "/"
            if path == "/":
                break  # the list of paths is at "/" itself, and below it what is not there
            found = self.paths.get(path)
        if found is None:
            raise StatusError(404, "", "404 page not found")
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        return await found(request)

    async def _resource(self, request: Request, info: RequestInfo) -> Response:
        codec = self.codecs.get((info.group, info.version, info.resource))
        if codec is None:
            if not any(key[:2] == (info.group, info.version) for key in self.codecs):
                raise StatusError(404, "", "404 page not found")
            raise errors.page_not_found()
        assert request.user is not None
        resource = codec.resource
        if resource.plural == "namespaces" and not resource.group:
            info = info._replace(namespace="")  # authorization sees a Namespace as being in itself; storage does not
        call = Call(request, info, request.user, codec, self.clock.time())
        if codec.version.deprecation:
            call.warn(codec.version.deprecation)
        try:
            response = await self._call(call)
        except StatusError as error:
            error.warnings = (*call.warnings, *call.hints, *error.warnings)
            raise
        for text in call.warnings:
            response.headers.append(("Warning", warning_header(text)))
        return response

    async def _call(self, call: Call) -> Response:
        resource, info = call.resource, call.info
        virtual = self.virtuals.get((resource.group, resource.plural))
        if virtual is not None:
            return await virtual(call)
        if resource.namespaced and not info.namespace and info.verb not in ("list", "watch", "deletecollection"):
            raise errors.page_not_found() if info.verb == "get" else errors.method_not_allowed()
        if not resource.namespaced and info.namespace and resource.plural != "namespaces":
            raise errors.page_not_found()
        store = self.stores[resource.group, resource.plural]
        return await (self._subresource(call, store) if info.subresource else self._verb(call, store))

    async def _verb(self, call: Call, store: Store) -> Response:
        verb, clock = call.info.verb, self.clock
        if verb not in store.resource.verbs or call.request.method not in _METHODS[verb]:
            raise errors.method_not_allowed()
        if verb == "get":
            return await read.get(call, store, clock)
        if verb in ("list", "watch"):
            return await read.list_or_watch(call, store, clock)
        if verb == "create":
            if call.info.name:
                raise errors.method_not_allowed()
            return await write.create(call, store, clock)
        if verb in ("update", "patch") and not call.info.name:
            raise errors.method_not_allowed()
        handlers = {"update": write.update, "patch": write.patch, "delete": write.delete, "deletecollection": write.delete_collection}
        return await handlers[verb](call, store, clock)

    async def _subresource(self, call: Call, store: Store) -> Response:
        info, resource = call.info, store.resource
        row = next((s for s in resource.subresources if s.name == info.subresource), None)
        if row is None:
            raise errors.page_not_found()
        found = self.subresources.get((resource.group, resource.plural, info.subresource))
        found = found or self.subresources.get(("*", "*", info.subresource))
        if found is None:
            why = f"{resource.plural}/{info.subresource}: wherry does not serve this subresource yet"
            raise StatusError(501, "NotImplemented", why)
        if info.verb not in row.verbs and info.subresource not in _STREAMS:
            raise errors.method_not_allowed()
        return await found(call, store)


def _transcode(request: Request) -> None:
    """A protobuf body as JSON: everything below sees one form.  Raises StatusError 400."""
    try:
        request.body = protobuf.to_json(request.body)
    except protobuf.ProtobufError as error:
        raise errors.bad_request(str(error)) from None
    request.headers = {**request.headers, "content-type": "application/json"}


def warning_header(text: str) -> str:
    """RFC 7234: `299 - "text"`, with quotes and control characters escaped."""
    clean = "".join(c if c.isprintable() else " " for c in text).replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{clean}"'
