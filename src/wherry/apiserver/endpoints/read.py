"""GET and LIST, answered from the watch cache; WATCH begins here too.

A list at an older revision (later pages, `resourceVersionMatch=Exact`) is read from the storage's
history, so that all pages of a list show one revision.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

from wherry.apimachinery import errors
from wherry.apimachinery.errors import Cause, StatusError
from wherry.apimachinery.http import Response
from wherry.apimachinery.streaming.websocket import is_websocket
from wherry.apiserver.call import Call
from wherry.apiserver.codec import encode, with_revision
from wherry.apiserver.endpoints.answers import WATCH_PROTOBUF, answer, protobuf_event
from wherry.apiserver.endpoints.options import ListOptions, encode_continue, parse_list, parse_revision
from wherry.apiserver.endpoints.selection import Selection
from wherry.apiserver.endpoints.shape import Shape, shape_for
from wherry.apiserver.endpoints.watch import Watch, event_line
from wherry.apiserver.endpoints.watchsocket import headers_of, over_websocket
from wherry.apiserver.negotiation import JSON, PROTOBUF, YAML, Media, accepted, not_acceptable
from wherry.apiserver.registry.store import Store
from wherry.storage.cached import CachedObject
from wherry.storage.cacher import Cacher
from wherry.storage.interface import Compacted, FutureRevision
from wherry.util.clock import Clock

FRESH_SECONDS = 3.0
MIN_WATCH_SECONDS = 1800.0
PAGE_BEYOND_EXPIRY = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue"
    " parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided"
    " token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was"
    " returned and now may show up in the list."
)


async def fresh(cacher: Cacher, revision: int, clock: Clock) -> None:
    """Wait until the cache shows `revision`.  Raises StatusError 504 when that does not come."""
    if revision <= cacher.revision:
        return
    end = clock.monotonic() + FRESH_SECONDS
    while revision > cacher.revision:
        if clock.monotonic() >= end:
            why = f"Too large resource version: {revision}, current: {cacher.revision}"
            cause = Cause("ResourceVersionTooLarge", "Too large resource version")
            raise errors.timeout(f"Timeout: {why}", 1, [cause])
        await clock.sleep(0.05)


async def get(call: Call, store: Store, clock: Clock) -> Response:
    """One object."""
    request = call.request
    media = accepted(request)
    version = request.param("resourceVersion")
    if version:
        await fresh(store.cacher, parse_revision(version), clock)
    cached = store.cacher.get(call.info.namespace, call.info.name)
    if cached is None:
        raise store.missing(call.info.name)
    if not media.as_:
        return answer(call.codec.body(cached), media)
    shape = shape_for(call.codec, media, request.param("includeObject"), clock)
    return answer(shape.single(cached), media)


async def list_or_watch(call: Call, store: Store, clock: Clock) -> Response:
    """Many objects, or a stream of what happens to them."""
    request, info = call.request, call.info
    media = accepted(request)
    watch = info.verb == "watch"
    options = parse_list(request, call.codec, watch=watch)
    shape = shape_for(call.codec, media, request.param("includeObject"), clock, single=watch)
    selection = Selection(info.namespace, info.name, options.labels, options.fields)
    if watch:
        if media.type == YAML:
            streams = f"{JSON};stream=watch, {PROTOBUF};stream=watch"
            raise not_acceptable(f"only the following media types are accepted: {streams}")
        return await _watch(call, store, options, selection, shape, media, clock)
    if not options.exact:
        await fresh(store.cacher, options.revision, clock)
        return answer(_list_now(store, options, selection, shape), media)
    return answer(await _list_at(store, options, selection, shape, clock), media)


def _list_now(store: Store, options: ListOptions, selection: Selection, shape: Shape) -> bytes:
    """The list as it is now, from memory."""
    cacher = store.cacher
    revision = cacher.revision
    found = candidates(cacher, selection)
    if options.start_after:  # the token of an expired list: the rest, as it is now
        start = options.start_after.lstrip("/")
        found = [cached for cached in found if position(cached, selection.namespace) > start]
    limit = options.limit
    if not limit:
        items = found if selection.everything else [c for c in found if selection.matches(c)]
        return shape.many(items, revision, "", None)
    items, token, remaining = [], "", None
    for index, cached in enumerate(found):
        if not selection.matches(cached):
            continue
        if len(items) == limit:
            token = encode_continue(revision, position(items[-1], selection.namespace))
            remaining = len(found) - index if selection.everything else None
            break
        items.append(cached)
    return shape.many(items, revision, token, remaining)


def candidates(cacher: Cacher, selection: Selection, *, namespaced: bool = True) -> list[CachedObject]:
    """What may match, in key order, by the narrowest index."""
    if selection.fields is not None:
        name = selection.fields.exact("metadata.name")
        if name is not None and (selection.namespace or not namespaced):
            one = cacher.get(selection.namespace, name)
            return [one] if one is not None else []
    return cacher.list(selection.namespace, selection.labels, selection.fields)


def position(cached: CachedObject, namespace: str) -> str:
    """Where a page ended: the name, or namespace/name in a list over all namespaces."""
    return cached.name if namespace or not cached.namespace else f"{cached.namespace}/{cached.name}"


async def _list_at(store: Store, options: ListOptions, selection: Selection, shape: Shape, clock: Clock) -> bytes:
    """A page, or an exact list, as it was at a revision; from the storage's history."""
    cacher = store.cacher
    await fresh(cacher, options.revision, clock)
    prefix = f"{store.prefix}{selection.namespace}/" if selection.namespace else store.prefix
    start = f"{prefix}{options.start_after.lstrip('/')}" if options.start_after else ""
    items: list[CachedObject] = []
    remaining, more = 0, True
    chunk = options.limit if options.limit and selection.everything else 0
    try:
        page = await store.storage.list(prefix, revision=options.revision, start_after=start, limit=chunk)
    except Compacted:
        raise _expired(options) from None
    except FutureRevision as error:
        raise errors.timeout(f"Timeout: Too large resource version: {options.revision}, current: {error.current}", 1) from None
    token = ""
    for index, entry in enumerate(page.entries):
        cached = cacher.describe(entry, with_revision(entry.value, entry.revision))
        if not selection.matches(cached):
            continue
        if options.limit and len(items) == options.limit:
            token, remaining = encode_continue(page.revision, position(items[-1], selection.namespace)), len(page.entries) - index
            break
        items.append(cached)
    more = page.more and not token and bool(items)
    if more:
        token, remaining = encode_continue(page.revision, position(items[-1], selection.namespace)), page.remaining
    return shape.many(items, page.revision, token, remaining if selection.everything else None)


