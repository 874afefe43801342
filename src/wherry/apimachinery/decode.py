"""Bodies to objects: parse, hold against the schema, prune, and tell what is wrong in upstream's words.

Every write passes here.  What Go's decoder does to a value is done as well (see `prune`): unknown fields and
nulls go, so do optional lists and maps that are empty, and quantities, times and base64 take their one form.
https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wherry.apimachinery import errors, scalars
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import quote
from wherry.apimachinery.jsonsyntax import explain
from wherry.apimachinery.prune import MAX_STRICT_ERRORS, DecodeError, Duplicates, Walk
from wherry.apimachinery.schema import Schema
from wherry.apimachinery.yamlbody import YAMLError, load

STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"
TOO_DEEP = "exceeded max depth"
INTERNAL_PACKAGES = {"": "core", "events.k8s.io": "core"}

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Decoded:
    """An object that fits its schema, and what to warn the client of."""

    obj: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)  # which fields may have been meant: for a refusal


def decode(
    body: bytes, schema: Schema, *, kind: str, version: str, group: str = "", validation: str = WARN,
    content_type: str = "application/json", prune: bool = True, any_version: bool = False,
) -> Decoded:
    """The object in a request's body.

    version is without its group ("v1").  validation is the request's fieldValidation: unknown and duplicate
    fields are refused, warned of or passed over.  prune=False (server-side apply) keeps nulls and what is
    empty, for they are intent there.  any_version: a kind that every group has (DeleteOptions).  Raises StatusError 400.
    """
    try:
        obj, duplicates, strict = _read(body, validation, content_type)
        _check_head(obj)
    except (DecodeError, RecursionError) as error:
        why = TOO_DEEP if isinstance(error, RecursionError) else error
        unread = f"the object provided is unrecognized (must be of type {kind})"
        raise errors.bad_request(f"{unread}: {why} ({summary(body)})") from None
    obj = {} if obj is None else obj
    _check_kind({**obj, "apiVersion": ""} if any_version and obj.get("kind", kind) == kind else obj, kind, version, group)
    walk = Walk(validation != IGNORE, prune, duplicates, strict)
    try:
        walk.object(obj, schema, None)
        return Decoded(obj, _finish(walk, validation), walk.hints)
    except (DecodeError, RecursionError) as error:
        why = TOO_DEEP if isinstance(error, RecursionError) else error
        refused = errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')
        refused.warnings = tuple(walk.hints)
        raise refused from None


def prune_and_check(
    obj: Any, schema: Schema, *, kind: str, version: str, group: str = "", validation: str = WARN, patch: Any = None,
    before: dict[str, Any] | None = None, strict: Sequence[str] = (),
) -> Decoded:
    """The same for an object that a patch made, which is changed in place.

    `patch` is what the error shows; the object when None.  `before` is the object that was patched: parts of it
    that are still there, the very same ones, were looked at when they came.  `strict`: what the patch itself has of
    strict errors.  Raises StatusError 400 for another
    kind, else 422.
    """
    walk = Walk(validation != IGNORE, strict=list(strict))
    try:
        if not isinstance(obj, dict):
            raise DecodeError(f"json: cannot unmarshal {scalars.unmarshal_type(obj)} into Go value of type {version}.{kind}")
        _check_kind(obj, kind, version, group)
        _look_at(obj, before or {}, schema, walk)
        return Decoded(obj, _finish(walk, validation), walk.hints)
    except (DecodeError, RecursionError) as error:
        why = TOO_DEEP if isinstance(error, RecursionError) else str(error)
        shown = "(too deep)" if isinstance(error, RecursionError) else _encode(obj if patch is None else patch).decode()
        refused = errors.invalid("", "", "", [Cause("FieldValueInvalid", f"Invalid value: {quote(shown)}: {why}", "patch")])
        refused.warnings = tuple(walk.hints)
        raise refused from None


def _look_at(obj: dict[str, Any], before: dict[str, Any], schema: Schema, walk: Walk) -> None:
    """Walk what of `obj` does not stand in `before`."""
    new = {key: value for key, value in obj.items() if key not in before or value is not before[key]}
    names = list(new)
    walk.object(new, schema, None)
    for name in names:
        if name in new:
            obj[name] = new[name]
        else:
            del obj[name]


def decode_patch(body: bytes, form: type[dict[str, Any]] | type[list[Any]], validation: str = WARN) -> tuple[Any, list[str]]:
    """The value in a patch's body, and what is wrong with it that does not keep it from being applied: keys given twice.

    Raises DecodeError in Go's words when it is not JSON, or not of the `form` that the patch must have.
    """
    try:
        _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if wrong := explain(body):  # slow: it reads letter by letter
            raise DecodeError(wrong) from None
    value, duplicates, _ = _read(body, validation, "application/json")
    if value is not None and not isinstance(value, form):
        wanted = "map[string]interface {}" if form is dict else "[]interface {}"
        raise DecodeError(f"json: cannot unmarshal {scalars.unmarshal_type(value)} into Go value of type {wanted}")
    return value, list(_repeated(value, "", duplicates)) if duplicates else []


def _repeated(value: Any, path: str, duplicates: Duplicates) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _repeated(item, f"{path}[{index}]", duplicates)
    elif isinstance(value, dict):
        _, keys = duplicates.get(id(value), (value, []))
        yield from (f'duplicate field "{f"{path}.{key}" if path else key}"' for key in keys)
        for key, item in value.items():
            yield from _repeated(item, f"{path}.{key}" if path else key, duplicates)


def summary(body: bytes, limit: int = 30) -> str:
    """The beginning of a body that was not understood: JSON as it is, anything else as hex."""
    if not body:
        return "<empty>"
    shown = body[:limit].decode("utf-8", "replace") if body.startswith(b"{") else body[:limit].hex()
    return f"{shown} ..." if len(body) > limit else shown


def _read(body: bytes, validation: str, content_type: str) -> tuple[Any, Duplicates, list[str]]:
    """The body's value, its repeated keys, and strict errors that reading gave."""
    if "yaml" in content_type and not body.lstrip().startswith(b"{"):
        try:
            value, repeated = load(body)
        except YAMLError as error:
            raise DecodeError(str(error)) from None
        told = ["yaml: unmarshal errors:\n  " + "\n  ".join(repeated[:MAX_STRICT_ERRORS])] if repeated else []
        return value, {}, told
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = _decode_as_go(body)
        body = b""  # its text is not ours to compare
    if validation == IGNORE or (body and _lost_no_key(value, body)):
        return value, {}, []
    return (value, {}, []) if not body else (*_decode_pairs(body), [])


