"""Query parameters and option bodies, checked and refused in upstream's words."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from wherry.api.schemas import definition
from wherry.apimachinery import errors
from wherry.apimachinery.decode import decode
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid, not_supported, required
from wherry.apimachinery.fields import FieldRequirement, FieldSelector
from wherry.apimachinery.http import Request
from wherry.apimachinery.labels import Selector
from wherry.apiserver.call import Call
from wherry.apiserver.codec import Codec
from wherry.apiserver.negotiation import body_media, unsupported_media
from wherry.apiserver.registry.deletion import DeleteOptions

DEFAULT_FIELDS = ("metadata.name", "metadata.namespace")
NO_MATCH_ON_A_PAGE = "resourceVersionMatch is forbidden when continue is provided"


@dataclass(frozen=True, slots=True)
class ListOptions:
    """meta/v1 ListOptions."""

    labels: Selector | None
    fields: FieldSelector | None
    limit: int
    start_after: str  # from the continue token: the key (below the prefix) that the last page ended with
    revision: int  # from resourceVersion or the continue token; 0: none
    exact: bool
    given: bool  # a resourceVersion was given, "0" included
    timeout: float
    bookmarks: bool
    initial_events: bool | None


def parse_revision(text: str) -> int:
    """A resourceVersion parameter.  Raises StatusError 400."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or int(text) >= 1 << 64:
        why = f'invalid resource version: resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise errors.bad_request(why)
    return int(text)


def _int(request: Request, name: str) -> int:
    text = request.param(name)
    if not text:
        return 0
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def parse_list(request: Request, codec: Codec, *, watch: bool) -> ListOptions:
    """Raises StatusError 400 or 422."""
    version, match = request.param("resourceVersion"), request.param("resourceVersionMatch")
    token, initial = request.param("continue"), request.flag("sendInitialEvents")
    causes = _watch_faults(match, token, initial) if watch else _list_faults(version, match, token, initial)
    if causes:
        raise errors.invalid("meta.k8s.io", "ListOptions", "", causes)
    limit = _int(request, "limit")
    start_after, revision = "", parse_revision(version)
    exact = match == "Exact"
    if token:
        if version and version != "0":
            raise errors.bad_request("specifying resource version is not allowed when using continue")
        revision, start_after = decode_continue(token)
        exact = revision > 0
    elif limit and revision and not match and not watch:
        exact = True
    labels = request.param("labelSelector")
    fields = request.param("fieldSelector")
    try:
        label_selector = Selector.parse(labels) if labels else None
        field_selector = _fields(FieldSelector.parse(fields), codec) if fields else None
    except ValueError as error:
        raise errors.bad_request(str(error)) from None
    return ListOptions(
        label_selector, field_selector, limit, start_after, revision, exact, bool(version), float(_int(request, "timeoutSeconds")),
        bool(request.flag("allowWatchBookmarks")), initial,
    )


def _fields(selector: FieldSelector, codec: Codec) -> FieldSelector:
    """`selector` with the resource's own names of fields.  Raises ValueError for a field that cannot be selected by."""
    resource, names = codec.resource, codec.version.field_labels
    found = []
    for requirement in selector.requirements:
        name: str | None = requirement.field
        if name not in DEFAULT_FIELDS:
            known = resource.selectable_fields
            name = names.get(requirement.field) if names is not None else (requirement.field if requirement.field in known else None)
        elif name == "metadata.namespace" and not resource.namespaced:
            name = None
        if name is None:
            raise ValueError(f"field label not supported: {requirement.field}")
        found.append(FieldRequirement(name, requirement.operator, requirement.value))
    return FieldSelector(tuple(found))


