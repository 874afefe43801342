"""Subresources that are views of the object: status, scale, finalize, binding, ephemeralcontainers, resize."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from wherry.api.printers.default import SCALE
from wherry.api.resource import Object, Resource, Version
from wherry.api.schemas import definition
from wherry.api.strategy.pod.update import validate_binding
from wherry.apimachinery import errors
from wherry.apimachinery.decode import decode
from wherry.apimachinery.fielderrors import invalid, required
from wherry.apimachinery.http import Response
from wherry.apimachinery.labels import from_label_selector
from wherry.apimachinery.managedfields import apply_patch
from wherry.apimachinery.values import deep_copy
from wherry.apiserver.admission.interface import Reader
from wherry.apiserver.admission.nodeplugins import topology_labels
from wherry.apiserver.call import Call
from wherry.apiserver.codec import Codec, decode_json, encode
from wherry.apiserver.endpoints import read, write
from wherry.apiserver.endpoints.answers import answer
from wherry.apiserver.endpoints.options import set_write_options
from wherry.apiserver.endpoints.shape import shape_for
from wherry.apiserver.negotiation import Media, accepted, body_media, unsupported_media
from wherry.apiserver.registry.store import Store, Written
from wherry.storage.cached import CachedObject
from wherry.util.clock import Clock, rfc3339

_SCALE_V1 = Version("v1", "io.k8s.api.autoscaling.v1.Scale")
_SCALE = Codec(Resource("scales", "Scale", "autoscaling", (_SCALE_V1,), printer=SCALE, virtual=True), _SCALE_V1)
_SCALE_KIND = ("Scale", "autoscaling/v1", "io.k8s.api.autoscaling.v1.Scale")
SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


class ObjectViews:
    """status, finalize and the like: the object itself, of which a write may change one part."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __call__(self, call: Call, store: Store) -> Response:
        match call.info.verb:
            case "get":
                return await read.get(call, store, self._clock)
            case "update":
                return await write.update(call, store, self._clock)
            case "patch":
                return await write.patch(call, store, self._clock)
        raise errors.method_not_allowed()


def decode_other(call: Call, kind: str, api_version: str, name: str, media: str = "") -> Object:
    """A body of another kind than the resource's (Binding, Eviction, Scale ...).  Raises StatusError."""
    group, _, version = api_version.rpartition("/")
    media = media or body_media(call.request.headers.get("content-type", ""))
    if media not in ("application/json", "application/yaml"):
        raise unsupported_media()
    done = decode(
        call.request.body, definition(name), kind=kind, version=version, group=group, validation=call.field_validation, content_type=media
    )
    for text in done.warnings:
        call.warn(text)
    if done.obj.get("kind", kind) != kind:
        given = done.obj["kind"]
        raise errors.bad_request(f'{given} in version "{version}" cannot be handled as a {kind}')
    return done.obj


