import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.apimachinery import quantity
from wherry.apimachinery.quantity import BINARY_SI, DECIMAL_EXPONENT, DECIMAL_SI, FORMAT_WRONG, SUFFIX_WRONG, Quantity

CANONICAL = {
    "0": "0",
    "0.5": "500m",
    "1024Mi": "1Gi",
    "1500m": "1500m",
    "1e3": "1e3",
    "100000": "100k",
    "1000m": "1",
    "1.5Gi": "1536Mi",
    "0.5Ki": "512",
    "12e-3": "12e-3",
    "1E": "1E",
    "2Ei": "2Ei",
    "-1.5": "-1500m",
    "+3": "3",
    ".5": "500m",
    "1.": "1",
    "0.0000000001": "1n",
    "0.1Ki": "102400m",
    "00100": "100",
    "1e4": "10e3",
    "1048576": "1048576",
    "1048576Ki": "1Gi",
    "100Ki": "100Ki",
    "1Ki": "1Ki",
    "-1Ki": "-1Ki",
    "1e1": "10",
    "10E2": "1e3",
    "1000Mi": "1000Mi",
    "9Ei": "9223372036854775807",
    "0Mi": "0",
    "1.0000000001": "1000000001n",
}


@pytest.mark.parametrize(("text", "want"), CANONICAL.items(), ids=CANONICAL)
def test_canonical(text: str, want: str) -> None:
    assert quantity.canonical(text) == want


@pytest.mark.parametrize(("number", "want"), [(5, "5"), (0.1, "100m"), (1.5, "1500m"), (1000, "1k"), (0, "0")])
def test_canonical_of_json_numbers(number: float, want: str) -> None:
    assert quantity.canonical(number) == want


@pytest.mark.parametrize("text", ["", "1x", "x", ".", "+", "1.1.M", "1 Gi", "e3", "0x10", "١", "--1"])
def test_malformed(text: str) -> None:
    with pytest.raises(ValueError) as error:
        quantity.canonical(text)
    assert str(error.value) == FORMAT_WRONG


@pytest.mark.parametrize("text", ["1km", "1mi", "1i", "-3.01e-", "1e999999999", "1Kii"])
def test_unknown_suffix(text: str) -> None:
    with pytest.raises(ValueError, match=SUFFIX_WRONG):
        quantity.canonical(text)


def test_booleans_are_no_quantities() -> None:
    with pytest.raises(ValueError):
        quantity.canonical(True)


@pytest.mark.parametrize(
    ("text", "value", "milli"),
    [
        ("100m", 1, 100),
        ("1", 1, 1000),
        ("1500m", 2, 1500),
        ("1Gi", 1 << 30, 1000 << 30),
        ("1n", 1, 1),
        ("-1500m", -2, -1500),
        ("1u", 1, 1),
    ],
)
def test_value_and_milli_round_up(text: str, value: int, milli: int) -> None:
    assert (quantity.value(text), quantity.milli(text)) == (value, milli)


@pytest.mark.parametrize(("left", "right", "want"), [("1", "1000m", 0), ("1Gi", "1G", 1), ("999m", "1", -1), ("0", "0Ki", 0)])
def test_compare(left: str, right: str, want: int) -> None:
    assert quantity.compare(left, right) == want


@pytest.mark.parametrize(
    ("left", "right", "want"), [("1", "500m", "1500m"), ("0", "1Gi", "1Gi"), ("1Gi", "1Gi", "2Gi"), ("100m", "900m", "1")]
)
def test_add(left: str, right: str, want: str) -> None:
    assert quantity.add(left, right) == want


def test_made_from_numbers() -> None:
    assert str(quantity.from_milli(1500)) == "1500m"
    assert str(quantity.from_bytes(1 << 20)) == "1Mi"
    assert str(quantity.from_value(3)) == "3"
    assert str(-quantity.parse("1Gi") + quantity.parse("2Gi")) == "1Gi"
    assert not quantity.ZERO


@given(st.integers(-(10**30), 10**30), st.sampled_from([DECIMAL_SI, BINARY_SI, DECIMAL_EXPONENT]))
def test_showing_loses_nothing(nanos: int, format: str) -> None:
    shown = str(Quantity(nanos, format))
    limit = (2**63 - 1) * 10**9
    if format == BINARY_SI and abs(nanos) > limit:
        return
    assert quantity.parse(shown).nanos == nanos
    if format != BINARY_SI:  # a binary number without suffix reads as a decimal one
        assert quantity.canonical(shown) == shown


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        canonical = quantity.canonical(text)
    except ValueError:
        return
    assert quantity.canonical(canonical) == canonical
