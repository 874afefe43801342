import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.managedfields import apply_patch, compare, field_paths, field_set_of, same_but_for_times, update_managed
from wherry.apimachinery.managedfields.entries import ANCIENT_CHANGES, arranged, make_entry
from wherry.apimachinery.managedfields.fieldset import (
    canonical,
    difference,
    intersection,
    is_well_formed,
    members,
    recursive_difference,
    union,
)
from wherry.apimachinery.schema import Schema

Object = dict[str, Any]
T0, T1, T2 = "2026-11-23T20:00:00Z", "2026-11-23T20:00:01Z", "2026-11-23T20:00:02Z"

STRING, NUMBER = Schema(type="string"), Schema(type="integer")
STRINGS = Schema(type="map", values=STRING)
PORT = Schema(type="object", fields={"port": NUMBER, "protocol": STRING, "name": STRING})
PORTS = Schema(type="array", items=PORT, list_type="map", list_map_keys=("port", "protocol"), key_defaults={"protocol": "TCP"})
ITEM = Schema(type="object", fields={"name": STRING, "image": STRING, "args": Schema(type="array", items=STRING), "ports": PORTS})
SPEC = Schema(
    type="object",
    name="io.k8s.test.Spec",
    fields={
        "replicas": NUMBER,
        "items": Schema(type="array", items=ITEM, list_type="map", list_map_keys=("name",)),
        "finalizers": Schema(type="array", items=STRING, list_type="set"),
        "selector": Schema(type="object", fields={"a": STRING}, map_type="atomic"),
        "labels": STRINGS,
        "free": Schema(type="any", preserve_unknown=True),
    },
)
META = Schema(
    type="object", name="io.k8s.test.Meta", fields={"name": STRING, "uid": STRING, "labels": STRINGS, "annotations": STRINGS}
)
KIND = Schema(
    type="object",
    name="io.k8s.test.Kind",
    fields={"apiVersion": STRING, "kind": STRING, "metadata": META, "spec": SPEC, "status": SPEC, "data": STRINGS},
)


def thing(**more: Any) -> Object:
    meta = more.pop("metadata", {})
    return {"apiVersion": "v1", "kind": "Kind", "metadata": {"name": "x", **meta}, **more}


def update(live: Object | None, new: Object, manager: str = "me", now: str = T1, **more: Any) -> Object:
    """`new` as it is stored after `manager` wrote it over `live`."""
    more = {"api_version": "v1", **more}
    entries = update_managed(live, new, schema=KIND, manager=manager, now=now, **more)
    result = copy.deepcopy(new)
    result["metadata"].pop("managedFields", None)
    if entries:
        result["metadata"]["managedFields"] = copy.deepcopy(entries)
    return result


def apply(live: Object | None, applied: Object, manager: str = "me", now: str = T1, **more: Any) -> Object:
    return apply_patch(live, applied, schema=KIND, manager=manager, api_version="v1", now=now, **more)


def owners(obj: Object) -> dict[str, list[str]]:
    """manager -> the paths that it owns."""
    return {
        f"{e['manager']}/{e['operation']}{'/' + e['subresource'] if 'subresource' in e else ''}": sorted(members(e["fieldsV1"]))
        for e in obj["metadata"].get("managedFields", [])
    }


def times(obj: Object) -> list[tuple[str, str]]:
    return [(each["manager"], each["time"]) for each in obj["metadata"].get("managedFields", [])]


# --- sets --------------------------------------------------------------------------------------

leaves = st.just({})
keys = st.sampled_from(["f:a", "f:b", 'k:{"name":"c"}', 'v:"x"'])


def _normal(node: Any) -> Any:
    return {} if set(node) == {"."} else node


children = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda kids, own: _normal({**({"."[:]: {}} if own else {}), **kids}),
        st.dictionaries(keys, inner, max_size=3),
        st.booleans(),
    ),
    max_leaves=8,
)
fieldsets = st.dictionaries(keys, children, max_size=3)


def paths(fields: Any) -> set[str]:
    return set(members(fields))


@given(fieldsets, fieldsets)
def test_algebra_is_that_of_sets(a: Any, b: Any) -> None:
    before = copy.deepcopy((a, b))
    assert paths(union(a, b)) == paths(a) | paths(b)
    assert paths(difference(a, b)) == paths(a) - paths(b)
    assert paths(intersection(a, b)) == paths(a) & paths(b)
    assert paths(recursive_difference(a, b)) == {
        p for p in paths(a) if not any(p == q or p.startswith((q + ".", q + "[")) for q in paths(b))
    }
    assert (a, b) == before


