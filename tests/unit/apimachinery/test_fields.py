import pytest

from wherry.apimachinery.fields import FieldSelector, escape

PARSED = {
    "": "",
    "a=b": "a=b",
    "a==b": "a=b",
    "a!=b": "a!=b",
    "metadata.name=x,status.phase!=Running": "metadata.name=x,status.phase!=Running",
    "a=": "a=",
    "a=b,": "a=b",
    r"a=b\,c\=d\\e": r"a=b\,c\=d\\e",
}


@pytest.mark.parametrize(("text", "want"), PARSED.items(), ids=list(PARSED))
def test_parse(text: str, want: str) -> None:
    assert str(FieldSelector.parse(text)) == want


REFUSED = {
    "a": "invalid selector: 'a'; can't understand 'a'",
    "a=b,c": "invalid selector: 'a=b,c'; can't understand 'c'",
    "a=b=c": "invalid field selector: unescaped character in value: 61",
    r"a=\x": r"invalid field selector: invalid escape sequence: \x",
}


@pytest.mark.parametrize(("text", "words"), REFUSED.items(), ids=list(REFUSED))
def test_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError) as error:
        FieldSelector.parse(text)
    assert str(error.value) == words


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", True),
        ("a=1", True),
        ("a=2", False),
        ("a!=1", False),
        ("b=", True),
        ("b!=", False),
        ("a=1,b=x", False),
        ("a==1,b!=x", True),
    ],
)
def test_matches(text: str, want: bool) -> None:
    assert FieldSelector.parse(text).matches(lambda field: {"a": "1"}.get(field, "")) is want


def test_requirements_tell_the_fields() -> None:
    selector = FieldSelector.parse("a=1,b!=2")
    assert [(each.field, each.operator, each.value) for each in selector.requirements] == [("a", "=", "1"), ("b", "!=", "2")]
    assert selector.exact("a") == "1"
    assert selector.exact("b") is None


def test_escape_and_parse_are_inverse() -> None:
    value = r"a,b=c\d"
    assert FieldSelector.parse(f"x={escape(value)}").requirements[0].value == value