def _expired(options: ListOptions) -> StatusError:
    if not options.start_after:
        return errors.expired(f"The resourceVersion for the provided list is too old: {options.revision}")
    error = errors.expired(PAGE_BEYOND_EXPIRY)
    error.metadata = {"continue": encode_continue(0, options.start_after)}
    return error


async def _watch(
    call: Call, store: Store, options: ListOptions, selection: Selection, shape: Shape, media: Media, clock: Clock
) -> Response:
    """From a revision; or, without one, what is there now as ADDED and then every change."""
    cacher = store.cacher
    upgrade = headers_of(call.request) if is_websocket(call.request) else None
    timeout = options.timeout or MIN_WATCH_SECONDS * (1 + random.random())
    frame, kind = (protobuf_event, WATCH_PROTOBUF) if media.type == PROTOBUF and upgrade is None else (event_line, JSON)
    watch = Watch(cacher, selection, shape, clock, store.outbox, timeout=timeout, bookmarks=options.bookmarks, frame=frame)
    initial_events = options.initial_events if options.initial_events is not None else options.revision == 0
    await fresh(cacher, options.revision, clock)
    revision = cacher.revision if initial_events or not options.revision else options.revision
    initial = [c for c in candidates(cacher, selection) if selection.matches(c)] if initial_events else None
    try:
        watch.start(revision, initial, initial_bookmark=bool(options.initial_events) and options.bookmarks)
    except Compacted:
        error = errors.expired(f"too old resource version: {options.revision} ({cacher.oldest})")
        line = frame("ERROR", encode(error.to_json()))
        return Response(200, line, kind) if upgrade is None else over_websocket(upgrade, _only(line))
    return Response(200, stream=watch, content_type=kind) if upgrade is None else over_websocket(upgrade, watch)


async def _only(line: bytes) -> AsyncIterator[bytes]:
    yield line

