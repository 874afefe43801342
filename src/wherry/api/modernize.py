"""An object of an old API version in the words of the present one: what `wherry modernize` does to each manifest.

The converters are those with which the server takes old objects in.  What they write out, but the present
version would take for granted anyway, is left out again, so that a manifest keeps its size.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import msgspec

from wherry.api import registry, schemas
from wherry.api.registry import BUILTIN, OLD_GROUP, group_of
from wherry.api.resource import Object, Resource, Version
from wherry.apimachinery.prune import DecodeError, Walk
from wherry.apimachinery.schema import Schema
from wherry.apimachinery.values import deep_copy, same

# Kinds that went and have no successor of the same shape.
GONE = {
    "PodSecurityPolicy": "gone since v1.25: label the namespaces for Pod Security admission (pod-security.kubernetes.io/enforce)",
    "PodPreset": "gone since v1.20: a mutating admission webhook or policy does its work",
    "ThirdPartyResource": "gone since v1.8: define the kind with an apiextensions.k8s.io/v1 CustomResourceDefinition",
    "PetSet": "gone since v1.5: an apps/v1 StatefulSet is what it became",
    "ScheduledJob": "gone since v1.8: a batch/v1 CronJob is what it became",
    "DeploymentRollback": "gone since v1.16: `kubectl rollout undo` does its work",
}
# Why a field of an old manifest is written in another way; by kind and the field's name.
REASONS = {
    ("PodDisruptionBudget", "selector"): "empty, it matched no Pod; in policy/v1 it matches every Pod",
    ("Ingress", "pathType"): "required in networking.k8s.io/v1",
    ("Ingress", "backend"): "the Service stands in an object of its own",
    ("Ingress", "spec"): "spec.backend has a new name",
}
# Fields that only a server wrote, so that they stand in manifests which were read from one; by kind.
COUNTED = {"DaemonSet": "templateGeneration"}
# Fields that went with the old versions and ask for something that is done in another way now.
ORDERS = {'unknown field "spec.rollbackTo"': "gone since v1.16: `kubectl rollout undo --to-revision` does its work"}


@dataclass(slots=True)
class Modernized:
    """A manifest's object, what was changed in it and why, and what only its writer can mend."""

    obj: Any
    changes: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def modernize(obj: Any) -> Modernized:
    """The same object in its present version; a List's items each.  The one given stays as it is."""
    if not isinstance(obj, dict):
        return Modernized(obj, troubles=["not an object"])
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return Modernized(obj, troubles=["no apiVersion and kind"])
    if kind.endswith("List") and isinstance(obj.get("items"), list):
        return _list(obj, api_version, kind)
    group, _, version = api_version.rpartition("/")
    found = BUILTIN.by_kind(group, version, kind)
    if found is None:
        trouble = _unknown(group, api_version, kind)
        return Modernized(obj, troubles=[f"{named(obj)}: {trouble}"] if trouble else [])
    return _object(obj, *found)


def named(obj: Object) -> str:
    """`CronJob report`, as troubles call it."""
    metadata = obj.get("metadata")
    name = metadata.get("name") or metadata.get("generateName") if isinstance(metadata, dict) else None
    return f"{obj['kind']} {name}" if name else str(obj["kind"])


def _list(obj: Object, api_version: str, kind: str) -> Modernized:
    told = {"apiVersion": api_version, "kind": kind.removesuffix("List")}
    done = [modernize({**told, **each} if _bare(each) else each) for each in obj["items"]]
    items = [
        {name: value for name, value in each.obj.items() if name not in told} if _bare(old) else each.obj
        for each, old in zip(done, obj["items"], strict=True)
    ]
    new, changes = {**obj, "items": items}, [line for each in done for line in each.changes]
    group, _, version = api_version.rpartition("/")
    found = BUILTIN.by_kind(group, version, kind.removesuffix("List"))
    if found is not None and not found[1].preferred:
        new["apiVersion"] = hub_api_version(found[0])
        changes.insert(0, f"{kind}: apiVersion: {new['apiVersion']}, as its items")
    return Modernized(new, changes, [line for each in done for line in each.troubles])


