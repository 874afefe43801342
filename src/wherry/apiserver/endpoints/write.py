"""POST, PUT, PATCH and DELETE of objects: from bodies to the store and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.decode import decode, decode_patch, prune_and_check
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Response
from wherry.apimachinery.managedfields import apply_patch
from wherry.apimachinery.patch import apply_json_patch, apply_merge_patch, apply_strategic_merge_patch
from wherry.apimachinery.prune import DecodeError
from wherry.apiserver.call import Call
from wherry.apiserver.codec import decode_json, encode, with_revision
from wherry.apiserver.endpoints.answers import answer
from wherry.apiserver.endpoints.options import encode_continue, parse_delete, parse_list, set_write_options
from wherry.apiserver.endpoints.read import candidates, position
from wherry.apiserver.endpoints.selection import Selection
from wherry.apiserver.endpoints.shape import shape_for
from wherry.apiserver.negotiation import accepted, body_media, unsupported_media
from wherry.apiserver.registry.deletion import leaves_open
from wherry.apiserver.registry.managed import reset_fields
from wherry.apiserver.registry.store import Store, Written
from wherry.storage.cached import CachedObject
from wherry.storage.interface import Entry
from wherry.util.clock import Clock, rfc3339

# Kinds whose DELETE answers with the object, as upstream's ReturnDeletedObject.
RETURNS_DELETED = {"pods", "services", "serviceaccounts", "resourcequotas", "persistentvolumes", "persistentvolumeclaims", "podtemplates"}
NOT_ACTED_ON = "wherry {kind}: accepted and stored, but nothing in this cluster acts on it yet"


def decode_body(call: Call, body: bytes) -> Object:
    """The object in a request's body, in the request's version.  Raises StatusError 400 or 415."""
    media = body_media(call.request.headers.get("content-type", ""))
    if media not in ("application/json", "application/yaml"):
        raise unsupported_media()
    codec = call.codec
    done = decode(
        body, codec.schema, kind=codec.kind, version=codec.api_version.rsplit("/", 1)[-1], group=codec.group,
        validation=call.field_validation, content_type=media,
    )
    for text in done.warnings:
        call.warn(text)
    call.hints = done.hints
    return done.obj


def check_kind(call: Call, obj: Object) -> None:
    """Fill in kind and apiVersion; refuse another kind than the URL's."""
    codec = call.codec
    kind, api_version = obj.get("kind") or codec.kind, obj.get("apiVersion") or codec.api_version
    if kind != codec.kind:
        version = api_version.rsplit("/", 1)[-1]
        why = f'{kind} in version "{version}" cannot be handled as a {codec.kind}: converting ({version}.{kind}) to'
        raise errors.bad_request(f"{why} ({codec.group or 'core'}.{codec.kind}): unknown conversion")
    if api_version != codec.api_version:
        why = f"the API version in the data ({api_version}) does not match the expected API version ({codec.api_version})"
        raise errors.bad_request(why)
    obj["kind"], obj["apiVersion"] = kind, api_version


def check_namespace(call: Call, obj: Object) -> None:
    """The namespace in the object must be the URL's, if it names one."""
    meta = obj.setdefault("metadata", {})
    given = meta.get("namespace")
    if given and call.resource.namespaced and given != call.info.namespace:
        raise errors.bad_request("the namespace of the provided object does not match the namespace sent on the request")


def check_name(call: Call, name: str) -> None:
    """The object's name must be the URL's."""
    if not name:
        raise errors.bad_request(f"the name of the object ({call.info.name} based on URL) was undeterminable: name must be provided")
    if name != call.info.name:
        raise errors.bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.info.name})")


def respond(call: Call, store: Store, written: Written, clock: Clock, status: int = 200) -> Response:
    """The written object in the form that the client wants."""
    request = call.request
    media = accepted(request)
    shown = store.shown(written)
    if not media.as_ and isinstance(shown, CachedObject):
        return answer(call.codec.body(shown), media, status)
    if not isinstance(shown, CachedObject):
        meta = written.obj["metadata"]
        key = store.key(meta.get("namespace", ""), meta["name"])
        shown = store.cacher.describe(Entry(key, written.value, written.revision, 0), shown)
    shape = shape_for(call.codec, media, request.param("includeObject"), clock)
    return answer(shape.single(shown), media, status)


