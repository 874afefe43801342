"""Source text to tokens.  https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from wherry.apimachinery.cel.errors import CompileError
from wherry.apimachinery.cel.values import INT_MAX, UINT_MAX, Uint

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<float>(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?))
      | (?P<int>(?:0x[0-9a-fA-F]+|\d+)[uU]?)
      | (?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:\"\"\"|'''|\"|'))
      | (?P<ident>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<escaped>`[A-Za-z0-9_.\-/ ]+`)
      | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.ASCII,
)
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\?\"'`])|x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))")
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is "ident", "literal", "end", or the operator itself."""

    kind: str
    at: int
    value: Any = None


def tokens(source: str) -> list[Token]:
    """Raises CompileError."""
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise CompileError(source, [(at, f"Syntax error: token recognition error at: '{source[at]}'")])
        kind, text, start = str(match.lastgroup), match.group(), at
        at = match.end()
        if kind == "string":
            value, at = _string(source, text, start, at)
            found.append(Token("literal", start, value))
        elif kind in ("int", "float"):
            found.append(Token("literal", start, _number(source, kind, text, start)))
        elif kind == "ident":
            constants = {"true": True, "false": False, "null": None}
            found.append(Token("literal", start, constants[text]) if text in constants else Token("ident", start, text))
        elif kind == "escaped":
            found.append(Token("escaped", start, text[1:-1]))
        elif kind == "op":
            found.append(Token(text, start))
    found.append(Token("end", len(source)))
    return found


def _number(source: str, kind: str, text: str, at: int) -> Any:
    if kind == "float":
        return float(text)
    unsigned = text[-1] in "uU"
    number = int(text.rstrip("uU"), 0 if text.startswith("0x") else 10)
    # The least int has one more than the largest: the parser sees to its sign.
    if number > (UINT_MAX if unsigned else INT_MAX + 1):
        raise CompileError(source, [(at, f"invalid {'u' if unsigned else ''}int literal")])
    return Uint(number) if unsigned else number


def _string(source: str, opening: str, start: int, at: int) -> tuple[str | bytes, int]:
    prefix = opening.rstrip("\"'").lower()
    quote = opening[len(prefix):]
    raw, binary = "r" in prefix, "b" in prefix
    end = at
    while not source.startswith(quote, end):
        if end >= len(source) or (len(quote) == 1 and source[end] == "\n"):
            raise CompileError(source, [(start, f"Syntax error: token recognition error at: '{source[start:end]}'")])
        end += 2 if source[end] == "\\" and not raw else 1
    text = source[at:end]
    return (text.encode() if binary else text) if raw else _unescaped(source, text, start, binary), end + len(quote)


def _unescaped(source: str, text: str, start: int, binary: bool) -> str | bytes:
    parts: list[str | bytes] = []
    at = 0
    while (slash := text.find("\\", at)) >= 0:
        parts.append(text[at:slash])
        match = _ESCAPE.match(text, slash)
        if match is None or (binary and (match[4] or match[5])):
            raise CompileError(source, [(start, "unable to unescape string")])
        code = match[2] or match[3] or match[4] or match[5]
        number = int(code, 16) if code else int(match[6], 8) if match[6] else ord(_SIMPLE.get(match[1], match[1]))
        if number > 0x10FFFF or 0xD800 <= number < 0xE000:
            raise CompileError(source, [(start, "unable to unescape string")])
        parts.append(bytes([number]) if binary else chr(number))
        at = match.end()
    parts.append(text[at:])
    if binary:
        return b"".join(each.encode() if isinstance(each, str) else each for each in parts)
    return "".join(str(each) for each in parts)
