"""The type of every part of an expression; what cannot be is a fault, in cel-go's words.  What is dynamic is seen when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wherry.apimachinery.cel.errors import CompileError
from wherry.apimachinery.cel.functions import Functions, Overload
from wherry.apimachinery.cel.syntax import Bind, Call, Ident, ListOf, Literal, Loop, MapOf, Node, Select
from wherry.apimachinery.cel.types import BOOL, DYN, TYPE, Type, fits, joined, list_of, map_of, optional_of, resolved
from wherry.apimachinery.cel.values import type_of

TYPE_NAMES = frozenset(["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"])


@dataclass(slots=True)
class Checked:
    """What the checker found: the type of each node, and the overloads that may be meant by each call."""

    types: dict[Node, Type] = field(default_factory=dict)
    calls: dict[Call, tuple[Overload, ...]] = field(default_factory=dict)
    names: dict[Node, str] = field(default_factory=dict)  # a chain of selects that is one qualified name


def check(source: str, tree: Node, variables: Mapping[str, Type], functions: Functions) -> Checked:
    """Raises CompileError with all faults."""
    checker = _Checker(variables, functions)
    checker.visit(tree, {})
    if checker.faults:
        raise CompileError(source, checker.faults)
    return checker.found


class _Checker:
    def __init__(self, variables: Mapping[str, Type], functions: Functions) -> None:
        self.variables, self.functions = variables, functions
        self.found, self.faults = Checked(), list[tuple[int, str]]()

    def visit(self, node: Node, scope: Mapping[str, Type]) -> Type:
        found = self.found.types[node] = self._type(node, scope)
        return found

    def fault(self, node: Node, words: str) -> Type:
        self.faults.append((node.at, words))
        return DYN

    def _type(self, node: Node, scope: Mapping[str, Type]) -> Type:
        match node:
            case Literal():
                return type_of(node.value)
            case Ident():
                return self._ident(node, scope)
            case Select():
                return self._select(node, scope)
            case Call():
                return self._call(node, scope)
            case ListOf():
                return list_of(self._joined([self.visit(each, scope) for each in node.items]))
            case MapOf():
                keys = [self.visit(key, scope) for key, _ in node.entries]
                return map_of(self._joined(keys), self._joined([self.visit(value, scope) for _, value in node.entries]))
            case Loop():
                return self._loop(node, scope)
            case Bind():
                return self.visit(node.body, {**scope, node.variable: self.visit(node.value, scope)})
        raise TypeError(node)

    @staticmethod
    def _joined(types: list[Type]) -> Type:
        if not types:
            return DYN
        result = types[0]
        for each in types[1:]:
            result = joined(result, each)
        return result

    def _ident(self, node: Ident, scope: Mapping[str, Type]) -> Type:
        found = scope.get(node.name) or self.variables.get(node.name)
        if found is not None:
            return found
        if node.name in TYPE_NAMES:
            return TYPE
        return self.fault(node, f"undeclared reference to '{node.name}' (in container '')")

    def _select(self, node: Select, scope: Mapping[str, Type]) -> Type:
        of = self.visit(node.operand, scope)
        if of.name == "optional_type":  # what may not be there gives what may not be there
            inner = of.params[0] if of.params else DYN
            values = inner.params[1] if inner.name == "map" and inner.params else DYN
            return BOOL if node.test else optional_of(values)
        if of.fields is not None:
            found = of.fields.get(node.field)
            if found is None:
                return self.fault(node, f"undefined field '{node.field}'")
        elif of.name == "map":
            found = of.params[1] if of.params else DYN
        elif of.is_dynamic:
            found = DYN
        else:
            return self.fault(node, f"type '{of}' does not support field selection")
        return BOOL if node.test else found

    def _call(self, node: Call, scope: Mapping[str, Type]) -> Type:
        faults = len(self.faults)
        if node.target is not None and (name := self._namespaced(node)) is not None:
            self.found.names[node] = name
            return self._resolve(node, name, None, [self.visit(each, scope) for each in node.args], faults)
        target = self.visit(node.target, scope) if node.target is not None else None
        args = [self.visit(each, scope) for each in node.args]
        if node.function in ("_&&_", "_||_"):
            if not all(fits(BOOL, each, {}) for each in args):
                self._no_overload(node, node.function, None, args)
            return BOOL
        if node.function == "_?._" and args[0].fields is not None and isinstance(node.args[1], Literal):
            found = args[0].fields.get(node.args[1].value)
            self.found.calls[node] = self.functions["_?._"]
            return optional_of(found) if found is not None else self.fault(node, f"undefined field '{node.args[1].value}'")
        if node.function == "_?_:_":
            if not fits(BOOL, args[0], {}):
                return self._no_overload(node, node.function, None, args)
            return args[1] if fits(args[1], args[2], {}) else self._no_overload(node, node.function, None, args)
        return self._resolve(node, node.function, target, args, faults)

    def _namespaced(self, node: Call) -> str | None:
        """`math.greatest(…)`: a function whose name has dots."""
        parts = [node.function]
        each = node.target
        while isinstance(each, Select) and not each.test:
            parts.append(each.field)
            each = each.operand
        if not isinstance(each, Ident):
            return None
        name = ".".join([each.name, *reversed(parts)])
        return name if name in self.functions and each.name not in self.variables else None

    def _resolve(self, node: Call, name: str, target: Type | None, args: list[Type], faults: int) -> Type:
        known = self.functions.get(name, ())
        if not known:
            return self.fault(node, f"undeclared reference to '{name}' (in container '')")
        given = [target, *args] if target is not None else args
        possible: list[Overload] = []
        results: list[Type] = []
        for overload in known:
            bound: dict[str, Type] = {}
            if possible and overload.params and overload.params[0].is_dynamic and not given[0].is_dynamic:
                continue  # for what is not known before it runs
            same = overload.member == (target is not None) and len(overload.params) == len(given)
            if same and all(fits(w, g, bound) for w, g in zip(overload.params, given, strict=True)):
                possible.append(overload)
                results.append(resolved(overload.result, bound))
        if not possible:
            return self._no_overload(node, name, target, args) if len(self.faults) == faults else DYN
        self.found.calls[node] = tuple(possible)
        return results[0] if all(each == results[0] for each in results) else DYN

    def _no_overload(self, node: Call, name: str, target: Type | None, args: list[Type]) -> Type:
        given = f"({', '.join(map(str, args))})"
        shown = f"{target}.{given}" if target is not None else given
        return self.fault(node, f"found no matching overload for '{name}' applied to '{shown}'")

    def _loop(self, node: Loop, scope: Mapping[str, Type]) -> Type:
        over = self.visit(node.target, scope)
        if node.kind == "optMap":
            inside = over.params[0] if over.params else DYN
            return optional_of(self.visit(node.body, {**scope, node.variable: inside}))
        if over.name not in ("list", "map") and not over.is_dynamic:
            words = f"expression of type '{over}' cannot be range of a comprehension (must be list, map, or dynamic)"
            return self.fault(node.target, words)
        items = over.params[0] if over.params else DYN
        inner = {**scope, node.variable: items}
        for condition in (node.where, node.body if node.kind != "map" else None):
            if condition is not None and not fits(BOOL, found := self.visit(condition, inner), {}):
                self.fault(condition, f"expected type 'bool' but found '{found}'")
        if node.kind == "map":
            return list_of(self.visit(node.body, inner))
        return list_of(items) if node.kind == "filter" else BOOL