@given(fieldsets, fieldsets)
def test_results_are_normal(a: Any, b: Any) -> None:
    def normal(node: Any) -> bool:
        return all(each != {".": {}} and normal(each) for key, each in node.items() if key != ".")

    for result in (union(a, b), difference(a, b), intersection(a, b), recursive_difference(a, b)):
        assert normal(result)
        assert is_well_formed(result)
    assert difference(a, a) == {}
    assert union(a, a) == a
    assert canonical(a) == a


def test_canonical_order() -> None:
    fields = {
        'v:"x"': {},
        "f:b": {"f:z": {}, ".": {}},
        'k:{"port":443}': {},
        'k:{"port":80}': {},
        "f:a": {},
        "i:10": {},
        "i:2": {},
    }
    assert list(canonical(fields)) == ["f:a", "f:b", 'k:{"port":80}', 'k:{"port":443}', 'v:"x"', "i:2", "i:10"]
    assert list(canonical(fields)["f:b"]) == [".", "f:z"]


def test_paths_read_as_upstreams() -> None:
    fields = {
        "f:spec": {
            "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}}},
            "f:set": {'v:"x"': {}},
            "f:l": {"i:0": {}},
        }
    }
    assert sorted(members(fields)) == [
        ".spec.l[0]",
        '.spec.ports[port=80,protocol="TCP"]',
        '.spec.ports[port=80,protocol="TCP"].name',
        '.spec.set[="x"]',
    ]


@pytest.mark.parametrize(
    "fields", [None, [], {"x": {}}, {"f:a": 1}, {"k:[]": {}}, {"k:{": {}}, {"v:x": {}}, {"i:x": {}}, {"f:a": {"b": {}}}]
)
def test_malformed_sets(fields: Any) -> None:
    assert not is_well_formed(fields)


# --- objects -----------------------------------------------------------------------------------

CLAIMS = {
    "scalar": ({"replicas": 1}, [".replicas"]),
    "null-map": ({"labels": None}, [".labels"]),
    "empty-map": ({"labels": {}}, [".labels"]),
    "map": ({"labels": {"a": "1"}}, [".labels.a"]),
    "empty-list": ({"items": []}, []),
    "items": ({"items": [{"name": "c", "args": []}]}, ['.items[name="c"]', '.items[name="c"].args', '.items[name="c"].name']),
    "key-default": (
        {"items": [{"name": "c", "ports": [{"port": 80}]}]},
        [
            '.items[name="c"]',
            '.items[name="c"].name',
            '.items[name="c"].ports[port=80,protocol="TCP"]',
            '.items[name="c"].ports[port=80,protocol="TCP"].port',
        ],
    ),
    "set": ({"finalizers": ["x"]}, ['.finalizers[="x"]']),
    "atomic": ({"selector": {"a": "b"}}, [".selector"]),
    "free": ({"free": {"a": {"b": 1}, "l": [1]}}, [".free.a", ".free.a.b", ".free.l"]),
}


@pytest.mark.parametrize(("obj", "want"), CLAIMS.values(), ids=CLAIMS)
def test_what_an_applied_object_claims(obj: Object, want: list[str]) -> None:
    assert sorted(members(field_set_of(obj, SPEC))) == want


