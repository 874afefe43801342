"""The tree of an expression.  Every node knows where it stands in the source, and has an identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MACROS = ("all", "exists", "exists_one", "existsOne", "filter", "map")


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    at: int  # offset in the source


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Ident(Node):
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Select(Node):
    """`operand.field`; with `test`, whether it is there: `has(operand.field)`."""

    operand: Node
    field: str
    test: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """A function, or a method when it has a `target`.  Operators are functions by cel-go's names: `_+_`."""

    function: str
    args: tuple[Node, ...]
    target: Node | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ListOf(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MapOf(Node):
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Loop(Node):
    """A macro over the elements of a list or the keys of a map: `target.kind(variable, [where,] body)`."""

    kind: str
    target: Node
    variable: str
    body: Node
    where: Node | None = None  # of a map with a condition


@dataclass(frozen=True, slots=True, eq=False)
class Bind(Node):
    """`cel.bind(variable, value, body)`."""

    variable: str
    value: Node
    body: Node


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Select():
            return (node.operand,)
        case Call():
            return (*((node.target,) if node.target is not None else ()), *node.args)
        case ListOf():
            return node.items
        case MapOf():
            return tuple(each for entry in node.entries for each in entry)
        case Loop():
            return (node.target, *((node.where,) if node.where is not None else ()), node.body)
        case Bind():
            return (node.value, node.body)
    return ()
