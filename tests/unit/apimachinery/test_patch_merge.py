import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.apimachinery.patch import PatchError, apply_merge_patch

MERGED = {
    "replace": ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    "add": ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    "delete": ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    "delete-missing": ({}, {"a": None}, {}),
    "list-replaces": ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    "nested": ({"a": {"b": "c", "d": "e"}}, {"a": {"b": "x", "d": None}}, {"a": {"b": "x"}}),
    "object-over-scalar": ({"a": 1}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
    "scalar-over-object": ({"a": {"b": 1}}, {"a": 1}, {"a": 1}),
    "null-in-list-stays": ({}, {"a": [None]}, {"a": [None]}),
    "nulls-of-new-objects-fall-away": ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
}


@pytest.mark.parametrize(("doc", "patch", "want"), MERGED.values(), ids=MERGED)
def test_merges(doc: dict[str, Any], patch: Any, want: Any) -> None:
    before = copy.deepcopy((doc, patch))
    assert apply_merge_patch(doc, patch) == want
    assert (doc, patch) == before


@pytest.mark.parametrize("patch", [None, [], "x", 1])
def test_a_patch_is_an_object(patch: Any) -> None:
    with pytest.raises(PatchError) as error:
        apply_merge_patch({}, patch)
    assert error.value.code == 400


plain = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
patches = st.recursive(plain | st.none(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8)
docs = st.dictionaries(st.sampled_from("abc"), plain, max_size=3)
objects = st.dictionaries(st.sampled_from("abc"), patches, max_size=3)


@given(docs, objects)
def test_merging_twice_is_merging_once(doc: dict[str, Any], patch: dict[str, Any]) -> None:
    once = apply_merge_patch(doc, patch)
    assert apply_merge_patch(once, patch) == once


@given(docs)
def test_an_empty_patch_changes_nothing_and_a_document_is_a_patch(doc: dict[str, Any]) -> None:
    assert apply_merge_patch(doc, {}) == doc
    assert apply_merge_patch(doc, doc) == doc
    assert apply_merge_patch({}, doc) == doc


@given(docs, objects)
def test_nothing_of_the_patch_is_shared_and_the_document_stays(doc: dict[str, Any], patch: dict[str, Any]) -> None:
    before = copy.deepcopy(doc)

    def containers(value: Any) -> set[int]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        below = set().union(*map(containers, inner))
        return below | {id(value)} if isinstance(value, (dict, list)) else below

    merged = apply_merge_patch(doc, patch)
    assert not containers(merged) & (containers(patch) - containers(doc))
    assert doc == before