COMPARED: dict[str, tuple[Object, Object, list[str], list[str]]] = {
    "same": ({"replicas": 1}, {"replicas": 1}, [], []),
    "modified": ({"replicas": 1}, {"replicas": 2}, [".replicas"], []),
    "added-map": ({}, {"labels": {"a": "1"}}, [".labels", ".labels.a"], []),
    "added-key": ({"labels": {"b": "1"}}, {"labels": {"a": "1", "b": "1"}}, [".labels.a"], []),
    "removed-key": ({"labels": {"a": "1", "b": "1"}}, {"labels": {"b": "1"}}, [], [".labels.a"]),
    "removed-map": ({"labels": {"a": "1"}}, {}, [], [".labels", ".labels.a"]),
    "moved-item": ({"items": [{"name": "a"}, {"name": "b"}]}, {"items": [{"name": "b"}, {"name": "a"}]}, [], []),
    "item": (
        {"items": [{"name": "a", "image": "x"}]},
        {"items": [{"name": "a", "image": "y"}, {"name": "b"}]},
        ['.items[name="a"].image', '.items[name="b"]', '.items[name="b"].name'],
        [],
    ),
    "item-gone": (
        {"items": [{"name": "a"}, {"name": "b"}]},
        {"items": [{"name": "b"}]},
        [],
        ['.items[name="a"]', '.items[name="a"].name'],
    ),
    "set": ({"finalizers": ["a", "b"]}, {"finalizers": ["b", "c"]}, ['.finalizers[="c"]'], ['.finalizers[="a"]']),
    "atomic": ({"selector": {"a": "1"}}, {"selector": {"a": "2"}}, [".selector"], []),
    "empty-to-null": ({"labels": {}}, {"labels": None}, [".labels"], []),
    "duplicates": (
        {"items": [{"name": "a"}, {"name": "a", "image": "x"}]},
        {"items": [{"name": "a"}, {"name": "a", "image": "y"}]},
        ['.items[name="a"]'],
        [],
    ),
}


@pytest.mark.parametrize(("old", "new", "changed", "removed"), COMPARED.values(), ids=COMPARED)
def test_compare(old: Object, new: Object, changed: list[str], removed: list[str]) -> None:
    found = compare(old, new, SPEC)
    assert (sorted(members(found.changed)), sorted(members(found.removed))) == (changed, removed)


# --- update ------------------------------------------------------------------------------------


def test_a_creator_owns_what_it_wrote_but_identity() -> None:
    made = update(None, thing(spec={"replicas": 1}, metadata={"labels": {"a": "1"}, "uid": "u"}))
    assert owners(made) == {"me/Update": [".metadata.labels", ".metadata.labels.a", ".spec.replicas"]}
    assert list(made["metadata"]["managedFields"][0]) == ["manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1"]


def test_who_changes_a_field_takes_it() -> None:
    made = update(None, thing(spec={"replicas": 1, "labels": {"a": "1"}}))
    changed = update(made, thing(spec={"replicas": 2, "labels": {"a": "1"}}), "you", T2)
    assert owners(changed) == {"me/Update": [".spec.labels", ".spec.labels.a"], "you/Update": [".spec.replicas"]}
    assert times(changed) == [("me", T1), ("you", T2)]


def test_an_owner_without_fields_vanishes() -> None:
    made = update(None, thing(spec={"replicas": 1}))
    assert owners(update(made, thing(spec={"replicas": 2}), "you")) == {"you/Update": [".spec.replicas"]}
    assert owners(update(made, thing(spec={}), "you")) == {}


def test_time_is_kept_by_a_write_that_changes_nothing_or_only_removes() -> None:
    made = update(None, thing(spec={"replicas": 1, "labels": {"a": "1"}}))
    assert update(made, thing(spec={"replicas": 1, "labels": {"a": "1"}}), now=T2) == made
    assert times(update(made, thing(spec={"replicas": 1, "labels": {}}), now=T2)) == [("me", T1)]
    assert times(update(made, thing(spec={"replicas": 1}), now=T2)) == [("me", T1)]
    assert times(update(made, thing(spec={"replicas": 2, "labels": {"a": "1"}}), now=T2)) == [("me", T2)]


def test_versions_and_subresources_have_entries_of_their_own() -> None:
    made = update(None, thing(spec={"replicas": 1}))
    other = update(made, thing(spec={"replicas": 1, "labels": {"a": "1"}}), api_version="v2")
    status = update(other, {**other, "status": {"replicas": 3}}, subresource="status", ignored=("spec",))
    assert [(e["apiVersion"], e.get("subresource")) for e in status["metadata"]["managedFields"]] == [
        ("v1", None),
        ("v1", "status"),
        ("v2", None),
    ]
    assert owners(status)["me/Update/status"] == [".status.replicas"]


def test_ignored_fields_are_neither_taken_nor_lost() -> None:
    made = update(None, thing(status={"replicas": 1}), "kubelet", subresource="status")
    changed = update(made, thing(status={"replicas": 2}, spec={"replicas": 1}), ignored=("status",))
    assert owners(changed) == {"kubelet/Update/status": [".status.replicas"], "me/Update": [".spec.replicas"]}