def _bare(item: Any) -> bool:
    """Items of a typed list need not say what they are."""
    return isinstance(item, dict) and "kind" not in item and "apiVersion" not in item


def hub_api_version(resource: Resource) -> str:
    group = group_of(resource, resource.hub)
    return f"{group}/{resource.hub.name}" if group else resource.hub.name


def _object(obj: Object, resource: Resource, version: Version) -> Modernized:
    name, walk = named(obj), Walk(True)
    try:
        read: Object = walk.object(deep_copy(obj), schemas.definition(version.schema), None)
    except (DecodeError, RecursionError) as error:
        return Modernized(obj, troubles=[f"{name}: {str(error).removeprefix('json: ') or 'nested too deeply'}"])
    troubles = [f"{name}: {told}{_hint(told, walk.hints)}" for told in [*walk.strict, *_left_behind(read)]]
    obj, counted = _uncounted(obj)
    new = _referring(obj)
    if not version.preferred:
        new = _converted(new, _uncounted(_referring(read))[0], version)
        new["apiVersion"] = hub_api_version(resource)
        new = _in_order(obj, _without_defaults(obj, new, resource))
    changes = [f"{name}: {line}" for line in [*_changes(obj, new, resource, version), *counted]]
    return Modernized(new, changes, troubles)


def _converted(obj: Object, read: Object, version: Version) -> Object:
    """As it was written, or, if a null stands where something must be, as the server reads it."""
    convert = version.to_hub or dict
    try:
        return convert(deep_copy(obj))
    except (AttributeError, TypeError):
        return convert(read)


def _uncounted(obj: Object) -> tuple[Object, list[str]]:
    """Without what the server counts itself."""
    spec, name = obj.get("spec"), COUNTED.get(obj["kind"], "")
    if not isinstance(spec, dict) or name not in spec:
        return obj, []
    rest = {key: value for key, value in spec.items() if key != name}
    return {**obj, "spec": rest}, [f"spec.{name}: removed (the server counts it)"]


def _left_behind(obj: Object) -> Iterator[str]:
    """Rules that grant a kind in the group that it has left: who asks for it where it is now would be refused."""
    for at, rule in enumerate(obj.get("rules") or () if obj["kind"] in ("Role", "ClusterRole") else ()):
        groups, resources = rule.get("apiGroups") or (), rule.get("resources") or ()
        moved = {row.group for row in registry.RESOURCES if row.plural in resources for each in row.versions if each.group == OLD_GROUP}
        missing = sorted(moved - {*groups}) if OLD_GROUP in groups and "*" not in groups else ()
        if missing:
            yield f"rules[{at}].apiGroups: has {OLD_GROUP!r}, but not {' and '.join(map(repr, missing))}, where these resources are now"


def _hint(told: str, hints: list[str]) -> str:
    """The hint that belongs to a field that is told of, if any."""
    if told in ORDERS:
        return f": {ORDERS[told]}"
    place = told.partition('"')[2].rstrip('"')
    near = next((hint for hint in hints if hint.endswith(f'instead of "{place}"?')), "")
    return f': {near.partition(" instead of ")[0]}?' if near else ""


def _unknown(group: str, api_version: str, kind: str) -> str:
    """Why an apiVersion and kind that the table does not have is a trouble; "" for a custom resource's."""
    if kind in GONE:
        return f"{api_version} {kind} is {GONE[kind]}"
    groups = {group_of(row, version) for row in registry.RESOURCES for version in row.versions}
    if group not in groups and "." in group:
        return ""
    rows = [row for row in registry.RESOURCES if row.kind == kind]
    if rows:
        return f"there is no {kind} in {api_version}: write it as {hub_api_version(rows[0])}, by hand"
    if group not in groups:
        near = get_close_matches(group, groups, 1, 0.75)
        return f"there is no group {group!r}" + (f": did you mean {near[0]!r}?" if near else "")
    near = get_close_matches(kind, {row.kind for row in registry.RESOURCES}, 1, 0.75)
    return f"{api_version} has no kind {kind!r}" + (f": did you mean {near[0]!r}?" if near else "")


