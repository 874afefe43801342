import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.apimachinery.patch import PatchError, apply_strategic_merge_patch
from wherry.apimachinery.schema import Schema

STRING = Schema(type="string")
STRINGS = Schema(type="map", values=STRING)
ENV = Schema(type="object", fields={"name": STRING, "value": STRING}, name="io.k8s.api.core.v1.EnvVar")
MERGE = frozenset({"merge"})
CONTAINER = Schema(
    type="object",
    name="io.k8s.api.core.v1.Container",
    fields={
        "name": STRING,
        "image": STRING,
        "args": Schema(type="array", items=STRING),
        "env": Schema(type="array", items=ENV, patch_strategy=MERGE, patch_merge_key="name"),
        "labels": STRINGS,
    },
)
STRATEGY = Schema(type="object", fields={"type": STRING, "rollingUpdate": STRINGS}, patch_strategy=frozenset({"retainKeys"}))
POD = Schema(
    type="object",
    fields={
        "labels": STRINGS,
        "containers": Schema(type="array", items=CONTAINER, patch_strategy=MERGE, patch_merge_key="name"),
        "finalizers": Schema(type="array", items=STRING, patch_strategy=MERGE),
        "tolerations": Schema(type="array", items=Schema(type="object", fields={"key": STRING})),
        "keyless": Schema(type="array", items=CONTAINER, patch_strategy=MERGE),
        "strategy": STRATEGY,
        "whole": Schema(type="object", fields={"a": STRING, "b": STRING}, patch_strategy=frozenset({"replace"})),
    },
)


