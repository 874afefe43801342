"""CEL, the Common Expression Language: parsed, type-checked, its cost bounded, then run.

https://cel.dev and https://kubernetes.io/docs/reference/using-api/cel/
An `Environment` says which variables and functions an expression may use; `compile` refuses what does not fit it, in
cel-go's words, and gives a `Program` that is run with `evaluate`.  An expression is untrusted: it cannot loop but over
what it was given, its steps are counted, and its regular expressions are matched in linear time.

The packages that exist were weighed: cel-python evaluates only (nothing is refused at admission) and brings re2, lark and
pendulum along; the others wrap a binary whose types and costs cannot be taught Kubernetes' own.
"""

from wherry.apimachinery.cel.environment import Environment, Program
from wherry.apimachinery.cel.errors import CompileError, EvaluationError

__all__ = ["CompileError", "Environment", "EvaluationError", "Program"]
