"""`$(VAR)` in commands, arguments, environment values and subPathExpr.

https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")


def expand(text: str, lookup: Callable[[str], str | None]) -> str:
    """Replace `$(NAME)`; `$$` is a dollar sign, and a reference to an unknown name stays as it is."""

    def replace(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        value = lookup(match[1])
        return match[0] if value is None else value

    return _REFERENCE.sub(replace, text)


def expand_all(texts: list[str], *scopes: Mapping[str, str]) -> list[str]:
    """Expand each of `texts` with the first of `scopes` that knows a name."""

    def lookup(name: str) -> str | None:
        return next((scope[name] for scope in scopes if name in scope), None)

    return [expand(text, lookup) for text in texts]