class Finalize:
    """namespaces/finalize: replaces spec.finalizers, which nothing else may."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __call__(self, call: Call, store: Store) -> Response:
        if call.info.verb != "update":
            raise errors.method_not_allowed()
        set_write_options(call)
        obj = write.decode_body(call, call.request.body)
        given = (obj.get("metadata") or {}).get("resourceVersion")

        def transform(old: Object | None) -> Object:
            assert old is not None
            if given:  # who read an older version is not to undo what came since
                old["metadata"]["resourceVersion"] = given
            spec = old.setdefault("spec", {})
            spec["finalizers"] = obj.get("spec", {}).get("finalizers", [])
            return old

        written = await store.update(
            call, "", call.info.name or call.info.namespace, transform, trusted=True, unconditional=not given,
        )
        return write.respond(call, store, written, self._clock)


class Binding:
    """pods/binding: the scheduler's decision.  The Pod takes over where its node is, and is nominated for none any more.

    What is posted is a Binding, so nobody comes to own a field of the Pod by it: as upstream's, managedFields stay as they are.
    """

    def __init__(self, clock: Clock, reader: Reader) -> None:
        self._clock, self._reader = clock, reader

    async def __call__(self, call: Call, store: Store) -> Response:
        set_write_options(call)
        body = decode_other(call, "Binding", "v1", "io.k8s.api.core.v1.Binding")
        if body["metadata"].get("name", "") != call.info.name:
            raise errors.bad_request("name in URL does not match name in Binding object")
        if causes := validate_binding(body):
            raise errors.invalid("", "Binding", call.info.name, causes)
        target = body["target"]
        now = rfc3339(call.now)
        where = topology_labels(self._reader, target["name"])

        def transform(pod: Object | None) -> Object:
            assert pod is not None
            self._check(pod, body, target["name"])
            pod["spec"]["nodeName"] = target["name"]
            pod.setdefault("status", {}).pop("nominatedNodeName", None)
            meta = pod["metadata"]
            if where:
                meta["labels"] = {**(meta.get("labels") or {}), **where}
            if annotations := body.get("metadata", {}).get("annotations"):
                meta["annotations"] = {**meta.get("annotations", {}), **annotations}
            status = pod.setdefault("status", {})
            scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
            status["conditions"] = [*(c for c in status.get("conditions", ()) if c["type"] != "PodScheduled"), scheduled]
            return pod

        await store.update(call, call.info.namespace, call.info.name, transform, applied=True, trusted=True)
        return Response(201, encode(SUCCESS))

    def by_name(
        self, stores: Callable[[str, str], Store], codecs: Mapping[tuple[str, str, str], Codec]
    ) -> Callable[[Call], Awaitable[Response]]:
        """The older way: a Binding posted beside the Pods, that names its Pod itself."""

        async def bind(call: Call) -> Response:
            if call.info.verb != "create" or call.info.name:
                raise errors.method_not_allowed()
            body = decode_other(call, "Binding", "v1", "io.k8s.api.core.v1.Binding")
            write.check_namespace(call, body)
            name = body["metadata"].get("name") or ""
            if not name:
                cause = required("metadata.name", "name or generateName is required")
                raise errors.invalid("", "Binding", "", [cause])
            call.info = call.info._replace(resource="pods", subresource="binding", name=name)
            call.codec = codecs["", "v1", "pods"]
            return await self(call, stores("", "pods"))

        return bind

    @staticmethod
    def _check(pod: Object, body: Object, node: str) -> None:
        meta = pod["metadata"]
        uid = body.get("metadata", {}).get("uid")
        why = ""
        if uid and uid != meta["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta['uid']}"
        elif meta.get("deletionTimestamp"):
            why = f"pod {meta['name']} is being deleted, cannot be assigned to a host"
        elif pod["spec"].get("nodeName"):
            why = f'pod {meta["name"]} is already assigned to node "{pod["spec"]["nodeName"]}"'
        elif pod["spec"].get("schedulingGates"):
            why = f"pod {meta['name']} has non-empty .spec.schedulingGates"
        if why:
            raise errors.conflict("", "pods/binding", meta["name"], why)


class Scale:
    """The scale subresource of Deployments, ReplicaSets, StatefulSets and ReplicationControllers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __call__(self, call: Call, store: Store) -> Response:
        info = call.info
        media = accepted(call.request)
        if info.verb == "get":
            cached = store.require(info.namespace, info.name)
            return self._answer(call, scale_of(decode_json(cached.value), cached.revision), cached.revision, media)
        set_write_options(call)
        given_media = body_media(call.request.headers.get("content-type", ""))
        if info.verb == "patch" and given_media == "application/apply-patch+yaml":
            written = await self._apply(call, store)
            return self._answer(call, scale_of(written.obj, written.revision), written.revision, media)
        if info.verb == "update":
            body = decode_other(call, *_SCALE_KIND)
            change: Any = lambda scale: body  # noqa: E731
        elif info.verb == "patch":
            change, _ = write.parse_patch(given_media, call)
        else:
            raise errors.method_not_allowed()

        def transform(old: Object | None) -> Object:
            assert old is not None
            revision = int(old["metadata"].pop("resourceVersion"))
            scale = change(scale_of(old, revision))
            replicas = (scale.get("spec") or {}).get("replicas", 0)
            given = (scale.get("metadata") or {}).get("resourceVersion", "")
            _check_replicas(replicas, info.name)
            if given:
                old["metadata"]["resourceVersion"] = given
            old["spec"]["replicas"] = replicas
            return old

        written = await store.update(call, info.namespace, info.name, transform)
        return self._answer(call, scale_of(written.obj, written.revision), written.revision, media)

    async def _apply(self, call: Call, store: Store) -> Written:
        """Server-side apply of a Scale: what it claims is the object's own spec.replicas, through this subresource."""
        info, codec = call.info, call.codec
        scale = decode_other(call, *_SCALE_KIND, media="application/yaml")
        if not scale.get("kind") or scale.get("apiVersion") != "autoscaling/v1":
            raise errors.bad_request("kind and apiVersion must be set in an apply patch")
        meta = scale.get("metadata") or {}
        write.check_namespace(call, scale)
        write.check_name(call, meta.get("name") or info.name)
        told = {k: meta[k] for k in ("uid", "resourceVersion", "managedFields") if meta.get(k)}
        applied = {
            "kind": codec.kind, "apiVersion": codec.api_version, "metadata": {"name": info.name, "namespace": info.namespace, **told},
            "spec": {k: v for k, v in (scale.get("spec") or {}).items() if k == "replicas"},
        }

        def transform(old: Object | None) -> Object:
            assert old is not None
            merged = apply_patch(
                codec.from_hub(old), deep_copy(applied), schema=codec.schema, manager=call.field_manager, api_version=codec.api_version,
                subresource="scale", force=bool(call.request.flag("force")), now=rfc3339(call.now),
            )
            _check_replicas(merged.setdefault("spec", {}).setdefault("replicas", 0), info.name)
            return codec.to_hub(merged)

        return await store.update(call, info.namespace, info.name, transform, applied=True)

    def _answer(self, call: Call, scale: Object, revision: int, media: Media) -> Response:
        """The Scale in the form that was asked for."""
        shown = CachedObject("", call.info.namespace, call.info.name, revision, encode(scale), {}, {}, {})
        shape = shape_for(_SCALE, media, call.request.param("includeObject"), self._clock)
        return answer(shape.single(shown), media)


def _check_replicas(replicas: Any, name: str) -> None:
    if not isinstance(replicas, int) or replicas < 0:
        cause = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise errors.invalid("autoscaling", "Scale", name, [cause])


def scale_of(obj: Object, revision: int) -> Object:
    """The autoscaling/v1 Scale that shows `obj`."""
    meta, spec, status = obj["metadata"], obj.get("spec", {}), obj.get("status", {})
    selector = spec.get("selector") or {}
    if obj["kind"] == "ReplicationController":
        text = ",".join(f"{k}={v}" for k, v in sorted(selector.items()))
    else:
        text = str(from_label_selector(selector))
    shown = {k: meta[k] for k in ("name", "namespace", "uid", "creationTimestamp") if k in meta}
    shown["resourceVersion"] = str(revision)
    scale: Object = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": shown, "spec": {}, "status": {}}
    if spec.get("replicas"):
        scale["spec"]["replicas"] = spec["replicas"]
    scale["status"]["replicas"] = status.get("replicas", 0)
    if text:
        scale["status"]["selector"] = text
    return scale
