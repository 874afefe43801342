"""What printers share: the columns that every kind has, and the words for labels, selectors, containers, lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wherry.api.resource import Age, Column, Object
from wherry.apimachinery import labels

NONE, UNSET = "<none>", "<unset>"
SHOWN = 3  # so many of a list, then "+ N more..."

NAME = Column("Name", format="name", description="The name, unique among its kind in a namespace.")
AGE = Column("Age", description="How long ago the object was created.")
CREATED_AT = Column("Created At", type="date", description="When the object was created.")


def column(name: str, description: str, type: str = "string") -> Column:
    """A column that is always shown."""
    return Column(name, type=type, description=description)


def wide(name: str, description: str) -> Column:
    """A column that `-o wide` shows."""
    return Column(name, priority=1, description=description)


CONTAINERS = wide("Containers", "Names of the template's containers.")
IMAGES = wide("Images", "Images of the template's containers.")
SELECTOR = wide("Selector", "Which Pods belong to it.")


def name(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("name", ""))


def age(obj: Object) -> Age:
    return Age(created(obj))


def created(obj: Object) -> str:
    return (obj.get("metadata") or {}).get("creationTimestamp") or ""


def part(obj: Object, *path: str) -> dict[str, Any]:
    """The object at a path, empty where there is none."""
    found: Any = obj
    for step in path:
        found = found.get(step) or {}
    return found if isinstance(found, dict) else {}


def labels_text(pairs: Mapping[str, str] | None) -> str:
    """`a=b,c=d`, sorted."""
    return ",".join(f"{key}={value}" for key, value in sorted((pairs or {}).items())) or NONE


def selector_text(selector: Mapping[str, Any] | None, empty: str = NONE, wrong: str = "<error>") -> str:
    """A LabelSelector as `-l` would take it."""
    try:
        return str(labels.from_label_selector(selector)) or empty
    except ValueError:
        return wrong


def containers(template: Object) -> tuple[str, str]:
    """Names and images of a Pod template's containers."""
    found = part(template, "spec").get("containers") or []
    return ",".join(each.get("name", "") for each in found), ",".join(each.get("image", "") for each in found)


def true_text(value: bool | None) -> str:
    return UNSET if value is None else str(bool(value))


def some(items: Sequence[str], empty: str = UNSET) -> str:
    """The first few of a list, and how many more there are."""
    if len(items) > SHOWN:
        return f"{','.join(items[:SHOWN])} + {len(items) - SHOWN} more..."
    return ",".join(items) or empty


def condition(obj: Object, type: str) -> dict[str, Any] | None:
    """A status condition."""
    found: Iterable[dict[str, Any]] = part(obj, "status").get("conditions") or ()
    return next((each for each in found if each.get("type") == type), None)


def has_condition(obj: Object, type: str) -> bool:
    found = condition(obj, type)
    return found is not None and found.get("status") == "True"


def deleting(obj: Object) -> bool:
    return bool((obj.get("metadata") or {}).get("deletionTimestamp"))
