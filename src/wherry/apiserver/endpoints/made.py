"""Answers about objects that no storage holds: they are made when asked for."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.http import Response
from wherry.apiserver.call import Call
from wherry.apiserver.codec import encode
from wherry.apiserver.endpoints.answers import answer
from wherry.apiserver.endpoints.shape import shape_for
from wherry.apiserver.negotiation import accepted
from wherry.storage.cached import CachedObject
from wherry.util.clock import Clock


def made_answer(call: Call, missing: str, made: Sequence[tuple[CachedObject, Object | None]], clock: Clock) -> Response:
    """One object or all of them, in the form that was asked for.

    Each comes with what is known of it (name, labels), and is None when it could not be made.  `missing` is its
    "group/plural" (or plural) in the error when a single one is not there.  Raises StatusError 404.
    """
    media = accepted(call.request)
    found = [(source, obj) for source, obj in made if obj is not None]
    info, codec = call.info, call.codec
    if info.verb == "get" and not found:
        group, _, plural = missing.rpartition("/")
        raise errors.not_found(group, plural, f"{info.namespace}/{info.name}" if info.namespace else info.name)
    if not media.as_:
        if info.verb == "get":
            return answer(codec.encode_object(found[0][1]), media)
        items = [obj for _, obj in found]
        return answer(encode({"kind": codec.list_kind, "apiVersion": codec.api_version, "metadata": {}, "items": items}), media)
    shape = shape_for(codec, media, call.request.param("includeObject"), clock, single=info.verb == "get")
    shown = [
        CachedObject(source.key, source.namespace, source.name, 0, codec.encode_object(obj), source.labels, {}, {})
        for source, obj in found
    ]
    return answer(shape.single(shown[0]) if info.verb == "get" else shape.many(shown, 0, "", None), media)
