"""Tokens to a tree, macros expanded.  One method a level of precedence."""

from __future__ import annotations

from collections.abc import Callable

from wherry.apimachinery.cel.errors import CompileError
from wherry.apimachinery.cel.lexer import Token, tokens
from wherry.apimachinery.cel.syntax import MACROS, Bind, Call, Ident, ListOf, Literal, Loop, MapOf, Node, Select, children
from wherry.apimachinery.cel.values import INT_MAX, Uint

MAX_NESTING = 50  # of brackets; cel-go has 250, which is more than Python's stack bears
MAX_DEPTH = 100  # of the tree: chains of + and . count
RESERVED = frozenset((
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return",
    "var", "void", "while",
))
_RELATIONS = {"<": "_<_", "<=": "_<=_", ">": "_>_", ">=": "_>=_", "==": "_==_", "!=": "_!=_", "in": "@in"}
_SUMS = {"+": "_+_", "-": "_-_"}
_PRODUCTS = {"*": "_*_", "/": "_/_", "%": "_%_"}


def parse(source: str) -> Node:
    """Raises CompileError with the first fault."""
    tree = _Parser(source).whole()
    level, depth = [tree], 0
    while level:
        level, depth = [each for node in level for each in children(node)], depth + 1
        if depth > MAX_DEPTH:
            raise CompileError(source, [(tree.at, f"expression recursion limit exceeded: {MAX_DEPTH}")])
    return tree


