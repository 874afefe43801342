"""What `kubectl explain` says of types and fields: read from `lightkube-models`, whose docstrings have it.

The package is read, not imported: it holds one class a definition, and its docstring lists the fields.
Without the package there is no prose, and everything else works.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = "lightkube-models"
WIDTH = 78  # the docstrings' lines are wrapped here
_FIELD = "* **"


@dataclass(slots=True)
class Prose:
    """What is said of one definition."""

    text: str = ""
    fields: dict[str, str] = field(default_factory=dict)


NOTHING = Prose()


def version() -> str:
    """The package's version; "" when it is not installed."""
    try:
        return distribution(PACKAGE).version
    except PackageNotFoundError:
        return ""


class Library:
    """The prose of definitions, a module read when first needed.  Made for one build and dropped after it."""

    def __init__(self) -> None:
        try:
            self._folder: Path | None = Path(str(distribution(PACKAGE).locate_file("lightkube/models")))
        except PackageNotFoundError:
            self._folder = None
        self._modules: dict[str, Mapping[str, Prose]] = {}

    def of(self, definition: str) -> Prose:
        """`io.k8s.api.core.v1.Pod` stands in core_v1.py as class Pod."""
        parts = definition.rsplit(".", 3)
        if self._folder is None or len(parts) < 4:
            return NOTHING
        module = f"{parts[1]}_{parts[2]}"
        if module not in self._modules:
            path = self._folder / f"{module}.py"
            self._modules[module] = dict(_classes(path.read_text())) if path.is_file() else {}
        return self._modules[module].get(parts[3], NOTHING)


def _classes(source: str) -> Iterator[tuple[str, Prose]]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            yield node.name, _parse(ast.get_docstring(node) or "")


def _parse(docstring: str) -> Prose:
    """A summary, then `**parameters**`, then `* **name** ``type`` - text` for each field."""
    head, _, tail = docstring.partition("**parameters**")
    prose = Prose(_flow(head.strip("\n").split("\n")))
    name, lines = "", list[str]()
    for line in tail.split("\n"):
        if line.startswith(_FIELD):
            if name:
                prose.fields[name] = _flow(lines)
            name, _, rest = line.removeprefix(_FIELD).partition("**")
            lines = [rest.partition(" - ")[2]]
        elif name:
            lines.append(line.removeprefix("  "))
    if name:
        prose.fields[name] = _flow(lines)
    return prose


def _flow(lines: list[str]) -> str:
    """Undo the wrapping: a line whose first word had room on the line before began a paragraph there."""
    text = ""
    last = ""
    for line in lines:
        line = line.rstrip()
        words = line.split(None, 1)
        if not words:
            continue
        if not text:
            text = line.strip()
        elif line[0] in "\t -*" or last[:1] in ("\t", "-", "*"):
            text += "\n" + line
        elif len(last) + 1 + len(words[0]) <= WIDTH:
            text += "\n\n" + line
        else:
            text += " " + line
        last = line
    return text
