"""The most that an expression may cost, before it has run: a loop in a loop over long lists is refused when it is written.

In cel-go's unit and by its rules: a step costs one, a character that is looked at a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from wherry.apimachinery.cel.checker import Checked
from wherry.apimachinery.cel.syntax import Bind, Call, Ident, ListOf, Literal, Loop, MapOf, Node, Select
from wherry.apimachinery.cel.types import DYN, Type

UNKNOWN = 2**63  # of what nothing bounds
_TRAVERSAL, _PATTERN = 0.1, 0.25  # a character of a text, of a regular expression
_LIST, _MAP = 10, 30  # to make one
# What a macro costs beside its target and body: around the loop, and a turn.
_LOOPS = {"all": (1, 3), "exists": (1, 4), "exists_one": (2, 2), "map": (_LIST + 1, _LIST + 2), "filter": (_LIST + 1, _LIST + 3)}
Estimate = tuple[float, Type]  # what it costs, and its type with its greatest size


def estimate(tree: Node, checked: Checked, variables: Mapping[str, Type]) -> float:
    return _Estimator(checked).visit(tree, variables)[0]


def _size(of: Type) -> float:
    return of.size if of.size is not None else UNKNOWN


class _Estimator:
    def __init__(self, checked: Checked) -> None:
        self.checked = checked

    def visit(self, node: Node, scope: Mapping[str, Type]) -> Estimate:
        kind = self.checked.types.get(node, DYN)
        match node:
            case Literal():
                return 0, _sized(kind, len(node.value) if isinstance(node.value, (str, bytes)) else 1)
            case Ident():
                return 1, scope.get(node.name, kind)
            case Select():
                cost, of = self.visit(node.operand, scope)
                found = (of.fields or {}).get(node.field) or (of.params[1] if len(of.params) == 2 else kind)
                return cost + 1, kind if node.test else found
            case ListOf():
                parts = [self.visit(each, scope) for each in node.items]
                items = max((each for _, each in parts), key=_size, default=DYN)
                return _LIST + sum(cost for cost, _ in parts), Type("list", (items,), size=len(parts))
            case MapOf():
                parts = [self.visit(each, scope) for entry in node.entries for each in entry]
                return _MAP + sum(cost for cost, _ in parts), _sized(kind, len(node.entries))
            case Bind():
                cost, value = self.visit(node.value, scope)
                body, found = self.visit(node.body, {**scope, node.variable: value})
                return cost + body + _LIST, found
            case Loop():
                return self._loop(node, scope, kind)
            case Call():
                return self._call(node, scope, kind)
        return 1, kind

    def _loop(self, node: Loop, scope: Mapping[str, Type], kind: Type) -> Estimate:
        cost, over = self.visit(node.target, scope)
        items = over.params[0] if over.params else DYN  # the keys of a map, or what may be there
        inner = {**scope, node.variable: items}
        body, found = self.visit(node.body, inner)
        if node.where is not None:
            body += self.visit(node.where, inner)[0]
        if node.kind == "optMap":
            return cost + body + 1, kind
        before_and_after, turn = _LOOPS[node.kind]
        total = cost + _size(over) * (body + turn) + before_and_after
        if node.kind == "map":
            return total, Type("list", (found,), size=over.size)
        return total, Type("list", (items,), size=over.size) if node.kind == "filter" else kind

    def _call(self, node: Call, scope: Mapping[str, Type], kind: Type) -> Estimate:
        given = node.args if node.target is None or node in self.checked.names else (node.target, *node.args)
        parts = [self.visit(each, scope) for each in given]
        cost = sum(each for each, _ in parts)
        if node.function in ("_&&_", "_||_"):
            return cost, kind
        if node.function == "_?_:_":
            return parts[0][0] + max(parts[1][0], parts[2][0]), max(parts[1][1], parts[2][1], key=_size)
        if node.function == "_[_]":
            of = parts[0][1]
            return cost + 1, of.params[-1] if of.params else kind
        overloads = self.checked.calls.get(node, ())
        if not any(each.traverses for each in overloads):
            return cost + 1, kind
        sizes = [_size(each) for _, each in parts if each.name in ("string", "bytes", "list", "map", "dyn", "any") or each.size]
        if node.function in ("_==_", "_!=_"):
            return cost + math.ceil(min(sizes, default=10) * _TRAVERSAL), kind
        price = math.ceil(sum(sizes) * _TRAVERSAL)
        if node.function in ("matches", "find", "findAll"):
            price = math.ceil((sizes[0] + 1) * _TRAVERSAL) * max(1, math.ceil(sizes[-1] * _PATTERN))
        return cost + max(1, price), _sized(kind, sum(sizes) if node.function in ("_+_", "replace", "join") else max(sizes, default=1))


def _sized(of: Type, size: Any) -> Type:
    return Type(of.name, of.params, of.fields, int(min(size, UNKNOWN)))
