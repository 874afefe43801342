"""A checked tree to a Python function of the variables, built once and run often.

`&&` and `||` look at both sides: an error on one does not count when the other decides.  Each turn of a loop and each call
whose cost grows with its arguments is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from wherry.apimachinery.cel.checker import TYPE_NAMES, Checked
from wherry.apimachinery.cel.errors import CostExceeded, EvaluationError
from wherry.apimachinery.cel.functions import Overload, find
from wherry.apimachinery.cel.syntax import Bind, Call, Ident, ListOf, Literal, Loop, MapOf, Node, Select, children
from wherry.apimachinery.cel.types import Type
from wherry.apimachinery.cel.values import NONE, Optional, TypeValue, type_of, valid_key

TRAVERSAL = 10  # characters, or elements, that cost one


class Frame:
    """The variables of one evaluation, and what it may still cost."""

    __slots__ = ("left", "values")

    def __init__(self, values: Mapping[str, Any], limit: int) -> None:
        self.values: dict[str, Any] = dict(values)
        self.left = limit

    def spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise CostExceeded("operation cancelled: actual cost limit exceeded")


Run = Callable[[Frame], Any]
Turn = tuple[Any, Callable[[], Any]]  # an item of a loop, and what its body gives


def build(tree: Node, checked: Checked) -> Run:
    return _Builder(checked).build(tree)


def node_count(node: Node) -> int:
    return 1 + sum(map(node_count, children(node)))


class _Builder:
    def __init__(self, checked: Checked) -> None:
        self.checked = checked

    def build(self, node: Node) -> Run:
        match node:
            case Literal(value=value):
                return lambda frame: value
            case Ident(name=name):
                return self._ident(name)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListOf(items=items):
                built = [self.build(each) for each in items]
                return lambda frame: [each(frame) for each in built]
            case MapOf():
                return self._map(node)
            case Loop():
                return self._loop(node)
            case Bind():
                return self._bind(node)
        raise TypeError(node)

    @staticmethod
    def _ident(name: str) -> Run:
        constant = TypeValue(name) if name in TYPE_NAMES else None

        def run(frame: Frame) -> Any:
            value = frame.values.get(name, constant)
            if value is None and name not in frame.values:
                raise EvaluationError(f"no such attribute(s): {name}")
            return value
        return run

    def _select(self, node: Select) -> Run:
        operand, name = self.build(node.operand), node.field

        def test(frame: Frame) -> bool:
            value = operand(frame)
            if isinstance(value, Optional):
                return find(value, name).there
            if not isinstance(value, Mapping):
                raise EvaluationError(f"invalid type for field selection: {type_of(value)}")
            return name in value

        def get(frame: Frame) -> Any:
            value = operand(frame)
            if not isinstance(value, Mapping):
                if isinstance(value, Optional):
                    return find(value, name)
                raise EvaluationError(f"no such key: {name}")
            try:
                return value[name]
            except KeyError:
                raise EvaluationError(f"no such key: {name}") from None
        return test if node.test else get

    def _map(self, node: MapOf) -> Run:
        built = [(self.build(key), self.build(value)) for key, value in node.entries]

        def run(frame: Frame) -> dict[Any, Any]:
            found: dict[Any, Any] = {}
            for key_of, value_of in built:
                key = key_of(frame)
                if not valid_key(key):
                    raise EvaluationError(f"unsupported key type: {type_of(key)}")
                if key in found:
                    raise EvaluationError(f"Failed with repeated key: {key}")
                found[key] = value_of(frame)
            return found
        return run

    def _bind(self, node: Bind) -> Run:
        value_of, body = self.build(node.value), self.build(node.body)
        return lambda frame: _within(frame, node.variable, value_of(frame), body)

    # -- calls ---------------------------------------------------------------------------------------

    def _call(self, node: Call) -> Run:
        if node.function in ("_&&_", "_||_"):
            return self._logic(node)
        if node.function == "_?_:_":
            test, then, other = (self.build(each) for each in node.args)
            return lambda frame: then(frame) if _bool(test(frame)) else other(frame)
        given = node.args if node in self.checked.names or node.target is None else (node.target, *node.args)
        args = [self.build(each) for each in given]
        choose = _Choice(self.checked.names.get(node, node.function), self.checked.calls[node])

        def run(frame: Frame) -> Any:
            values = [each(frame) for each in args]
            overload = choose(values)
            if overload.traverses:
                frame.spend(sum(len(each) for each in values if isinstance(each, (str, bytes, list, dict))) // TRAVERSAL)
            return overload.call(*values)
        return run

    def _logic(self, node: Call) -> Run:
        left, right = (self.build(each) for each in node.args)
        decides = node.function == "_||_"

        def run(frame: Frame) -> bool:
            try:
                if _bool(left(frame)) is decides:
                    return decides
            except CostExceeded:
                raise
            except EvaluationError:
                if _bool(right(frame)) is decides:
                    return decides
                raise
            return _bool(right(frame))
        return run

    # -- loops ---------------------------------------------------------------------------------------

    def _loop(self, node: Loop) -> Run:
        target, body = self.build(node.target), self.build(node.body)
        if node.kind == "optMap":
            return _opt_map(target, node.variable, body)
        where = self.build(node.where) if node.where is not None else None
        price, kind, variable = node_count(node.body) + 2, node.kind, node.variable
        fold = _FOLDS[kind]

        def run(frame: Frame) -> Any:
            items = target(frame)
            if not isinstance(items, (list, tuple, Mapping)):
                raise EvaluationError(f"got '{type_of(items)}', expected iterable type")
            return fold(_turns(frame, items, variable, where, body, price))
        return run


def _turns(frame: Frame, items: Iterable[Any], variable: str, where: Run | None, body: Run, price: int) -> Iterable[Turn]:
    """Each item that the condition lets pass; the body is asked when it is needed."""
    for item in items:
        frame.spend(price)
        if where is not None and not _bool(_within(frame, variable, item, where)):
            continue
        yield item, partial(_within, frame, variable, item, body)


def _opt_map(target: Run, variable: str, body: Run) -> Run:
    def run(frame: Frame) -> Optional:
        value = target(frame)
        if not isinstance(value, Optional):
            raise EvaluationError("no such overload")
        return Optional(True, _within(frame, variable, value.value, body)) if value.there else NONE
    return run


def _within(frame: Frame, variable: str, value: Any, body: Run) -> Any:
    """The body with one more variable, which may hide another."""
    values, missing = frame.values, object()
    before = values.get(variable, missing)
    values[variable] = value
    try:
        return body(frame)
    finally:
        if before is missing:
            del values[variable]
        else:
            values[variable] = before


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise EvaluationError("no such overload")
    return value


def _until(turns: Iterable[Turn], decides: bool) -> bool:
    """`all` and `exists`: one that decides is enough, whatever is wrong with others."""
    error: EvaluationError | None = None
    for _, body in turns:
        try:
            if _bool(body()) is decides:
                return decides
        except CostExceeded:
            raise
        except EvaluationError as found:
            error = error or found
    if error is not None:
        raise error
    return not decides


_FOLDS: dict[str, Callable[[Iterable[Turn]], Any]] = {
    "all": lambda turns: _until(turns, False),
    "exists": lambda turns: _until(turns, True),
    "exists_one": lambda turns: sum(_bool(body()) for _, body in turns) == 1,
    "filter": lambda turns: [item for item, body in turns if _bool(body())],
    "map": lambda turns: [body() for _, body in turns],
}


class _Choice:
    """Chooses the overload by the types of the values, and remembers."""

    __slots__ = ("known", "name", "overloads")

    def __init__(self, name: str, overloads: tuple[Overload, ...]) -> None:
        self.name, self.overloads, self.known = name, overloads, dict[tuple[type, ...], Overload]()

    def __call__(self, values: list[Any]) -> Overload:
        key = tuple(map(type, values))
        found = self.known.get(key)
        if found is None:
            types = [type_of(value) for value in values]
            for overload in self.overloads:
                if all(map(_accepts, overload.params, types)):
                    found = self.known[key] = overload
                    break
            else:
                raise EvaluationError("no such overload")
        return found


def _accepts(wanted: Type, given: Type) -> bool:
    return wanted.name.startswith("<") or wanted.is_dynamic or given.is_dynamic or wanted.name == given.name
