"""What expressions may use, and what they become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from wherry.apimachinery.cel.checker import Checked, check
from wherry.apimachinery.cel.cost import estimate
from wherry.apimachinery.cel.evaluator import Frame, Run, build
from wherry.apimachinery.cel.functions import STANDARD, Functions, Overload, functions
from wherry.apimachinery.cel.parser import parse
from wherry.apimachinery.cel.syntax import Node
from wherry.apimachinery.cel.types import Type

COST_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables with their types, and functions: the standard ones and those of libraries."""

    variables: Mapping[str, Type]
    functions: Functions = field(default_factory=lambda: STANDARD)

    @classmethod
    def of(cls, variables: Mapping[str, Type], *libraries: Iterable[Overload]) -> Environment:
        return cls(variables, functions(*STANDARD.values(), *libraries))

    def compile(self, source: str) -> Program:
        """Raises CompileError."""
        tree = parse(source)
        return Program(source, tree, check(source, tree, self.variables, self.functions), self.variables)


@dataclass(frozen=True)
class Program:
    source: str
    tree: Node
    checked: Checked
    variables: Mapping[str, Type]

    @property
    def output(self) -> Type:
        return self.checked.types[self.tree]

    @cached_property
    def max_cost(self) -> float:
        """The most that it may cost, whatever it is given."""
        return estimate(self.tree, self.checked, self.variables)

    @cached_property
    def _run(self) -> Run:
        return build(self.tree, self.checked)

    def evaluate(self, values: Mapping[str, Any], limit: int = COST_LIMIT) -> Any:
        """Raises EvaluationError; CostExceeded beyond the limit."""
        return self._run(Frame(values, limit))