def test_another_version_is_judged_in_its_own_form() -> None:
    renamed = Schema(
        type="object", name="io.k8s.test.Old", fields={"metadata": META, "spec": Schema(type="object", fields={"count": NUMBER})}
    )

    def convert(obj: Object, version: str) -> tuple[Object, Schema] | None:
        if version != "v0":
            return None
        return {"metadata": obj["metadata"], "spec": {"count": obj["spec"]["replicas"]}}, renamed

    live = thing(spec={"replicas": 1})
    live["metadata"]["managedFields"] = [
        make_entry("old", "Update", "v0", "", T0, {"f:spec": {"f:count": {}}}),
        make_entry("gone", "Update", "v9", "", T0, {"f:spec": {"f:x": {}}}),
    ]
    kept = update(live, thing(spec={"replicas": 1, "labels": {"a": "1"}}), convert=convert)
    assert owners(kept) == {"old/Update": [".spec.count"], "me/Update": [".spec.labels", ".spec.labels.a"]}
    assert owners(update(live, thing(spec={"replicas": 2}), convert=convert)) == {"me/Update": [".spec.replicas"]}


def test_at_most_ten_updaters_stand_apart() -> None:
    entries = [make_entry(f"m{i:02}", "Update", "v1", "", f"2026-11-23T20:00:{i:02}Z", {f"f:f{i}": {}}) for i in range(12)]
    found = arranged([*entries, make_entry("a", "Apply", "v1", "", T0, {"f:a": {}})])
    assert [each["manager"] for each in found] == ["a", ANCIENT_CHANGES, *(f"m{i:02}" for i in range(3, 12))]
    assert found[1]["fieldsV1"] == {"f:f0": {}, "f:f1": {}, "f:f2": {}}
    assert found[1]["time"] == "2026-11-23T20:00:02Z"
    later = make_entry("late", "Update", "v1", "", "2026-11-23T20:01:00Z", {"f:late": {}})
    again = arranged([*found, later])
    assert [each["manager"] for each in again] == ["a", ANCIENT_CHANGES, *(f"m{i:02}" for i in range(4, 12)), "late"]
    assert sorted(again[1]["fieldsV1"]) == ["f:f0", "f:f1", "f:f2", "f:f3"]


def test_a_request_may_reset_or_bring_entries_and_garbage_is_ignored() -> None:
    made = update(None, thing(spec={"replicas": 1}))

    def sent(entries: Any) -> dict[str, list[str]]:
        return owners(update(made, thing(spec={"replicas": 1}, metadata={"managedFields": entries})))

    assert sent([{}]) == {}
    assert sent([]) == owners(made)
    assert sent([{"manager": "a", "operation": "Update", "fieldsV1": {"x": 1}}]) == owners(made)
    assert sent([make_entry("a", "Update", "v1", "", T0, {"f:data": {}})]) == {"a/Update": [".data"]}


def test_items_without_a_key_leave_owners_alone() -> None:
    made = update(None, thing(spec={"items": [{"name": "a"}]}))
    assert owners(update(made, thing(spec={"items": [{"image": "x"}]}))) == owners(made)


def test_same_but_for_times() -> None:
    made = update(None, thing(spec={"replicas": 1}))
    later = copy.deepcopy(made)
    later["metadata"]["managedFields"][0]["time"] = T2
    assert same_but_for_times(later, made)
    assert not same_but_for_times({**later, "data": {}}, made)
    later["metadata"]["managedFields"][0]["manager"] = "you"
    assert not same_but_for_times(later, made)


# --- apply -------------------------------------------------------------------------------------


def test_applying_makes_and_applying_again_changes_nothing() -> None:
    body = thing(spec={"replicas": 1, "items": [{"name": "a", "image": "x"}]}, data={"k": "v"})
    before = copy.deepcopy(body)
    made = apply(None, body)
    assert owners(made) == {
        "me/Apply": [
            ".data.k",
            '.spec.items[name="a"]',
            '.spec.items[name="a"].image',
            '.spec.items[name="a"].name',
            ".spec.replicas",
        ]
    }
    assert apply(made, body, now=T2) == made
    assert body == before


def test_two_appliers_share_what_they_agree_on() -> None:
    made = apply(None, thing(data={"k": "v"}))
    both = apply(made, thing(data={"k": "v", "l": "w"}), "you", T2)
    assert owners(both) == {"me/Apply": [".data.k"], "you/Apply": [".data.k", ".data.l"]}
    left = apply(both, thing(), now=T2)
    assert left["data"] == {"k": "v", "l": "w"}
    assert owners(left) == {"you/Apply": [".data.k", ".data.l"]}