class _Parser:
    def __init__(self, source: str) -> None:
        self.source, self.tokens, self.next, self.depth = source, tokens(source), 0, 0

    # -- reading -------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def take(self) -> Token:
        token = self.token
        self.next += 1
        return token

    def sees(self, kind: str) -> bool:
        """Take the token if it is of this kind."""
        if self.token.kind != kind:
            return False
        self.next += 1
        return True

    def fault(self, at: int, words: str) -> CompileError:
        return CompileError(self.source, [(at, words)])

    def unexpected(self, expected: str = "an expression") -> CompileError:
        token = self.token
        if token.kind == "end":
            shown = "<EOF>"
        else:
            after = self.tokens[self.next + 1].at
            shown = self.source[token.at:after].strip()
        return self.fault(token.at, f"Syntax error: mismatched input '{shown}' expecting {expected}")

    def expect(self, kind: str) -> None:
        if not self.sees(kind):
            raise self.unexpected(f"'{kind}'")

    # -- precedence ----------------------------------------------------------------------------------

    def whole(self) -> Node:
        node = self.expression()
        if self.token.kind != "end":
            raise self.unexpected("<EOF>")
        return node

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.fault(self.token.at, f"expression recursion limit exceeded: {MAX_NESTING}")
        node = self.either()
        at = self.token.at
        if self.sees("?"):
            then = self.either()
            self.expect(":")
            node = Call(at, "_?_:_", (node, then, self.expression()))
        self.depth -= 1
        return node

    def either(self) -> Node:
        return self.chain("||", "_||_", self.both)

    def both(self) -> Node:
        return self.chain("&&", "_&&_", self.relation)

    def chain(self, sign: str, name: str, term: Callable[[], Node]) -> Node:
        """Conditions in a row as a tree that is as flat as can be: there may be hundreds."""
        terms, signs = [term()], list[int]()
        at = self.token.at
        while self.sees(sign):
            signs.append(at)
            terms.append(term())
            at = self.token.at

        def balanced(low: int, high: int) -> Node:
            if low == high:
                return terms[low]
            middle = (low + high) // 2
            return Call(signs[middle], name, (balanced(low, middle), balanced(middle + 1, high)))
        return balanced(0, len(terms) - 1)

    def relation(self) -> Node:
        node = self.sum()
        while True:
            token = self.token
            name = _RELATIONS.get(token.value if token.kind == "ident" else token.kind)
            if name is None:
                return node
            self.next += 1
            node = Call(token.at, name, (node, self.sum()))

    def sum(self) -> Node:
        node = self.product()
        while (name := _SUMS.get(self.token.kind)) is not None:
            at = self.take().at
            node = Call(at, name, (node, self.product()))
        return node

    def product(self) -> Node:
        node = self.unary()
        while (name := _PRODUCTS.get(self.token.kind)) is not None:
            at = self.take().at
            node = Call(at, name, (node, self.unary()))
        return node

    def unary(self) -> Node:
        at = self.token.at
        for sign, name in (("!", "!_"), ("-", "-_")):
            count = 0
            while self.sees(sign):
                count += 1
            if not count:
                continue
            if sign == "-" and (number := self.negative(at, count)) is not None:
                return self.members(number)
            node = self.members(self.primary())
            return Call(at, name, (node,)) if count % 2 else node
        return self.members(self.primary())

    def negative(self, at: int, count: int) -> Node | None:
        """A sign belongs to the number, so that the least int can be written."""
        token = self.token
        value = token.value
        if token.kind != "literal" or isinstance(value, (bool, Uint)) or not isinstance(value, (int, float)):
            return None
        self.next += 1
        if count % 2 == 0 and isinstance(value, int) and value > INT_MAX:
            raise self.fault(token.at, "invalid int literal")
        return Literal(at, -value if count % 2 else value)

    # -- members -------------------------------------------------------------------------------------

    def members(self, node: Node) -> Node:
        while True:
            at = self.token.at
            if self.sees("."):
                node = self.optional_field(node, at) if self.sees("?") else self.member(node, at)
            elif self.sees("["):
                function = "_[?_]" if self.sees("?") else "_[_]"
                index = self.expression()
                self.expect("]")
                node = Call(at, function, (node, index))
            else:
                return node

    def optional_field(self, node: Node, at: int) -> Node:
        """`node.?name`: there or not."""
        token = self.take()
        if token.kind not in ("ident", "escaped"):
            self.next -= 1
            raise self.unexpected("IDENTIFIER")
        return Call(at, "_?._", (node, Literal(token.at, str(token.value))))

    def member(self, node: Node, at: int) -> Node:
        token = self.take()
        if token.kind not in ("ident", "escaped"):
            self.next -= 1
            raise self.unexpected("IDENTIFIER")
        if token.kind == "ident" and self.sees("("):
            return self.macro(node, str(token.value), self.arguments(")"), at)
        return Select(at, node, str(token.value))

    def macro(self, target: Node, name: str, args: tuple[Node, ...], at: int) -> Node:
        if isinstance(target, Ident) and target.name == "cel" and name == "bind" and len(args) == 3:
            return Bind(at, self.variable(args[0], "cel.bind() variable names must be simple identifiers"), args[1], args[2])
        if name == "optMap" and len(args) == 2:
            return Loop(at, name, target, self.variable(args[0], "optMap() variable name must be a simple identifier"), args[1])
        if name in MACROS and len(args) in ((2, 3) if name == "map" else (2,)):
            variable = self.variable(args[0], "argument must be a simple name")
            kind = "exists_one" if name == "existsOne" else name
            return Loop(at, kind, target, variable, args[-1], args[1] if len(args) == 3 else None)
        return Call(at, name, args, target)

    def variable(self, node: Node, words: str) -> str:
        if not isinstance(node, Ident):
            raise self.fault(node.at, words)
        return node.name

    def arguments(self, end: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self.sees(end):
            found.append(self.expression())
            if not self.sees(","):
                self.expect(end)
                break
        return tuple(found)

    def primary(self) -> Node:
        token = self.token
        if token.kind == "literal":
            self.next += 1
            if isinstance(token.value, int) and not isinstance(token.value, Uint) and token.value > INT_MAX:
                raise self.fault(token.at, "invalid int literal")
            return Literal(token.at, token.value)
        if token.kind == "ident":
            return self.name()
        if self.sees("("):
            node = self.expression()
            self.expect(")")
            return node
        if self.sees("["):
            return ListOf(token.at, self.arguments("]"))
        if self.sees("{"):
            return MapOf(token.at, self.entries())
        if self.sees("."):
            return self.name()
        raise self.unexpected()

    def name(self) -> Node:
        token = self.token
        if token.kind != "ident" or token.value == "in":
            raise self.unexpected()
        name = str(token.value)
        if name in RESERVED:
            raise self.fault(token.at, f"reserved identifier: {name}")
        self.next += 1
        if not self.sees("("):
            return Ident(token.at, name)
        at, args = self.tokens[self.next - 1].at, self.arguments(")")
        if name == "has" and len(args) == 1:
            if not isinstance(args[0], Select):
                raise self.fault(at, "invalid argument to has() macro")
            return Select(at, args[0].operand, args[0].field, test=True)
        return Call(at, name, args)

    def entries(self) -> tuple[tuple[Node, Node], ...]:
        found: list[tuple[Node, Node]] = []
        while not self.sees("}"):
            key = self.expression()
            self.expect(":")
            found.append((key, self.expression()))
            if not self.sees(","):
                self.expect("}")
                break
        return tuple(found)
