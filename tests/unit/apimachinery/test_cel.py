"""CEL: values, errors, what is refused when an expression is compiled, and what it may cost."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.apimachinery.cel import CompileError, Environment, EvaluationError, regex
from wherry.apimachinery.cel.errors import CostExceeded
from wherry.apimachinery.cel.kubernetes import LIBRARIES, QUANTITY, SEMVERS, parse_quantity, parse_semver
from wherry.apimachinery.cel.types import DYN, INT, STRING, list_of, map_of, object_of

VARIABLES = {
    "x": INT, "s": STRING, "d": DYN, "m": map_of(STRING, INT), "l": list_of(INT), "q": QUANTITY,
    "self": object_of("Object", {"name": STRING, "parts": list_of(STRING)}),
}
VALUES = {
    "x": 3, "s": "fish", "d": {"a": 1, "b": "two"}, "m": {"a": 1}, "l": [1, 2, 3], "q": parse_quantity("1Gi"),
    "self": {"name": "n", "parts": ["a", "b"]},
}
ENVIRONMENT = Environment.of(VARIABLES, *LIBRARIES, SEMVERS)


def run(source: str, limit: int = 1_000_000):
    return ENVIRONMENT.compile(source).evaluate(VALUES, limit)


@pytest.mark.parametrize("source", [
    "x == 3 && s == 'fish'", "x + 2 * 3 == 9", "-7 / 2 == -3 && -7 % 2 == -1", "x > 2 ? true : 1 / 0 == 0", "!false && !!true",
    "-9223372036854775808 < 0", "--1 == 1", "5u - 2u == 3u", "1.5 + 1.5 == 3.0", "1 < 1.5 && 2u > 1 && 2.0 >= 2", "dyn(1) == 1.0", "!(dyn(1) == 'a')",
    "!(dyn(true) == 1)", "[1, 2] + [3] == [1, 2, 3]", "2 in l && !(9 in l)", "'a' in m && !('b' in m)", "m.a == 1 && m['a'] == 1", "has(m.a) && !has(m.b)",
    "{'a': [1]}.a[0] == 1", "d.a == 1 && d.b == 'two'", "l.all(i, i > 0) && l.exists(i, i == 2) && l.exists_one(i, i > 2)",
    "l.map(i, i * 2) == [2, 4, 6] && l.map(i, i > 1, i) == [2, 3] && l.filter(i, i > 1).size() == 2", "m.all(key, key == 'a')",
    "l.all(x, x > 0) && x == 3", "cel.bind(y, x + 1, y * y) == 16", "size('añb') == 3 && 'añb'.size() == 3 && size(b'añb') == 4",
    "s.startsWith('fi') && s.endsWith('sh') && s.contains('is') && s.matches('^f.s?h$')", r"r'\d' == '\\d'", "'\\u00e9\\x41\\101' == 'éAA'",
    "'''a\nb''' == 'a\\nb'", "b'\\xff' == bytes(string(b'')) || true", "int('12') == 12 && string(1.5) == '1.5' && double('2') == 2.0 && uint(3) == 3u && bool('true')",
    "type(1) == int && type('') == string && type(l) == list && type(null) == null_type && type(type(1)) == type",
    "timestamp('2024-02-29T23:00:00Z') + duration('2h') == timestamp('2024-03-01T01:00:00Z')",
    "timestamp('2024-02-29T23:00:00Z').getFullYear() == 2024 && timestamp('2024-02-29T23:00:00Z').getMonth() == 1",
    "timestamp('2024-02-29T23:00:00Z').getHours('+02:00') == 1", "duration('90m').getHours() == 1 && duration('1h') > duration('59m')",
    "string(duration('1h30m')) == '5400s' && string(timestamp('2024-01-01T00:00:00+01:00')) == '2023-12-31T23:00:00Z'",
    "q == quantity('1024Mi') && q.compareTo(quantity('2Gi')) == -1 && q.isGreaterThan(quantity('1G'))", "q.add(quantity('1Gi')) == quantity('2Gi') && q.sub(1).isInteger()",
    "isQuantity('1.5Gi') && !isQuantity('1.5x') && quantity('1500m').asApproximateFloat() == 1.5 && quantity('2k').asInteger() == 2000",
    "semver('1.2.3').isLessThan(semver('1.2.10')) && semver('1.0.0-rc.1').compareTo(semver('1.0.0')) == -1 && semver('1.0.0+a') == semver('1.0.0+b')",
    "isSemver('v1.2', true) && !isSemver('v1.2') && semver('v01.2', true) == semver('1.2.0') && semver('4.5.6').minor() == 5",
    "semver('1.0.0-alpha').isLessThan(semver('1.0.0-alpha.1')) && semver('1.0.0-2').isLessThan(semver('1.0.0-11'))",
    "'a,b,c'.split(',').join('-') == 'a-b-c' && 'AbÉ'.lowerAscii() == 'abÉ' && ' x '.trim() == 'x' && 'abcd'.substring(1, 3) == 'bc'",
    "'tacocat'.indexOf('a') == 1 && 'tacocat'.lastIndexOf('a') == 5 && 'aaa'.replace('a', 'b', 2) == 'bba' && 'abc'.charAt(1) == 'b'",
    "[3, 1, 2].max() == 3 && [3, 1].min() == 1 && l.sum() == 6 && l.isSorted() && l.indexOf(2) == 1", "'a1b22'.find('[0-9]+') == '1' && 'a1b22'.findAll('[0-9]+') == ['1', '22']",
    "m.?a.orValue(0) == 1 && m.?b.orValue(7) == 7 && !m.?b.hasValue() && l[?9].orValue(5) == 5 && m[?'a'].value() == 1",
    "d.?c.?e.orValue('none') == 'none' && optional.of(1).optMap(v, v + 1).value() == 2 && optional.none().or(optional.of(3)).value() == 3",
    "self.name == 'n' && self.parts.exists(p, p == 'b') && self.?name.orValue('') == 'n'", "x == 3 // a remark\n",
    # An error on one side does not count when the other decides.
    "m.b == 1 || true", "true || m.b == 1", "!(m.b == 1 && false)", "[1, 0].exists(i, 1 / i == 1)", "![0, 1].all(i, 1 / i == 2)",
])
def test_is_true(source: str):
    assert run(source) is True


@pytest.mark.parametrize(("source", "error"), [
    ("m.b == 1", "no such key: b"), ("m['b'] == 1", "no such key: b"), ("l[3] == 1", "index out of bounds: 3"), ("1 / 0 == 1", "division by zero"),
    ("1 % 0 == 1", "modulus by zero"), ("9223372036854775807 + x > 0", "integer overflow"), ("0u - 1u == 0u", "unsigned integer overflow"),
    ("d.a + 'x' == ''", "no such overload"), ("d.a", None), ("d.b > 1", "no such overload"), ("d.a.exists(y, y)", "got 'int', expected iterable type"),
    ("{'a': 1, 'a': 2}.size() == 1", "repeated key"), ("quantity('x') == q", "quantities must match"), ("semver('1') == semver('1.0.0')", "invalid semantic version"),
    ("int('x') == 1", "invalid syntax"), ("duration('x') == duration('1s')", 'time: invalid duration "x"'), ("m.b == 1 || false", "no such key: b"),
    ("m.?b.value() == 1", "optional.none() dereference"), ("s.matches('(')", "missing closing )"), ("'abc'.substring(2, 1) == ''", "invalid substring range"),
    ("[].max() == 1", "max called on empty list"), ("int(1e30) == 1", "integer overflow"),
])
def test_errors_when_run(source: str, error: str | None):
    if error is None:
        assert run(source) == 1
        return
    with pytest.raises(EvaluationError, match=re.escape(error)):
        run(source)


@pytest.mark.parametrize(("source", "fault"), [
    ("nope", "ERROR: <input>:1:1: undeclared reference to 'nope' (in container '')\n | nope\n | ^"),
    ("s == 1", "ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(string, int)'\n | s == 1\n | ..^"),
    ("1 +\n x.y", "ERROR: <input>:2:3: type 'int' does not support field selection\n |  x.y\n | ..^"), ("self.other", "undefined field 'other'"),
    ("s.foo()", "undeclared reference to 'foo'"), ("s.startsWith(1)", "found no matching overload for 'startsWith' applied to 'string.(int)'"),
    ("!s", "found no matching overload for '!_' applied to '(string)'"), ("x ? 1 : 2", "'_?_:_' applied to '(int, int, int)'"), ("true && s", "'_&&_'"),
    ("x.all(i, true)", "cannot be range of a comprehension"), ("l.all(i, i)", "expected type 'bool' but found 'int'"), ("l.all(1, true)", "argument must be a simple name"),
    ("has(x)", "invalid argument to has() macro"), ("?!", "Syntax error: mismatched input '?'"), ("1 +", "Syntax error: mismatched input '<EOF>'"), ("(1", "expecting ')'"),
    ("'abc", "Syntax error: token recognition error"), ("x # y", "Syntax error: token recognition error at: '#'"), ("9223372036854775808", "invalid int literal"),
    ("if", "reserved identifier: if"), ("", "Syntax error: mismatched input '<EOF>'"), ("'\\q'", "unable to unescape string"), ("(" * 300 + "1" + ")" * 300, "recursion limit"),
    ("[1] + ['a']", "'_+_' applied to '(list(int), list(string))'"),
])
def test_is_refused(source: str, fault: str):
    with pytest.raises(CompileError) as caught:
        ENVIRONMENT.compile(source)
    assert fault in str(caught.value)


def test_long_and_deep_expressions():
    assert run(" && ".join(["x == 3"] * 1000)) is True
    with pytest.raises(CompileError, match="recursion limit"):
        run(" + ".join(["1"] * 5000) + " == 5000")


def test_all_faults_are_told():
    with pytest.raises(CompileError) as caught:
        ENVIRONMENT.compile("a == 1 && b == 2")
    assert [at for at, _ in caught.value.faults] == [0, 10]


@pytest.mark.parametrize(("source", "type_"), [
    ("1", "int"), ("1u", "uint"), ("l", "list(int)"), ("m", "map(string, int)"), ("[1, 'a']", "list(dyn)"), ("l.map(i, string(i))", "list(string)"), ("d.a", "dyn"),
    ("x > 1 ? l : [2]", "list(int)"), ("m.?a", "optional_type(int)"), ("q.add(q)", "kubernetes.Quantity"), ("timestamp('x') - timestamp('y')", "google.protobuf.Duration"),
])
def test_output_type(source: str, type_: str):
    assert str(ENVIRONMENT.compile(source).output) == type_


def test_the_cost_of_a_run_is_bounded():
    numbers = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    program = ENVIRONMENT.compile(f"{numbers}.all(a, {numbers}.all(b, {numbers}.all(c, {numbers}.all(d, a + b + c + d > 0))))")
    assert program.evaluate(VALUES) is True
    with pytest.raises(CostExceeded, match="actual cost limit exceeded"):
        program.evaluate(VALUES, 1000)
    with pytest.raises(CostExceeded):  # and not absorbed
        ENVIRONMENT.compile(f"{program.source} || true").evaluate(VALUES, 1000)
    assert program.max_cost >= 10**4


# --- regular expressions -----------------------------------------------------------------------

PIECES = st.sampled_from(["a", "b", "ab", ".", "[ab]", "[^a]", "(a|b)", "(?:ab)", "a*", "b+", "a?", "(ab)*", "a{2}", "b{1,2}", "(a|ab)+", "^", "$", "\\w", "\\d", "\\b", "(?i:A)", "[[:alpha:]]"])


@given(st.lists(PIECES, max_size=5).map("".join), st.text("abA1 \n", max_size=8))
@settings(max_examples=400, deadline=None)
def test_regex_finds_what_python_finds(pattern: str, text: str):
    mine = pattern
    theirs = pattern.replace("[[:alpha:]]", "[a-zA-Z]").replace("$", r"\Z").replace("\\w", "[A-Za-z0-9_]")
    assert regex.matches(text, mine) == (re.search(theirs, text, re.ASCII) is not None)


@pytest.mark.parametrize(("text", "pattern", "found"), [
    ("xaab", "a+", "aa"), ("abcd", "b|bc", "bc"), ("ab12", r"\d{2,}", "12"), ("A-b", "[[:upper:]]", "A"), ("a.b", r"\Qa.b\E", "a.b"), ("a\nb", "(?m)^b$", "b"),
    ("a\nb", "(?s)a.b", "a\nb"), ("é", r"\x{e9}", "é"), ("AbC", "(?i)abc", "AbC"), ("aaaa", "a{0}b?", ""), ("foo]", "[]]", "]"), ("a-b", "[a-]+", "a-"), ("x{y", "x{y", "x{y"),
])
def test_regex_find(text: str, pattern: str, found: str):
    assert regex.find(text, pattern) == found


@pytest.mark.parametrize("pattern", ["(", "a)", "[a", "*a", "a**", r"\1", "(?=a)", "a{2001}", "[b-a]", "\\", "((a{100}){100}){100}", "(?P<>a)", "[[:nope:]]"])
def test_regex_refuses(pattern: str):
    with pytest.raises(EvaluationError, match="error parsing regexp"):
        regex.Pattern(pattern)


def test_regex_takes_no_exponential_time():
    began = time.process_time()
    assert not regex.matches("a" * 64 + "b", "^(a+)+$")
    assert not regex.matches("a" * 64, "^(a|a)*b$")
    assert time.process_time() - began < 30  # a backtracking engine would take longer than the world lasts


def test_semver_order():
    order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1"]
    parsed = [parse_semver(each) for each in order]
    assert sorted(parsed) == parsed
