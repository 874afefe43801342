import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.patch import PatchError, apply_json_patch


def op(verb: str, path: str, *value: Any, **more: str) -> dict[str, Any]:
    return {"op": verb, "path": path, **({"value": value[0]} if value else {}), **more}


APPLIED = {
    "add-member": ({"a": 1}, [op("add", "/b", 2)], {"a": 1, "b": 2}),
    "add-replaces": ({"a": 1}, [op("add", "/a", 2)], {"a": 2}),
    "add-index": ({"a": [1, 3]}, [op("add", "/a/1", 2)], {"a": [1, 2, 3]}),
    "add-end": ({"a": [1]}, [op("add", "/a/-", 2)], {"a": [1, 2]}),
    "add-at-length": ({"a": [1]}, [op("add", "/a/1", 2)], {"a": [1, 2]}),
    "add-no-value": ({}, [op("add", "/a")], {"a": None}),
    "escapes": ({"a/b": 1, "c~d": 2}, [op("replace", "/a~1b", 3), op("remove", "/c~0d")], {"a/b": 3}),
    "tilde-one": ({"~1": 1}, [op("remove", "/~01")], {}),
    "remove-member": ({"a": 1, "b": 2}, [op("remove", "/a")], {"b": 2}),
    "remove-index": ({"a": [1, 2]}, [op("remove", "/a/0")], {"a": [2]}),
    "negative-index": ({"a": [1, 2]}, [op("remove", "/a/-1")], {"a": [1]}),
    "replace": ({"a": {"b": 1}}, [op("replace", "/a/b", [1])], {"a": {"b": [1]}}),
    "replace-null": ({"a": None}, [op("replace", "/a", 1)], {"a": 1}),
    "replace-document": ({"a": 1}, [op("replace", "", {"b": 2})], {"b": 2}),
    "move": ({"a": {"b": 1}}, [op("move", "/c", **{"from": "/a/b"})], {"a": {}, "c": 1}),
    "copy": ({"a": [1]}, [op("copy", "/b", **{"from": "/a"}), op("add", "/b/-", 2)], {"a": [1], "b": [1, 2]}),
    "test": ({"a": {"b": [1]}}, [op("test", "/a", {"b": [1]}), op("remove", "/a")], {}),
    "test-missing-null": ({}, [op("test", "/a", None)], {}),
    "empty": ({"a": 1}, [], {"a": 1}),
}


@pytest.mark.parametrize(("doc", "ops", "want"), APPLIED.values(), ids=APPLIED)
def test_applies(doc: Any, ops: list[dict[str, Any]], want: Any) -> None:
    before = copy.deepcopy((doc, ops))
    assert apply_json_patch(doc, ops) == want
    assert (doc, ops) == before


REJECTED = {
    "test-differs": ({"a": 1}, op("test", "/a", 2)),
    "test-true-is-not-one": ({"a": 1}, op("test", "/a", True)),
    "remove-missing": ({"a": 1}, op("remove", "/b")),
    "remove-missing-parent": ({"a": 1}, op("remove", "/b/c")),
    "replace-missing": ({"a": 1}, op("replace", "/b", 1)),
    "add-missing-parent": ({"a": 1}, op("add", "/b/c", 1)),
    "add-into-scalar": ({"a": 1}, op("add", "/a/b", 1)),
    "index-out-of-range": ({"a": [1]}, op("add", "/a/2", 1)),
    "index-not-a-number": ({"a": [1]}, op("replace", "/a/x", 1)),
    "replace-end": ({"a": [1]}, op("replace", "/a/-", 1)),
    "move-into-itself": ({"a": {}}, op("move", "/a/b", **{"from": "/a"})),
    "copy-missing": ({}, op("copy", "/a", **{"from": "/b"})),
    "unknown-verb": ({}, op("merge", "/a", 1)),
    "no-verb": ({}, {"path": "/a"}),
    "no-path": ({}, {"op": "add", "value": 1}),
    "relative-path": ({}, op("add", "a", 1)),
    "remove-document": ({}, op("remove", "")),
}


@pytest.mark.parametrize(("doc", "one"), REJECTED.values(), ids=REJECTED)
def test_does_not_fit(doc: Any, one: dict[str, Any]) -> None:
    with pytest.raises(PatchError) as error:
        apply_json_patch(doc, [one])
    assert error.value.rejected
    assert error.value.message == "the server rejected our request due to an error in our request"


@pytest.mark.parametrize("ops", [{}, None, "x", [1], [[]]])
def test_is_no_json_patch(ops: Any) -> None:
    with pytest.raises(PatchError) as error:
        apply_json_patch({}, ops)
    assert error.value.code == 400


def test_too_many_operations() -> None:
    with pytest.raises(PatchError) as error:
        apply_json_patch({}, [op("add", "/a", 1)] * 10_001)
    assert error.value.code == 413
    assert "maximum operations in a JSON patch is 10000, got 10001" in error.value.message


def test_copies_cannot_double_forever() -> None:
    ops = [op("copy", f"/{i + 1}", **{"from": "/0"}) for i in range(40)]
    with pytest.raises(PatchError):
        apply_json_patch({"0": "x" * 100_000}, ops)


@pytest.mark.parametrize("name", ["bad-jsonpatch", "bad-jsonpatch-path"])
def test_recorded_refusals(recorded: Callable[[str], list[dict[str, Any]]], name: str) -> None:
    case = next(each for each in recorded("errors") if each["name"] == name)
    with pytest.raises(StatusError) as error:
        apply_json_patch({"data": {"k": "v"}}, json.loads(case["request"]["body"]))
    assert error.value.to_json() == case["response"]["body"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~-01", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~-01", max_size=2), inner, max_size=3),
    max_leaves=8,
)
pointers = st.text("/ab~-01", max_size=6)
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]), "path": pointers},
    optional={"from": pointers, "value": json_values},
)


@given(st.dictionaries(st.text("ab/~-01", max_size=2), json_values, max_size=4), st.lists(operations, max_size=5))
def test_garbage_is_applied_or_refused(doc: dict[str, Any], ops: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(doc)
    with contextlib.suppress(PatchError):
        apply_json_patch(doc, ops)
    assert doc == before