def c(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


MERGED = {
    "map": ({"labels": {"a": "1", "b": "2"}}, {"labels": {"b": None, "c": "3"}}, {"labels": {"a": "1", "c": "3"}}),
    "scalar-of-other-type": ({"labels": {"a": "1"}}, {"labels": None}, {}),
    "item-merges": (
        {"containers": [c("a", image="x"), c("b", image="y")]},
        {"containers": [c("b", image="z")]},
        {"containers": [c("a", image="x"), c("b", image="z")]},
    ),
    "new-item-comes-first": ({"containers": [c("a")]}, {"containers": [c("b")]}, {"containers": [c("b"), c("a")]}),
    "new-items-keep-their-order": (
        {"containers": [c("a")]},
        {"containers": [c("c"), c("b")]},
        {"containers": [c("c"), c("b"), c("a")]},
    ),
    "nested-lists": (
        {"containers": [c("a", env=[c("X", value="1"), c("Y", value="2")])]},
        {"containers": [c("a", env=[c("Y", value="3")])]},
        {"containers": [c("a", env=[c("X", value="1"), c("Y", value="3")])]},
    ),
    "atomic-list-replaces": (
        {"containers": [c("a", args=["x"])]},
        {"containers": [c("a", args=["y"])]},
        {"containers": [c("a", args=["y"])]},
    ),
    "list-without-strategy-replaces": (
        {"tolerations": [{"key": "a"}]},
        {"tolerations": [{"key": "b"}]},
        {"tolerations": [{"key": "b"}]},
    ),
    "delete-item": (
        {"containers": [c("a"), c("b")]},
        {"containers": [{"name": "a", "$patch": "delete"}]},
        {"containers": [c("b")]},
    ),
    "delete-item-that-is-not-there": (
        {"labels": {}},
        {"containers": [{"name": "a", "$patch": "delete"}, c("b")]},
        {"labels": {}, "containers": [c("b")]},
    ),
    "replace-list": ({"containers": [c("a"), c("b")]}, {"containers": [{"$patch": "replace"}, c("d")]}, {"containers": [c("d")]}),
    "replace-map": ({"labels": {"a": "1"}}, {"labels": {"$patch": "replace", "b": "2"}}, {"labels": {"b": "2"}}),
    "delete-map": ({"labels": {"a": "1"}}, {"labels": {"$patch": "delete"}}, {"labels": {}}),
    "replace-new-map": ({}, {"labels": {"$patch": "replace", "b": "2"}}, {"labels": {"b": "2"}}),
    "strategy-replace": ({"whole": {"a": "1"}}, {"whole": {"b": "2"}}, {"whole": {"b": "2"}}),
    "retain-keys": (
        {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "1"}}},
        {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
        {"strategy": {"type": "Recreate"}},
    ),
    "retain-keys-and-a-null": (  # what kubectl apply sends
        {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "1"}}},
        {"strategy": {"$retainKeys": ["type"], "type": "Recreate", "rollingUpdate": None}},
        {"strategy": {"type": "Recreate"}},
    ),
    "primitives-unite": ({"finalizers": ["a", "b"]}, {"finalizers": ["b", "c"]}, {"finalizers": ["a", "b", "c"]}),
    "delete-primitives": ({"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {"finalizers": ["b"]}),
    "delete-primitives-of-nothing": ({}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {}),
    "set-order": (
        {"containers": [c("a"), c("b"), c("s")]},
        {"$setElementOrder/containers": [c("b"), c("a")]},
        {"containers": [c("b"), c("a"), c("s")]},
    ),
    "set-order-and-merge": (
        {"containers": [c("a"), c("b")]},
        {"$setElementOrder/containers": [c("d"), c("a")], "containers": [c("d", image="x")]},
        {"containers": [c("d", image="x"), c("a"), c("b")]},
    ),
    "set-order-of-a-new-list": ({}, {"$setElementOrder/containers": [c("a")], "containers": [c("a")]}, {"containers": [c("a")]}),
    "set-order-of-nothing": ({}, {"$setElementOrder/containers": [c("a")]}, {}),
    "set-order-of-primitives": (
        {"finalizers": ["a", "b"]},
        {"$setElementOrder/finalizers": ["c", "b"], "finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]},
        {"finalizers": ["c", "b"]},
    ),
    "directives-of-new-values-fall-away": (
        {},
        {"containers": [{"name": "a", "env": [{"$patch": "replace"}, c("X")], "labels": {"x": None}}]},
        {"containers": [c("a", env=[c("X")], labels={})]},
    ),
}


@pytest.mark.parametrize(("doc", "patch", "want"), MERGED.values(), ids=MERGED)
def test_merges(doc: dict[str, Any], patch: dict[str, Any], want: Any) -> None:
    before = copy.deepcopy((doc, patch))
    assert apply_strategic_merge_patch(doc, patch, POD) == want
    assert (doc, patch) == before


REFUSED = {
    "no-merge-key": (
        {"containers": [c("a")]},
        {"containers": [{"image": "x"}]},
        500,
        "map: map[image:x] does not contain declared merge key: name",
    ),
    "delete-without-key": (
        {"containers": [c("a")]},
        {"containers": [{"$patch": "delete"}]},
        500,
        "map: map[$patch:delete] does not contain declared merge key: name",
    ),
    "merge-directive": (
        {"containers": [c("a")]},
        {"containers": [{"name": "a", "$patch": "merge"}]},
        500,
        "merging lists cannot yet be specified in the patch",
    ),
    "unknown-directive": (
        {"labels": {"a": "1"}},
        {"labels": {"$patch": "zap"}},
        500,
        "unknown patch type 'zap' in map: map[$patch:zap]",
    ),
    "keyless": ({"keyless": [c("a")]}, {"keyless": [c("b")]}, 500, "cannot merge lists without merge key for Container"),
    "order-is-no-list": (
        {"containers": [c("a")]},
        {"$setElementOrder/containers": "a"},
        400,
        "invalid patch format of setElementOrder list",
    ),
    "retain-is-no-list": ({"strategy": {}}, {"strategy": {"$retainKeys": "x"}}, 400, "invalid patch format of retainKeys"),
    "retain-forgets-a-key": (
        {"strategy": {}},
        {"strategy": {"$retainKeys": [], "type": "x"}},
        400,
        "invalid patch format of retainKeys",
    ),
    "delete-from-is-no-list": (
        {"finalizers": ["a"]},
        {"$deleteFromPrimitiveList/finalizers": "a"},
        400,
        "invalid patch format of primitive list",
    ),
    "order-differs": (
        {"containers": [c("a")]},
        {"$setElementOrder/containers": [c("a"), c("b")], "containers": [c("b"), c("a")]},
        500,
        "The order in patch list:\n[map[name:b] map[name:a]]\n doesn't match $setElementOrder list:\n[map[name:a] map[name:b]]\n",
    ),
    "mixed-elements": ({"finalizers": ["a"]}, {"finalizers": [{"a": 1}]}, 500, "list element types are not identical"),
    "no-object": ({}, [], 400, "error decoding patch: a strategic merge patch is an object"),
}


@pytest.mark.parametrize(("doc", "patch", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(doc: dict[str, Any], patch: Any, code: int, words: str) -> None:
    with pytest.raises(PatchError) as error:
        apply_strategic_merge_patch(doc, patch, POD)
    assert (error.value.code, error.value.message) == (code, words)


names = st.sampled_from(["labels", "containers", "finalizers", "strategy", "whole", "keyless", "name", "env", "image"])
directives = st.sampled_from(
    ["$patch", "$retainKeys", "$setElementOrder/containers", "$setElementOrder/finalizers", "$deleteFromPrimitiveList/finalizers"]
)
garbage = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "b", "delete", "replace", "merge"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | directives, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(names, garbage, max_size=4), st.dictionaries(names | directives, garbage, max_size=4))
def test_garbage_is_merged_or_refused(doc: dict[str, Any], patch: dict[str, Any]) -> None:
    before = copy.deepcopy((doc, patch))
    with contextlib.suppress(PatchError):
        apply_strategic_merge_patch(doc, patch, POD)
    assert (doc, patch) == before
