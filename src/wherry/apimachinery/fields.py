"""Field selectors: `fieldSelector=metadata.name=x,status.phase!=Running`.

Which fields a kind offers is said by the table of resources; this is the grammar and the matching.
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

_TERM = re.compile(r"(.*?)(!=|==|=)(.*)", re.DOTALL)
_PIECE = re.compile(r"(?:\\.|[^\\,])+|\\", re.DOTALL)
_ESCAPED = re.compile(r"[\\,=]")


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """`field` is `value` (operator "="), or is not ("!=")."""

    field: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{escape(self.value)}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All of `requirements`; none matches everything."""

    requirements: tuple[FieldRequirement, ...] = ()

    @property
    def everything(self) -> bool:
        return not self.requirements

    def matches(self, getter: Callable[[str], str]) -> bool:
        """`getter` gives the value of a field by its name, "" when it has none."""
        return all((getter(each.field) == each.value) is (each.operator == "=") for each in self.requirements)

    def exact(self, field: str) -> str | None:
        """The one value that `field` must have, if the selector demands one."""
        return next((each.value for each in self.requirements if each.field == field and each.operator == "="), None)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    @staticmethod
    def parse(text: str) -> FieldSelector:
        """Read the grammar of `fieldSelector=`.  Raises ValueError in upstream's words."""
        return _parse(text)


def escape(value: str) -> str:
    """A value as it stands in a field selector: backslash, comma and equals sign escaped."""
    return _ESCAPED.sub(r"\\\g<0>", value)


def _unescape(value: str) -> str:
    plain, characters = [], iter(value)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            if following not in ("\\", ",", "="):
                raise ValueError(f"invalid field selector: invalid escape sequence: \\{following}")
            plain.append(following)
        elif character in ",=":
            raise ValueError(f"invalid field selector: unescaped character in value: {ord(character)}")
        else:
            plain.append(character)
    return "".join(plain)


@lru_cache(maxsize=1024)
def _parse(text: str) -> FieldSelector:
    found = []
    for part in _PIECE.findall(text):
        term = _TERM.fullmatch(part)
        if term is None:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
        found.append(FieldRequirement(term[1], "!=" if term[2] == "!=" else "=", _unescape(term[3])))
    return FieldSelector(tuple(found))
