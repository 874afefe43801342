"""Who owns which field: how an ordinary write keeps `metadata.managedFields`, and what no write of its kind can own.

Upstream calls the latter `resetFields`: the main resource cannot change the status, nor /status the spec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wherry.api.resource import Object, Resource
from wherry.apimachinery.managedfields import update_managed
from wherry.apimachinery.schema import Schema
from wherry.apimachinery.values import deep_copy
from wherry.apiserver.call import Call
from wherry.apiserver.codec import Codec
from wherry.util.clock import rfc3339

STATUS_WRITES = ("status", "approval")
# What else than the spec a write of the status leaves as it is.
STATUS_RESETS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): ("spec", "metadata.deletionTimestamp", "metadata.ownerReferences"),
    ("apps", "deployments"): ("spec", "metadata.labels"),
    ("resource.k8s.io", "resourceclaims"): (
        "spec", "metadata.annotations", "metadata.finalizers", "metadata.labels", "metadata.ownerReferences",
    ),
}
# These subresources are other kinds; what they change is changed in the object by the server.
_OTHER_KINDS = ("binding", "eviction", "finalize", "token")

Codecs = Mapping[str, Codec]  # by API version


def reset_fields(resource: Resource, subresource: str) -> tuple[str, ...]:
    """Dotted paths of what a write through `subresource` ("": the object itself) cannot change."""
    if subresource in STATUS_WRITES:
        return STATUS_RESETS.get((resource.group, resource.plural), ("spec",))
    return ("status",) if any(s.name == "status" for s in resource.subresources) else ()


def manage_update(call: Call, codecs: Codecs, old: Object | None, new: Object) -> None:
    """Set `metadata.managedFields` of `new` (hub form) for an ordinary write over `old`.

    Fields are judged in the version in which the client spoke.
    """
    codec = call.codec
    if codec.is_hub:
        live, shown = old, new
    else:
        live, shown = (None if old is None else codec.from_hub(deep_copy(old))), codec.from_hub(deep_copy(new))
    entries = update_managed(
        live, shown, schema=codec.schema, manager=call.field_manager, api_version=codec.api_version, now=rfc3339(call.now),
        subresource="" if call.subresource in _OTHER_KINDS else call.subresource,
        ignored=reset_fields(call.resource, call.subresource), convert=_converter(codec, codecs),
    )
    if entries:
        new["metadata"]["managedFields"] = entries
    else:
        new["metadata"].pop("managedFields", None)


def _converter(codec: Codec, codecs: Codecs) -> Callable[[Object, str], tuple[Object, Schema] | None] | None:
    if len(codecs) < 2:
        return None

    def convert(obj: Object, api_version: str) -> tuple[Object, Schema] | None:
        other = codecs.get(api_version)
        return None if other is None else (other.from_hub(codec.to_hub(deep_copy(obj))), other.schema)

    return convert