def test_conflicts_are_told_and_can_be_forced() -> None:
    made = update(
        apply(None, thing(data={"a": "1", "b": "1"})), thing(data={"a": "1", "b": "2"}, spec={"replicas": 1}), "edit", T2
    )
    with pytest.raises(StatusError) as error:
        apply(made, thing(data={"a": "x", "b": "x"}, spec={"replicas": 2}), "you")
    assert (error.value.code, error.value.reason) == (409, "Conflict")
    assert error.value.message == (
        'Apply failed with 3 conflicts: conflicts with "edit" using v1:\n- .data.b\n- .spec.replicas\n'
        'conflicts with "me":\n- .data.a'
    )
    assert error.value.details is not None
    assert error.value.details["causes"][0] == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "edit" using v1',
        "field": ".data.b",
    }
    forced = apply(made, thing(data={"a": "x", "b": "x"}, spec={"replicas": 2}), "you", T2, force=True)
    assert owners(forced) == {"you/Apply": [".data.a", ".data.b", ".spec.replicas"]}


def test_one_conflict_with_a_subresource() -> None:
    made = update(apply(None, thing()), thing(status={"replicas": 1}), "kubelet", subresource="status")
    with pytest.raises(StatusError) as error:
        apply(made, thing(status={"replicas": 2}), subresource="status")
    assert error.value.message == (
        'Apply failed with 1 conflict: conflict with "kubelet" with subresource "status" using v1: .status.replicas'
    )


def test_what_is_no_longer_applied_goes_unless_owned() -> None:
    made = apply(None, thing(data={"mine": "1", "shared": "1"}, spec={"items": [{"name": "a"}, {"name": "b", "image": "x"}]}))
    both = apply(made, thing(data={"shared": "1"}, spec={"items": [{"name": "b", "args": ["y"]}]}), "you")
    left = apply(both, thing(data={"shared": "1"}))
    assert left["data"] == {"shared": "1"}
    assert left["spec"] == {"items": [{"name": "b", "args": ["y"]}]}


def test_an_item_goes_with_its_applier_even_if_another_wrote_in_it() -> None:
    made = apply(None, thing(spec={"items": [{"name": "a"}, {"name": "b"}], "replicas": 1}))
    mixed = copy.deepcopy(made)
    mixed["spec"]["items"][1]["args"] = ["y"]
    left = apply(update(made, mixed, "you"), thing(spec={"items": [{"name": "a"}], "replicas": 1}))
    assert left["spec"] == {"items": [{"name": "a"}], "replicas": 1}


def test_what_others_wrote_into_a_map_stays() -> None:
    made = apply(None, thing(spec={"labels": {"a": "1"}}))
    mixed = copy.deepcopy(made)
    mixed["spec"]["labels"]["b"] = "2"
    assert apply(update(made, mixed, "you"), thing())["spec"] == {"labels": {"b": "2"}}


def test_the_last_key_takes_the_map_along() -> None:
    made = apply(None, thing(data={"k": "v"}, metadata={"labels": {"a": "1"}}))
    left = apply(made, thing())
    assert "data" not in left
    assert left["metadata"] == {"name": "x"}


def test_lists_keep_places() -> None:
    live = thing(spec={"items": [{"name": n} for n in "abcd"], "finalizers": ["x", "y"]})
    done = apply(
        live, thing(spec={"items": [{"name": "e"}, {"name": "c", "image": "i"}, {"name": "a"}], "finalizers": ["z", "x"]})
    )
    assert "".join(each["name"] for each in done["spec"]["items"]) == "becda"
    assert done["spec"]["finalizers"] == ["z", "x", "y"]


def test_atomic_values_are_replaced() -> None:
    made = apply(None, thing(spec={"selector": {"a": "1"}}))
    assert apply(made, thing(spec={"selector": {"b": "1"}}))["spec"]["selector"] == {"b": "1"}


def test_key_defaults_find_the_item() -> None:
    live = thing(spec={"items": [{"name": "c", "ports": [{"port": 80, "protocol": "TCP"}]}]})
    done = apply(live, thing(spec={"items": [{"name": "c", "ports": [{"port": 80, "name": "http"}]}]}))
    assert done["spec"]["items"][0]["ports"] == [{"port": 80, "protocol": "TCP", "name": "http"}]


