"""Regular expressions in RE2's language, matched in time linear in the text: patterns come from users.

A pattern becomes an automaton (Thompson's), and the text is walked once with the set of states that it may be in.
https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from wherry.apimachinery.cel.errors import EvaluationError

MAX_REPEAT, MAX_STATES = 1000, 20_000
Accepts = Callable[[str], bool]
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_CLASSES: dict[str, Accepts] = {
    "d": lambda c: "0" <= c <= "9", "w": lambda c: c in _WORD, "s": lambda c: c in "\t\n\f\r ",
}
_POSIX: dict[str, Accepts] = {
    "alnum": lambda c: c.isascii() and c.isalnum(), "alpha": lambda c: c.isascii() and c.isalpha(), "digit": _CLASSES["d"],
    "lower": lambda c: "a" <= c <= "z", "upper": lambda c: "A" <= c <= "Z", "space": lambda c: c in "\t\n\v\f\r ",
    "punct": lambda c: c.isascii() and c.isprintable() and not c.isalnum() and c != " ", "word": _CLASSES["w"],
    "xdigit": lambda c: c in "0123456789abcdefABCDEF", "blank": lambda c: c in "\t ", "ascii": str.isascii,
    "cntrl": lambda c: c < " " or c == "\x7f", "graph": lambda c: "!" <= c <= "~", "print": lambda c: " " <= c <= "~",
}
_ESCAPES = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(slots=True)
class _State:
    """Goes on to `out` over a character that it accepts; without one, at once, if `guard` holds there."""

    accepts: Accepts | None = None
    guard: Callable[[str, int], bool] | None = None
    out: list[int] = field(default_factory=list)


Fragment = tuple[int, int]  # first and last state; the last has no way out yet


class _Builder:
    def __init__(self, pattern: str) -> None:
        self.pattern, self.at, self.states = pattern, 0, [_State()]
        self.fold = self.dot_all = self.multi = self.lazy = False

    def fault(self, why: str) -> EvaluationError:
        return EvaluationError(f"error parsing regexp: {why}: `{self.pattern}`")

    def state(self, accepts: Accepts | None = None, guard: Callable[[str, int], bool] | None = None) -> int:
        if len(self.states) >= MAX_STATES:
            raise self.fault("expression too large")
        self.states.append(_State(accepts, guard))
        return len(self.states) - 1

    def link(self, start: int, end: int) -> None:
        self.states[start].out.append(end)

    # -- reading -------------------------------------------------------------------------------------

    def peek(self) -> str:
        return self.pattern[self.at:self.at + 1]

    def sees(self, text: str) -> bool:
        if not self.pattern.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def take(self) -> str:
        if self.at >= len(self.pattern):
            raise self.fault("trailing backslash at end of expression")
        self.at += 1
        return self.pattern[self.at - 1]

    def whole(self) -> tuple[list[_State], int, int]:
        start, end = self.either(0)
        if self.at < len(self.pattern):
            raise self.fault("unexpected )")
        return self.states, start, end

    def either(self, depth: int) -> Fragment:
        if depth > MAX_REPEAT // 4:
            raise self.fault("expression nests too deeply")
        flags = self.fold, self.dot_all, self.multi
        start, end = self.state(), self.state()
        while True:
            first, last = self.sequence(depth)
            self.link(start, first)
            self.link(last, end)
            if not self.sees("|"):
                self.fold, self.dot_all, self.multi = flags
                return start, end

    def sequence(self, depth: int) -> Fragment:
        first = last = self.state()
        while self.peek() not in ("", "|", ")"):
            begun = self.at
            piece = self.atom(depth)
            ended = self.at
            piece = self.repeated(piece, begun, depth)
            if self.at > ended and self.repeats():
                raise self.fault(f"invalid nested repetition operator: `{self.pattern[ended:self.at + 1]}`")
            self.link(last, piece[0])
            last = piece[1]
        return first, last

    # -- repetition ----------------------------------------------------------------------------------

    def repeats(self) -> bool:
        return self.peek() in ("*", "+", "?") and self.peek() != ""

    def repeated(self, piece: Fragment, begun: int, depth: int) -> Fragment:
        operator = self.peek()
        if operator in ("*", "+", "?") and operator:
            self.at += 1
            low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[operator]
        elif operator == "{" and (bounds := self.bounds()) is not None:
            low, high = bounds
        else:
            return piece
        self.sees("?")  # lazy or greedy: whether there is a match is the same
        after = self.at
        start = last = self.state()
        for number in range(max(low, high if high is not None else low, 1)):
            if number:
                self.at = begun
                piece = self.atom(depth)
            if number >= low:
                end = self.state()
                self.link(last, piece[0])
                self.link(last, end)
                self.link(piece[1], end)
                last = end
            else:
                self.link(last, piece[0])
                last = piece[1]
        if high == 0:
            last = self.state()
            self.states[start].out = [last]
        if high is None:
            self.link(piece[1], piece[0])
        self.at = after
        return start, last

    def bounds(self) -> tuple[int, int | None] | None:
        """`{2}`, `{2,}`, `{2,3}`; anything else is text."""
        end = self.pattern.find("}", self.at)
        low, comma, high = self.pattern[self.at + 1:end].partition(",") if end > 0 else ("", "", "")
        if not (low.isascii() and low.isdigit()) or (high and not (high.isascii() and high.isdigit())):
            return None
        least, most = int(low), (int(high) if high else None) if comma else int(low)
        if max(least, most or 0) > MAX_REPEAT or (most is not None and least > most):
            raise self.fault(f"invalid repeat count: `{self.pattern[self.at:end + 1]}`")
        self.at = end + 1
        return least, most

    # -- atoms ---------------------------------------------------------------------------------------

    def atom(self, depth: int) -> Fragment:
        char = self.take()
        if char == "(":
            return self.group(depth)
        if char == "[":
            return self.one(self.char_class())
        if char == ".":
            return self.one((lambda c: True) if self.dot_all else (lambda c: c != "\n"))
        if char == "^":
            return self.guarded((lambda t, i: i == 0 or t[i - 1] == "\n") if self.multi else (lambda t, i: i == 0))
        if char == "$":
            return self.guarded((lambda t, i: i == len(t) or t[i] == "\n") if self.multi else (lambda t, i: i == len(t)))
        if char in ("*", "+", "?"):
            raise self.fault(f"missing argument to repetition operator: `{char}`")
        if char == "\\":
            return self.escaped()
        return self.one(self.literal(char))

    def one(self, accepts: Accepts) -> Fragment:
        first, last = self.state(accepts), self.state()
        self.link(first, last)
        return first, last

    def guarded(self, guard: Callable[[str, int], bool]) -> Fragment:
        first, last = self.state(guard=guard), self.state()
        self.link(first, last)
        return first, last

    def literal(self, char: str) -> Accepts:
        if self.fold:
            folded = char.casefold()
            return lambda c: c.casefold() == folded
        return lambda c: c == char

    def group(self, depth: int) -> Fragment:
        outer = self.fold, self.dot_all, self.multi
        if self.sees("?"):
            if self.sees("P<") or (self.pattern[self.at:self.at + 1] == "<" and self.pattern[self.at + 1:self.at + 2] not in "=!"):
                self.sees("<")
                end = self.pattern.find(">", self.at)
                name = self.pattern[self.at:end]
                if end < 0 or not name or not set(name) <= _WORD:
                    raise self.fault("invalid named capture")
                self.at = end + 1
            elif self.flags():  # "(?i)": until the end of the group around it
                state = self.state()
                return state, state
        piece = self.either(depth + 1)
        if not self.sees(")"):
            raise self.fault("missing closing )")
        self.fold, self.dot_all, self.multi = outer
        return piece

    def flags(self) -> bool:
        """Those after "(?"; True when the parenthesis ends with them."""
        value = True
        while True:
            char = self.peek()
            self.at += 1
            if char == "-":
                value = False
            elif char == "i":
                self.fold = value
            elif char == "s":
                self.dot_all = value
            elif char == "m":
                self.multi = value
            elif char == "U":
                self.lazy = value
            elif char in (":", ")") and char:
                return char == ")"
            else:
                raise self.fault("invalid or unsupported Perl syntax")

    def escaped(self) -> Fragment:
        char = self.take()
        if char == "A":
            return self.guarded(lambda t, i: i == 0)
        if char == "z":
            return self.guarded(lambda t, i: i == len(t))
        if char in "bB":
            return self.guarded(_boundary if char == "b" else lambda t, i: not _boundary(t, i))
        if char == "Q":
            return self.quoted()
        accepts = self.named_class(char)
        return self.one(accepts if accepts is not None else self.literal(self.escape(char)))

    def quoted(self) -> Fragment:
        end = self.pattern.find("\\E", self.at)
        text = self.pattern[self.at:end if end >= 0 else None]
        self.at = end + 2 if end >= 0 else len(self.pattern)
        first = last = self.state()
        for char in text:
            piece = self.one(self.literal(char))
            self.link(last, piece[0])
            last = piece[1]
        return first, last

    def named_class(self, char: str) -> Accepts | None:
        if char.lower() not in _CLASSES:
            return None
        accepts = _CLASSES[char.lower()]
        return accepts if char.islower() else lambda c: not accepts(c)

    def escape(self, char: str) -> str:
        if char in _ESCAPES:
            return _ESCAPES[char]
        if char == "x":
            braces = self.sees("{")
            end = self.pattern.find("}", self.at) if braces else self.at + 2
            try:
                found = chr(int(self.pattern[self.at:end], 16))
            except (ValueError, OverflowError):
                raise self.fault("invalid escape sequence") from None
            self.at = end + braces
            return found
        if char.isalnum() or not char.isascii():
            raise self.fault(f"invalid escape sequence: `\\{char}`")
        return char

    def char_class(self) -> Accepts:
        negated = self.sees("^")
        parts: list[Accepts] = []
        first = True
        while first or self.peek() != "]":
            if self.at >= len(self.pattern):
                raise self.fault("missing closing ]")
            parts.append(self.class_part())
            first = False
        self.at += 1
        if self.fold:
            bare = parts
            parts = [lambda c: any(p(c) or p(c.lower()) or p(c.upper()) for p in bare)]
        return (lambda c: not any(p(c) for p in parts)) if negated else (lambda c: any(p(c) for p in parts))

    def class_part(self) -> Accepts:
        if self.sees("[:"):
            end = self.pattern.find(":]", self.at)
            name = self.pattern[self.at:end] if end >= 0 else ""
            accepts = _POSIX.get(name.removeprefix("^"))
            if accepts is None:
                raise self.fault("invalid character class range")
            self.at = end + 2
            return (lambda c: not accepts(c)) if name.startswith("^") else accepts
        low = self.take()
        if low == "\\":
            char = self.take()
            if (named := self.named_class(char)) is not None:
                return named
            low = self.escape(char)
        if self.peek() == "-" and self.pattern[self.at + 1:self.at + 2] not in ("]", ""):
            self.at += 1
            high = self.take()
            high = self.escape(self.take()) if high == "\\" else high
            if high < low:
                raise self.fault(f"invalid character class range: `{low}-{high}`")
            return lambda c: low <= c <= high
        return lambda c: c == low


def _boundary(text: str, at: int) -> bool:
    return (at > 0 and text[at - 1] in _WORD) != (at < len(text) and text[at] in _WORD)


class Pattern:
    """A compiled expression.  Raises EvaluationError when it is none."""

    def __init__(self, pattern: str) -> None:
        self._states, self._start, self._end = _Builder(pattern).whole()

    def found_in(self, text: str) -> bool:
        return self.span(text) is not None

    def span(self, text: str, start: int = 0) -> tuple[int, int] | None:
        """Where it first matches, as far left as can be and then as long."""
        current: dict[int, int] = {}  # state -> where the match began that is in it
        best: tuple[int, int] | None = None
        for at in range(start, len(text) + 1):
            if best is None:
                current.setdefault(self._start, at)
            current = self._followed(current, text, at)
            if self._end in current and (best is None or current[self._end] <= best[0]):
                best = (current[self._end], at)
            if at == len(text) or (not current and best is not None):
                break
            after: dict[int, int] = {}
            for state, begun in current.items():
                accepts = self._states[state].accepts
                if accepts is not None and (best is None or begun <= best[0]) and accepts(text[at]):
                    for out in self._states[state].out:
                        after[out] = min(begun, after.get(out, begun))
            current = after
        return best

    def _followed(self, states: dict[int, int], text: str, at: int) -> dict[int, int]:
        """These, and all that can be reached from them without a character."""
        found: dict[int, int] = {}
        for start, begun in sorted(states.items(), key=lambda item: item[1]):
            stack = [start]
            while stack:
                number = stack.pop()
                if number in found:
                    continue
                found[number] = begun
                state = self._states[number]
                if state.accepts is None and (state.guard is None or state.guard(text, at)):
                    stack.extend(state.out)
        return found


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Pattern:
    return Pattern(pattern)


def matches(text: str, pattern: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return compiled(pattern).found_in(text)


def find(text: str, pattern: str) -> str:
    """The first match, "" when there is none."""
    span = compiled(pattern).span(text)
    return text[span[0]:span[1]] if span is not None else ""


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """Matches one after the other, at most `limit` of them."""
    found: list[str] = []
    at, machine = 0, compiled(pattern)
    while at <= len(text) and (limit < 0 or len(found) < limit):
        span = machine.span(text, at)
        if span is None:
            break
        found.append(text[span[0]:span[1]])
        at = max(span[1], span[0] + 1)
    return found