def _list_faults(version: str, match: str, token: str, initial: bool | None) -> list[Cause]:
    causes = []
    if match:
        if not version:
            causes.append(forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if token:
            causes.append(forbidden("resourceVersionMatch", NO_MATCH_ON_A_PAGE))
        if match not in ("Exact", "NotOlderThan"):
            causes.append(not_supported("resourceVersionMatch", match, ("Exact", "NotOlderThan", "")))
        if match == "Exact" and version == "0":
            causes.append(forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if initial is not None:
        causes.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_faults(match: str, token: str, initial: bool | None) -> list[Cause]:
    causes = []
    if initial is not None and match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(forbidden("resourceVersionMatch", why))
    if match:
        if initial is None:
            why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            causes.append(forbidden("resourceVersionMatch", why))
        if match != "NotOlderThan":
            causes.append(not_supported("resourceVersionMatch", match, ("NotOlderThan",)))
        if token:
            causes.append(forbidden("resourceVersionMatch", NO_MATCH_ON_A_PAGE))
    return causes


def encode_continue(revision: int, last: str) -> str:
    """A continue token: the list's revision and the last key sent (below the prefix)."""
    body = msgspec.json.encode({"v": "meta.k8s.io/v1", "rv": revision, "start": last + "\0"})
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def decode_continue(token: str) -> tuple[int, str]:
    """(revision, last key).  Raises StatusError 400."""
    raw = b""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        body: Any = msgspec.json.decode(raw)
        revision, start = body["rv"], body["start"]
        if body["v"] != "meta.k8s.io/v1" or not isinstance(revision, int) or not isinstance(start, str) or not start:
            raise ValueError("incorrect encoded version or an empty start key")
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError, binascii.Error) as error:
        why = str(error)
        if raw and raw[:1] not in b'{["-0123456789tfn \t\n':
            why = f"invalid character '{_shown(raw[0])}' looking for beginning of value"
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {why}") from None
    return revision, start.rstrip("\0")


def _shown(byte: int) -> str:
    """A byte as upstream's JSON errors show it."""
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"


def set_write_options(call: Call) -> None:
    """Read dryRun, fieldManager and fieldValidation of a write.  Raises StatusError 422."""
    request = call.request
    apply = request.method == "PATCH" and "apply-patch" in request.headers.get("content-type", "")
    if not request.query and not apply:  # as most
        call.field_manager = manager_from_agent(request.headers.get("user-agent", ""))
        return
    kind = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}.get(request.method, "DeleteOptions")
    causes: list[Cause] = []
    dry = request.params("dryRun")
    if any(value != "All" for value in dry):
        causes.append(not_supported("dryRun", dry, ("All",)))
    manager = request.param("fieldManager")
    if len(manager) > 128:
        causes.append(Cause("FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager"))
    elif not manager.isprintable():
        causes.append(invalid("fieldManager", manager, "should only contain printable characters"))
    if apply and not manager:
        causes.append(required("fieldManager", "is required for apply patch"))
    if not apply and request.method == "PATCH" and request.flag("force"):
        causes.append(forbidden("force", "may not be specified for non-apply patch"))
    validation = request.param("fieldValidation")
    if validation not in ("", "Ignore", "Warn", "Strict"):
        causes.append(not_supported("fieldValidation", validation, ("", "Ignore", "Warn", "Strict")))
    if causes:
        raise errors.invalid("meta.k8s.io", kind, "", causes)
    call.dry_run = bool(dry)
    call.field_manager = manager or manager_from_agent(request.headers.get("user-agent", ""))
    call.field_validation = validation or "Warn"


@lru_cache(maxsize=1024)
def manager_from_agent(agent: str) -> str:
    """The field manager of a client that names none: its user agent up to the first slash."""
    name = agent.split("/", 1)[0]
    return "".join(c for c in name if c.isprintable())[:128] or "unknown"


def parse_delete(call: Call) -> DeleteOptions:
    """DeleteOptions from the body or, where there is none, the query.  Raises StatusError."""
    request = call.request
    options: dict[str, Any] = {}
    if request.body.strip():
        options = _delete_body(request)
    for name in ("propagationPolicy",):
        if not options.get(name) and (value := request.param(name)):
            options[name] = value
    if options.get("gracePeriodSeconds") is None and request.param("gracePeriodSeconds"):
        options["gracePeriodSeconds"] = _int(request, "gracePeriodSeconds")
    if options.get("orphanDependents") is None and (orphan := request.flag("orphanDependents")) is not None:
        options["orphanDependents"] = orphan
    dry = options.get("dryRun") or request.params("dryRun")
    if any(value != "All" for value in dry):
        raise errors.invalid("meta.k8s.io", "DeleteOptions", "", [not_supported("dryRun", dry, ("All",))])
    call.dry_run = bool(dry)
    return DeleteOptions.parse(options)


def _delete_body(request: Request) -> dict[str, Any]:
    """The DeleteOptions of a body, in whichever group's version its sender knows them.  Raises StatusError 400 or 415."""
    media = body_media(request.headers.get("content-type", ""))
    if media not in ("application/json", "application/yaml"):
        raise unsupported_media()
    schema = definition("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions")
    options = decode(request.body, schema, kind="DeleteOptions", version="v1", validation="Ignore", content_type=media, any_version=True)
    return options.obj