def warn_if_idle(call: Call) -> None:
    """Say so when nothing acts on a kind yet."""
    if not call.resource.acted_on:
        call.warn(NOT_ACTED_ON.format(kind=call.resource.kind))


async def create(call: Call, store: Store, clock: Clock) -> Response:
    set_write_options(call)
    obj = decode_body(call, call.request.body)
    check_kind(call, obj)
    check_namespace(call, obj)
    warn_if_idle(call)
    written = await store.create(call, call.codec.to_hub(obj))
    return respond(call, store, written, clock, 201)


async def update(call: Call, store: Store, clock: Clock) -> Response:
    set_write_options(call)
    obj = decode_body(call, call.request.body)
    check_kind(call, obj)
    check_namespace(call, obj)
    check_name(call, obj.get("metadata", {}).get("name") or "")
    given = obj["metadata"].get("resourceVersion")
    strategy = call.resource.strategy
    fields_given = obj["metadata"].get("managedFields")
    body = encode(obj)

    def transform(old: Object | None) -> Object:
        new: Object = decode_json(body)
        if old is not None and fields_given is None:
            new["metadata"]["managedFields"] = old["metadata"].get("managedFields", [])
        return call.codec.to_hub(new)

    written = await store.update(
        call, call.info.namespace, call.info.name, transform,
        create_missing=strategy.allow_create_on_update and not given and not call.subresource,
        unconditional=not given or given == "0",
    )
    return respond(call, store, written, clock, 201 if written.created else 200)


async def patch(call: Call, store: Store, clock: Clock) -> Response:
    media = body_media(call.request.headers.get("content-type", ""))
    set_write_options(call)
    if media in ("application/apply-patch+yaml", "application/apply-patch+cbor"):
        return await _apply(call, store, clock)
    change, strict = parse_patch(media, call)
    codec = call.codec

    def transform(old: Object | None) -> Object:
        assert old is not None
        before = codec.from_hub(old)
        return codec.to_hub(check_patched(call, change(before), before, strict))

    written = await store.update(call, call.info.namespace, call.info.name, transform)
    warn_if_idle(call)
    return respond(call, store, written, clock)


def check_patched(call: Call, obj: Any, before: Object, strict: Sequence[str] = ()) -> Object:
    """What a patch made of `before` must still be an object of the kind; unknown fields are warned of or refused."""
    codec = call.codec
    done = prune_and_check(
        obj, codec.schema, kind=codec.kind, version=codec.api_version.rsplit("/", 1)[-1], group=codec.group,
        validation=call.field_validation, before=before, strict=strict,
    )
    for text in done.warnings:
        call.warn(text)
    if done.obj.get("kind") != codec.kind or done.obj.get("apiVersion") != codec.api_version:
        check_kind(call, done.obj)
    return done.obj


def parse_patch(media: str, call: Call) -> tuple[Callable[[Object], Any], list[str]]:
    """A function from the old object to the new one, and which keys the patch has twice.  Raises StatusError 400 or 415."""
    kinds = ("application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json")
    if media not in kinds:
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    prefix = "" if media == kinds[2] else "error decoding patch: "
    try:
        body, strict = decode_patch(call.request.body, list if media == kinds[0] else dict, call.field_validation)
    except (DecodeError, RecursionError) as error:
        raise errors.bad_request(f"{prefix}{error}") from None
    body = body if body is not None else [] if media == kinds[0] else {}

    def change(old: Object) -> Any:
        if media == kinds[0]:
            return apply_json_patch(old, body)
        if media == kinds[1]:
            return apply_merge_patch(old, body)
        return apply_strategic_merge_patch(old, body, call.codec.schema)

    return change, strict


