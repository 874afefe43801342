"""What is wrong with a text that is not JSON, in the words of upstream's (Go's) scanner.

Runs only once a body has failed to parse: clients and tests show these words to people.
"""

from __future__ import annotations

import re

MAX_DEPTH = 10_000  # as upstream's scanner
END = "unexpected end of JSON input"
_SPACE = re.compile(rb"[ \t\r\n]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX = re.compile(rb"[0-9a-fA-F]{0,4}")
_DIGITS = re.compile(rb"[0-9]*")
_LITERALS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_CONTROLS = {0x07: "\\a", 0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0B: "\\v", 0x0C: "\\f", 0x0D: "\\r"}
_OPEN, _CLOSE = {ord("{"): "}", ord("["): "]"}, {ord("}"): "{", ord("]"): "["}


class _Found(Exception):
    """The error's words."""


def explain(text: bytes) -> str | None:
    """The first error of a JSON text, or None when it has none."""
    try:
        _scan(text)
    except _Found as found:
        return str(found)
    return None


def _fail(text: bytes, at: int, context: str) -> _Found:
    if at >= len(text):
        return _Found(END)
    char = text[at]
    if char in b"'\"":
        shown = "\\'" if char == 0x27 else '"'
    elif char == 0x5C:
        shown = "\\\\"
    elif 0x20 <= char < 0x7F:
        shown = chr(char)
    else:
        shown = _CONTROLS.get(char, f"\\x{char:02x}")
    return _Found(f"invalid character '{shown}' {context}")


def _space(text: bytes, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _scan(text: bytes) -> None:
    """Read one value and its end; a stack of open brackets instead of recursion, as nesting is the sender's."""
    stack: list[str] = []
    at = _space(text, 0)
    while True:
        if at < len(text) and text[at] in _OPEN:
            opened = chr(text[at])
            stack.append(opened)
            if len(stack) > MAX_DEPTH:
                raise _Found("exceeded max depth")
            at = _space(text, at + 1)
            empty = at < len(text) and chr(text[at]) == _OPEN[ord(opened)]
            if not empty:
                at = _key(text, at) if opened == "{" else at
                continue
        else:
            at = _space(text, _scalar(text, at))
        at, ended = _after(text, at, stack)
        if ended:
            return


def _after(text: bytes, at: int, stack: list[str]) -> tuple[int, bool]:
    """Close what closes here and step over a comma: where the next value stands, or that all is read."""
    while stack:
        if at < len(text) and _CLOSE.get(text[at]) == stack[-1]:
            stack.pop()
            at = _space(text, at + 1)
        elif text[at:at + 1] == b",":
            at = _space(text, at + 1)
            return (_key(text, at), False) if stack[-1] == "{" else (at, False)
        else:
            raise _fail(text, at, "after object key:value pair" if stack[-1] == "{" else "after array element")
    if at < len(text):
        raise _fail(text, at, "after top-level value")
    return at, True


def _key(text: bytes, at: int) -> int:
    """Read `"key":` and give where its value stands."""
    if text[at:at + 1] != b'"':
        raise _fail(text, at, "looking for beginning of object key string")
    at = _space(text, _string(text, at))
    if text[at:at + 1] != b":":
        raise _fail(text, at, "after object key")
    return _space(text, at + 1)


def _string(text: bytes, at: int) -> int:
    at += 1
    while True:
        found = _PLAIN.match(text, at)
        at = found.end() if found else at
        char = text[at:at + 1]
        if char == b'"':
            return at + 1
        if char != b"\\":
            raise _fail(text, at, "in string literal")
        at += 1
        escape = text[at:at + 1]
        if escape == b"u":
            digits = _HEX.match(text, at + 1)
            at = digits.end() if digits and len(digits[0]) == 4 else at
            if not digits or len(digits[0]) < 4:
                raise _fail(text, digits.end() if digits else at + 1, "in \\u hexadecimal character escape")
        elif escape and escape in b'bfnrt\\/"':
            at += 1
        else:
            raise _fail(text, at, "in string escape code")


def _scalar(text: bytes, at: int) -> int:
    if at >= len(text):
        raise _Found(END)
    char = text[at]
    if char == 0x22:
        return _string(text, at)
    if char in b"-0123456789":
        return _number(text, at)
    literal = _LITERALS.get(char)
    if literal is None:
        raise _fail(text, at, "looking for beginning of value")
    for i, expected in enumerate(literal):
        if text[at + i:at + i + 1] != bytes([expected]):
            raise _fail(text, at + i, f"in literal {literal.decode()} (expecting '{chr(expected)}')")
    return at + len(literal)


def _number(text: bytes, at: int) -> int:
    if text[at:at + 1] == b"-":
        at += 1
    at = at + 1 if text[at:at + 1] == b"0" else _digits(text, at, "in numeric literal")
    if text[at:at + 1] == b".":
        at = _digits(text, at + 1, "after decimal point in numeric literal")
    if text[at:at + 1] in (b"e", b"E"):
        at += 2 if text[at + 1:at + 2] in (b"+", b"-") else 1
        at = _digits(text, at, "in exponent of numeric literal")
    return at


def _digits(text: bytes, at: int, context: str) -> int:
    found = _DIGITS.match(text, at)
    if not found or not found[0]:
        raise _fail(text, at, context)
    return found.end()
