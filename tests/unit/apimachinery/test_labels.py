from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.apimachinery import labels
from wherry.apimachinery.labels import EVERYTHING, NOTHING, Selector

PARSED = {
    "": "",
    "a": "a",
    "!a": "!a",
    "a=b": "a=b",
    "a==b": "a==b",
    "a!=b": "a!=b",
    "a=": "a=",
    "a in (x, y)": "a in (x,y)",
    "a notin (y,x)": "a notin (x,y)",
    "b=1,a=2": "a=2,b=1",
    "a>5,b<3": "a>5,b<3",
    "in=notin": "in=notin",
    "a in ()": "a in ()",
    "a in (,x)": "a in (,x)",
    " a = b , c ": "a=b,c",
    "example.com/a=b": "example.com/a=b",
    "a=,b": "a=,b",
    "notin in (in)": "notin in (in)",
}


@pytest.mark.parametrize(("text", "want"), PARSED.items(), ids=list(PARSED))
def test_parse(text: str, want: str) -> None:
    assert str(Selector.parse(text)) == want


REFUSED = {
    "a===b": "unable to parse requirement: found '=', expected: identifier",
    "a b": "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
    "a=b c": "found 'c', expected: ',' or 'end of string'",
    "a,": "found '', expected: identifier after ','",
    "a in b": "unable to parse requirement: found 'b' expected: '('",
    "a in (b": "unable to parse requirement: found '', expected: ',' or ')'",
    "=x": "found '=', expected: !, identifier, or 'end of string'",
    "!": "unable to parse requirement: found '', expected: identifier",
    "a>x": "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    "a,,b": "found ',', expected: identifier after ','",
    "a in (=)": "unable to parse requirement: found '=', expected: ',', ')' or identifier",
}


@pytest.mark.parametrize(("text", "words"), REFUSED.items(), ids=list(REFUSED))
def test_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError) as error:
        Selector.parse(text)
    assert str(error.value) == words


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a&b", 'unable to parse requirement: <nil>: Invalid value: "a&b": name part must consist'),
        ("a=-", 'unable to parse requirement: values[0][a]: Invalid value: "-": a valid label must be'),
        ("a=" + "x" * 64, f'unable to parse requirement: values[0][a]: Invalid value: "{"x" * 64}": must be no more'),
    ],
)
def test_bad_keys_and_values(text: str, start: str) -> None:
    with pytest.raises(ValueError) as error:
        Selector.parse(text)
    assert str(error.value).startswith(start)


MATCHES = [
    ("", {}, True),
    ("a", {"a": ""}, True),
    ("a", {}, False),
    ("!a", {}, True),
    ("!a", {"a": "1"}, False),
    ("a=b", {"a": "b"}, True),
    ("a=b", {"a": "c"}, False),
    ("a=b", {}, False),
    ("a=", {"a": ""}, True),
    ("a=", {}, False),
    ("a!=b", {}, True),
    ("a!=b", {"a": "b"}, False),
    ("a!=b", {"a": "c"}, True),
    ("a in (x,y)", {"a": "y"}, True),
    ("a in (x,y)", {"a": "z"}, False),
    ("a in (x)", {"a": "x"}, True),
    ("a notin (x)", {}, True),
    ("a notin (x)", {"a": "x"}, False),
    ("a>5", {"a": "6"}, True),
    ("a>5", {"a": "5"}, False),
    ("a<5", {"a": "4"}, True),
    ("a>5", {"a": "x"}, False),
    ("a>5", {}, False),
    ("a=b,c=d", {"a": "b", "c": "d"}, True),
    ("a=b,c=d", {"a": "b"}, False),
    ("a=b,c!=d", {"a": "b", "c": "d"}, False),
    ("a=b,a=c", {"a": "b"}, False),
]


@pytest.mark.parametrize(("text", "have", "want"), MATCHES)
def test_matches(text: str, have: dict[str, str], want: bool) -> None:
    assert Selector.parse(text).matches(have) is want


def test_exact_is_what_an_index_can_answer() -> None:
    assert Selector.parse("a=b,c in (d),e in (f,g),!h,i!=j").exact == (("a", "b"), ("c", "d"))


def test_everything_and_nothing() -> None:
    assert EVERYTHING.everything
    assert EVERYTHING.matches(None)
    assert not NOTHING.everything
    assert not NOTHING.matches({})
    assert labels.from_set({}).everything


@dataclass
class _Expression:
    key: str
    operator: str
    values: list[str] = field(default_factory=list)


@dataclass
class _LabelSelector:
    match_labels: dict[str, str]
    match_expressions: list[_Expression]


FROM = [
    ("none", None, ""),
    ("empty", {}, ""),
    ("labels", {"matchLabels": {"b": "1", "a": "2"}}, "a=2,b=1"),
    (
        "expressions",
        {"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}, {"key": "b", "operator": "DoesNotExist"}]},
        "a in (x,y),!b",
    ),
    ("struct", _LabelSelector({"a": "b"}, [_Expression("c", "Exists"), _Expression("d", "NotIn", ["e"])]), "a=b,c,d notin (e)"),
]


@pytest.mark.parametrize(("selector", "want"), [c[1:] for c in FROM], ids=[c[0] for c in FROM])
def test_from_label_selector(selector: Any, want: str) -> None:
    made = labels.from_label_selector(selector)
    assert str(made) == want
    assert made.nothing is (selector is None)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ({"key": "a", "operator": "Equals"}, '"Equals" is not a valid label selector operator'),
        ({"key": "a", "operator": "In"}, "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"),
        (
            {"key": "a", "operator": "Exists", "values": ["b"]},
            'values: Invalid value: ["b"]: values set must be empty for exists and does not exist',
        ),
    ],
)
def test_bad_expressions(expression: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as error:
        labels.from_label_selector({"matchExpressions": [expression]})
    assert str(error.value) == words


KEYS = [
    ("a", []),
    ("a.b-c_d", []),
    ("example.com/a", []),
    ("/a", ["prefix part must be non-empty"]),
    ("x" * 63, []),
    ("x" * 64, ["name part must be no more than 63 bytes"]),
]


@pytest.mark.parametrize(("key", "faults"), KEYS)
def test_keys(key: str, faults: list[str]) -> None:
    assert labels.validate_label_key(key) == faults


@pytest.mark.parametrize(
    ("key", "start"),
    [
        ("", "name part must be non-empty"),
        ("A_/b", "prefix part a lowercase RFC 1123"),
        ("a/b/c", "a qualified name must consist"),
    ],
)
def test_bad_keys(key: str, start: str) -> None:
    assert labels.validate_label_key(key)[0].startswith(start)


@given(st.text(alphabet="ab=!,() <>in\t", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        selector = Selector.parse(text)
    except ValueError:
        return
    assert Selector.parse(str(selector)) == selector