async def _apply(call: Call, store: Store, clock: Clock) -> Response:
    """Server-side apply: makes the object, or merges by ownership."""
    codec = call.codec
    applied = decode(
        call.request.body, codec.schema, kind=codec.kind, version=codec.api_version.rsplit("/", 1)[-1], group=codec.group,
        validation=call.field_validation, content_type="application/yaml", prune=False,
    )
    for text in applied.warnings:
        call.warn(text)
    obj = applied.obj
    if not obj.get("kind") or not obj.get("apiVersion"):
        raise errors.bad_request("kind and apiVersion must be set in an apply patch")
    check_kind(call, obj)
    check_namespace(call, obj)
    check_name(call, obj["metadata"].setdefault("name", call.info.name))
    if obj["metadata"].get("managedFields"):
        raise errors.bad_request("metadata.managedFields must be nil")
    body, force = encode(obj), bool(call.request.flag("force"))

    def transform(old: Object | None) -> Object:
        live = None if old is None else codec.from_hub(old)
        if live is None and (uid := obj["metadata"].get("uid")):
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise errors.conflict(call.resource.group, call.resource.plural, call.info.name, why)
        merged = apply_patch(
            live, decode_json(body), schema=codec.schema, manager=call.field_manager, api_version=codec.api_version,
            subresource=call.subresource, force=force, now=rfc3339(call.now),
            ignored=reset_fields(call.resource, call.subresource),
        )
        return codec.to_hub(merged)

    written = await store.update(
        call, call.info.namespace, call.info.name, transform, create_missing=not call.subresource, applied=True,
    )
    warn_if_idle(call)
    return respond(call, store, written, clock, 201 if written.created else 200)


async def delete(call: Call, store: Store, clock: Clock) -> Response:
    options = parse_delete(call)
    if leaves_open(options) and call.codec.version.orphans_warning:
        call.warn(call.codec.version.orphans_warning)
    call.field_manager = "unknown"
    written = await store.delete(call, call.info.namespace, call.info.name, options)
    media = accepted(call.request)
    if written.deleted and call.resource.plural not in RETURNS_DELETED:
        uid, resource = written.obj["metadata"]["uid"], call.resource
        details = {"name": call.info.name, "group": resource.group, "kind": resource.plural, "uid": uid}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return answer(encode({**status, "details": {k: v for k, v in details.items() if v}}), media)
    return respond(call, store, written, clock)


async def delete_collection(call: Call, store: Store, clock: Clock) -> Response:
    options = parse_delete(call)
    if leaves_open(options) and call.codec.version.orphans_warning:
        call.warn(call.codec.version.orphans_warning)
    call.field_manager = "unknown"
    listed = parse_list(call.request, call.codec, watch=False)
    selection = Selection(call.info.namespace, "", listed.labels, listed.fields)
    found = [c for c in candidates(store.cacher, selection) if selection.matches(c)]
    token, remaining, revision = "", None, store.cacher.revision
    if listed.start_after:
        found = [cached for cached in found if position(cached, selection.namespace) > listed.start_after]
    if 0 < listed.limit < len(found):  # as many as were asked for; the answer says where the rest begins
        token = encode_continue(revision, position(found[listed.limit - 1], selection.namespace))
        remaining = len(found) - listed.limit if selection.everything else None
        found = found[: listed.limit]
    gone = []
    for cached in found:
        call.info = type(call.info)("deletecollection", call.info.path, call.info.group, call.info.version, call.info.resource,
                                    namespace=cached.namespace)
        try:
            written = await store.delete(call, cached.namespace, cached.name, options)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            continue
        entry = Entry(cached.key, written.value, written.revision, 0)
        gone.append(store.cacher.describe(entry, with_revision(written.value, written.revision)))
    media = accepted(call.request)
    shape = shape_for(call.codec, media, call.request.param("includeObject"), clock, single=False)
    return answer(shape.many(gone, store.cacher.revision, token, remaining), media)
