"""Edits of YAML: the rest of the text stays as it was, and what comes out says what it shall say."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wherry.apimachinery.values import same
from wherry.apimachinery.yamlbody import load
from wherry.apimachinery.yamledit import CannotEdit, edited, written

CASES = [
    pytest.param("a: 1 # one\nb: 2\n", {"a": 3, "b": 2}, "a: 3 # one\nb: 2\n", id="scalar"),
    pytest.param("a: 'x'\n", {"a": "z"}, "a: z\n", id="quoted scalar"),
    pytest.param("# top\nold: 1\n# end\n", {"new": 1}, "# top\nnew: 1\n# end\n", id="another name"),
    pytest.param("s:\n  a: 1\n  b:\n    - x\n", {"s": {"a": 1, "c": {"d": 2}, "b": ["x"]}},
                 "s:\n  a: 1\n  c:\n    d: 2\n  b:\n    - x\n", id="added behind the scalars"),
    pytest.param("s:\n  # why\n  b:\n    - x\n", {"s": {"c": 1, "b": ["x"]}}, "s:\n  # why\n  c: 1\n  b:\n    - x\n", id="added before a block"),
    pytest.param("- a: 1\n  b: 2\n", [{"b": 2}], "- b: 2\n", id="first of an item goes"),
    pytest.param("- a: 1\n  b: 2\n  c: 3\n", [{"a": 1, "c": 3}], "- a: 1\n  c: 3\n", id="another goes"),
    pytest.param("- a: 1 # one\n  b: 2\n", [{"c": {"d": 4}}], "- c:\n    d: 4 # one\n", id="two become one"),
    pytest.param("a: {b: 1, c: 2} # flow\n", {"a": {"b": 1}}, "a: {b: 1} # flow\n", id="flow stays flow"),
    pytest.param("a: {}\n# end", {"a": {"b": [1]}}, "a: {b: [1]}\n# end", id="empty"),
    pytest.param("a: |\n  x\n  y\n\nb: 1\n", {"a": "x\ny\n", "b": 2}, "a: |\n  x\n  y\n\nb: 2\n", id="literals stay"),
    pytest.param("a: 1\n\n\nb:\n  c: 1\n  # last\n", {"a": 1, "b": 7}, "a: 1\n\n\nb: 7\n  # last\n", id="block becomes scalar"),
    pytest.param("x: &x\n  k: 1\nb:\n  <<: *x\n  l: 2\n", {"x": {"k": 1}, "b": {"k": 5, "l": 2}},
                 "x: &x\n  k: 1\nb:\n  k: 5\n  l: 2\n", id="merged keys are written out"),
    pytest.param("a: 1", {"a": 1, "b": 2}, "a: 1\nb: 2", id="no newline at the end"),
    pytest.param("s:\n  a: 1 # one\n  b: 2 # two\n  # three\n  c: 3\n", {"s": {"d": {"e": 4}, "c": 3}},
                 "s:\n  d:\n    e: 4 # one\n  # two\n  # three\n  c: 3\n", id="a comment of what goes stays"),
    pytest.param("old:\n  k: 'a # b' # one\n  # two\n  l: x#y\n", {"new": {"z": {"k": 0}}},
                 "# one\n# two\nnew:\n  z:\n    k: 0\n", id="comments inside what is replaced stay above it"),
    pytest.param("- a: 1 # one\n  b: 2\n", [{"b": 2}], "- # one\n  b: 2\n", id="a comment of the first of an item stays"),
]


@pytest.mark.parametrize(("text", "new", "wanted"), CASES)
def test_only_what_must_change_changes(text: str, new: object, wanted: str) -> None:
    assert edited(text, load(text.encode())[0], new) == wanted


def test_a_comment_inside_a_flow_is_not_lost_silently() -> None:
    with pytest.raises(CannotEdit, match="a comment stands inside what must change"):
        edited("a: {b: 1, # one\n  c: 2}\n", {"a": {"b": 1, "c": 2}}, {"a": {"b": 1}})


def test_what_would_come_out_wrong_is_not_given() -> None:
    with pytest.raises(CannotEdit):
        edited("a: &x {k: 1}\nb: *x\n", {"a": {"k": 1}, "b": {"k": 1}}, {"a": {"k": 1}, "b": {"k": 5}})


values = st.recursive(
    st.integers(-9, 9) | st.text("ab:#-'\" yes1\n", max_size=4) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc1-", min_size=1, max_size=3), inner, max_size=4),
    max_leaves=12,
)


mappings = st.dictionaries(st.sampled_from("abcd"), values)


@given(mappings, mappings, st.booleans())
def test_any_change_comes_out(old: dict[str, object], new: dict[str, object], flow: bool) -> None:
    old, new = {"kind": "K", **old}, {"kind": "K", **new}
    text = "# head\n" + yaml.safe_dump(old, sort_keys=False, default_flow_style=flow, width=1 << 20) + "# end\n"
    said = load(text.encode())[0]
    done = edited(text, said, new)
    assert same(load(done.encode())[0], new)
    assert done.startswith("# head\n{kind: K" if flow else "# head\nkind: K\n")
    assert done.endswith("# end\n")
    assert same(load(written(new).encode())[0], new)