def test_an_object_from_before_has_an_owner_then() -> None:
    done = apply(thing(data={"a": "1"}), thing(data={"b": "1"}))
    assert owners(done) == {"me/Apply": [".data.b"], "before-first-apply/Update": [".data", ".data.a"]}


def test_defaults_belong_to_nobody() -> None:
    done = apply(None, thing(), default=lambda obj: obj.setdefault("data", {"d": "1"}))
    assert done["data"] == {"d": "1"}
    assert owners(done) == {}


REFUSED = {
    "managed-fields": (thing(metadata={"managedFields": [{"manager": "x"}]}), 400, "metadata.managedFields must be nil"),
    "version": (
        {**thing(), "apiVersion": "v2"},
        400,
        "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1",
    ),
    "unknown-field": (
        thing(spec={"nope": 1}),
        500,
        "failed to create typed patch object (/x; v1, Kind=Kind): .spec.nope: field not declared in schema",
    ),
    "duplicate": (
        thing(spec={"items": [{"name": "a"}, {"name": "a"}]}),
        500,
        'failed to create typed patch object (/x; v1, Kind=Kind): .spec.items: duplicate entries for key [name="a"]',
    ),
    "no-key": (
        thing(spec={"items": [{"image": "a"}]}),
        500,
        "failed to create typed patch object (/x; v1, Kind=Kind): .spec.items: associative list with keys has an element "
        'that omits key field "name" (and doesn\'t have default value)',
    ),
}


@pytest.mark.parametrize(("body", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(body: Object, code: int, words: str) -> None:
    with pytest.raises(StatusError) as error:
        apply(None, body)
    assert (error.value.code, error.value.message) == (code, words)


def test_kubectl_takes_over_what_it_applied_from_the_clients_side() -> None:
    text = '{"apiVersion":"v1","kind":"Kind","metadata":{"name":"x"},"data":{"k":"v"}}\n'
    note = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": text}}
    live = update(None, thing(data={"k": "v", "o": "1"}, metadata=note), "kubectl-client-side-apply")
    done = apply(live, thing(data={"k": "w"}), "kubectl")
    assert done["data"] == {"k": "w", "o": "1"}
    assert '"k":"w"' in done["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    with pytest.raises(StatusError, match="Apply failed with 1 conflict"):
        apply(live, thing(data={"o": "2"}), "kubectl")
    with pytest.raises(StatusError, match="Apply failed with 1 conflict"):
        apply(live, thing(data={"k": "w"}), "helm")


# Never empty lists and maps: Go writes them as if they were not there.
values = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 3),
        "labels": st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), min_size=1),
        "finalizers": st.lists(st.sampled_from("xyz"), unique=True, min_size=1),
        "selector": st.dictionaries(st.sampled_from("a"), st.sampled_from("12"), min_size=1),
        "items": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("abc")}, optional={"image": st.sampled_from("ij")}),
            min_size=1,
            unique_by=lambda item: item["name"],
        ),
    },
)


@given(st.lists(st.tuples(st.sampled_from(["one", "two", "edit"]), values), min_size=1, max_size=5))
def test_applying_twice_is_applying_once_and_everything_applied_is_there(steps: list[tuple[str, Object]]) -> None:
    live: Object | None = None
    for manager, spec in steps:
        body = thing(spec=spec, data={"by": "all"})
        if manager == "edit":
            live = update(live, thing(spec=spec), manager)
            continue
        before = copy.deepcopy(live)
        done = apply(live, body, manager, force=True)
        assert live == before
        assert apply(done, body, manager, T2, force=True) == done
        for name in ("replicas", "selector"):
            if name in spec:
                assert done["spec"][name] == spec[name]
        assert set(spec.get("finalizers", ())) <= set(done.get("spec", {}).get("finalizers", ()))
        live = done


@given(values, values)
def test_a_change_and_its_reverse_touch_the_same(old: Object, new: Object) -> None:
    there, back = compare(old, new, SPEC), compare(new, old, SPEC)
    assert union(there.changed, there.removed) == union(back.changed, back.removed)


def test_field_paths() -> None:
    assert field_paths("status", "metadata.labels") == {"f:status": {}, "f:metadata": {"f:labels": {}}}