def _referring(obj: Object) -> Object:
    """What an autoscaler scales, and what its metrics are of, is named with its version: the present one."""
    spec = obj.get("spec")
    if obj["kind"] != "HorizontalPodAutoscaler" or not isinstance(spec, dict):
        return obj
    new = _renamed(spec, "scaleTargetRef")
    if isinstance(spec.get("metrics"), list):
        new = {**new, "metrics": [
            {**each, "object": _renamed(_renamed(each["object"], "describedObject"), "target")}
            if isinstance(each, dict) and isinstance(each.get("object"), dict) else each for each in spec["metrics"]
        ]}
    return {**obj, "spec": new}


def _renamed(holder: Object, place: str) -> Object:
    """With the reference that stands at `place`, if it is one, in its kind's present version."""
    target = holder.get(place)
    if isinstance(target, dict) and isinstance(target.get("apiVersion"), str):
        group, _, version = target["apiVersion"].rpartition("/")
        found = BUILTIN.by_kind(group, version, str(target.get("kind")))
        if found is not None and not found[1].preferred:
            return {**holder, place: {**target, "apiVersion": hub_api_version(found[0])}}
    return holder


def _without_defaults(old: Object, new: Object, resource: Resource) -> Object:
    """Leave out again what was written out but is the present version's default too."""
    schema: Schema = schemas.definition(resource.hub.schema)

    def complete(obj: Object) -> Object:
        made: Object = Walk(False).object(deep_copy(obj), schema, None)
        resource.strategy.default(made)
        return made

    wanted = complete(new)
    for path in list(_added(old, new)):
        without = _dropped(new, path)
        if same(complete(without), wanted):
            new = without
    return new


def _added(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The places of what is new, whole before in parts."""
    if not isinstance(new, dict):
        return
    for name, value in new.items():
        here = (*path, name)
        if not isinstance(old, dict) or name not in old:
            yield here
        yield from _added(old.get(name) if isinstance(old, dict) else None, value, here)


def _dropped(obj: Object, path: tuple[str, ...]) -> Object:
    if path[0] not in obj:
        return obj
    if len(path) == 1:
        return {name: value for name, value in obj.items() if name != path[0]}
    inner = obj[path[0]]
    return {**obj, path[0]: _dropped(inner, path[1:])} if isinstance(inner, dict) else obj


def _in_order(old: Any, new: Any) -> Any:
    """Keys in the order in which they were written, new ones behind."""
    if not isinstance(new, dict) or not isinstance(old, dict):
        return new
    return {name: _in_order(old.get(name), new[name]) for name in [*(n for n in old if n in new), *(n for n in new if n not in old)]}


def _changes(old: Object, new: Object, resource: Resource, version: Version) -> Iterator[str]:
    was, present = old["apiVersion"], new["apiVersion"]
    if was != present:
        yield f"apiVersion: {present} ({version.deprecation})"
    for path, told, added in _differences(old, new):
        if path == "apiVersion":
            continue
        reason = REASONS.get((resource.kind, path.rpartition(".")[2]), "")
        if not reason and added:
            reason = f"what {was} means when it is left out"
        yield f"{path}: {told}" + (f" ({reason})" if reason else "")


def _differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str, bool]]:
    """Where they differ, in which way, and whether only something was added."""
    if isinstance(old, dict) and isinstance(new, dict) and old:
        gone, fresh = [name for name in old if name not in new], [name for name in new if name not in old]
        if gone:
            yield path, f"{', '.join(gone)} {'became ' + ', '.join(fresh) if fresh else 'went'}", False
        for name in [] if gone else fresh:
            yield f"{path}.{name}".lstrip("."), f"added {_shown(new[name])}", True
        for name in new:
            if name in old and not same(old[name], new[name]):
                yield from _differences(old[name], new[name], f"{path}.{name}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (was, is_) in enumerate(zip(old, new, strict=True)):
            if not same(was, is_):
                yield from _differences(was, is_, f"{path}[{at}]")
    else:
        yield path, f"{_shown(old)} became {_shown(new)}", False


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, (dict, list)) else str(value)
