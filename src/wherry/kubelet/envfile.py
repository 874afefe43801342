"""Files with environment variables (KEP-3721): `NAME='value'`, a strict part of what a shell would take.

https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/#env-file-syntax
"""

from __future__ import annotations

import re

MAX_SIZE = 64 * 1024
_BLANK = re.compile(r"\s*(?:#[^\n]*)?(?:\n|\Z)")
_VARIABLE = re.compile(r"[ \t]*([^\s='#][^\s=']*)[ \t]*=[ \t]*'([^']*)'[ \t]*(?:#[^\n]*)?(?:\n|\Z)")


def parse_env_file(text: str) -> dict[str, str]:
    """The variables of a file.  Raises ValueError, naming the line, for whatever is not of that form."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = blank.end()
            continue
        declared = _VARIABLE.match(text, position)
        if declared is None:
            line = text.count("\n", 0, position) + 1
            raise ValueError(f"invalid environment variable format at line {line}")
        found[declared[1]] = declared[2]
        position = declared.end()
    return found