def _lost_no_key(value: Any, body: bytes) -> bool:
    """Whether it can be told quickly that `body`, read as `value`, repeats no key; False when it cannot.

    Every key has a colon, so where one was lost, and its value with it, what is read has fewer of them than what was
    sent.  (Those in texts count alike on both sides, as long as no character is escaped by number.)
    """
    return b"\\u" not in body and _encode(value).count(b":") == body.count(b":")


def _decode_pairs(body: bytes) -> tuple[Any, Duplicates]:
    duplicates: Duplicates = {}

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found):
            keys = [key for key, _ in found]
            duplicates[id(made)] = (made, [key for i, key in enumerate(keys) if keys.index(key) < i])
        return made

    return json.loads(body, object_pairs_hook=pairs), duplicates


def _decode_as_go(body: bytes) -> Any:
    """A body that msgspec refuses: Go's words for what is wrong, or what Go reads all the same.

    Go takes invalid UTF-8 and lone surrogates as U+FFFD, and numbers beyond a float as text.
    """
    wrong = explain(body)
    if wrong is not None:
        raise DecodeError(f"couldn't get version/kind; json parse error: {wrong}")
    value = json.loads(body.decode("utf-8", "replace"), parse_float=_finite)
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise DecodeError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return number


def internal_package(group: str) -> str:
    """Where upstream keeps a group's types, as its errors name them: `core.Pod`, `apps.Deployment`."""
    return INTERNAL_PACKAGES.get(group) or group.partition(".")[0]


def _check_head(obj: Any) -> None:
    """What upstream reads first: an object whose apiVersion and kind are strings."""
    if obj is None:
        return
    prefix = "couldn't get version/kind; json parse error: json: cannot unmarshal"
    if not isinstance(obj, dict):
        head = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        raise DecodeError(f"{prefix} {scalars.unmarshal_type(obj)} into Go value of type {head}")
    for name in ("apiVersion", "kind"):
        value = obj.get(name)
        if value is not None and not isinstance(value, str):
            raise DecodeError(f"{prefix} {scalars.unmarshal_type(value)} into Go struct field .{name} of type string")


def _check_kind(obj: dict[str, Any], kind: str, version: str, group: str) -> None:
    """Refuse another kind than the request's; an absent one is the request's."""
    wanted = f"{group}/{version}" if group else version
    given_kind, given = obj.get("kind") or kind, obj.get("apiVersion") or wanted
    if given_kind == kind and given == wanted:
        return
    if given_kind == kind:
        raise errors.bad_request(f"the API version in the data ({given}) does not match the expected API version ({wanted})")
    package = internal_package(group)
    found = str(given).rsplit("/", 1)[-1]
    why = f"converting ({found}.{given_kind}) to ({package}.{kind}): unknown conversion"
    raise errors.bad_request(f'{given_kind} in version "{found}" cannot be handled as a {kind}: {why}')


def _finish(walk: Walk, validation: str) -> list[str]:
    if validation == STRICT and walk.strict:
        raise DecodeError(f"strict decoding error: {', '.join(walk.strict)}")
    return list(walk.strict)
