"""What a row of the table of resources says: `Resource`, its `Version`s, its `Strategy` and its `Printer`.

A resource is one storage with one or several served versions; objects are kept in the hub's form
(`versions[0]`, unless `hub` names another) and converted at the edge by pure functions.
A new kind is a row in `api/table/` and a schema, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.apimachinery.errors import Cause

Object = dict[str, Any]


def _nothing(obj: Object) -> None:
    return None


def _no_update(obj: Object, old: Object) -> None:
    return None


def _valid(obj: Object) -> list[Cause]:
    return []


def _valid_update(obj: Object, old: Object) -> list[Cause]:
    return []


def _no_warnings(obj: Object) -> list[str]:
    return []


@dataclass(frozen=True, slots=True)
class SelectableField:
    """What a field selector compares with, and the dotted paths of what that is made of."""

    get: Callable[[Object], str]
    reads: tuple[str, ...]

    def __call__(self, obj: Object) -> str:
        return self.get(obj)


@dataclass(frozen=True, slots=True)
class View:
    """The rules of a subresource through which a part of the object is written: a Pod's `resize`, a CSR's `approval`.

    `keep` puts back what a write through it cannot change; `validate_update` takes the place of the strategy's own.
    """

    keep: Callable[[Object, Object], None]
    validate_update: Callable[[Object, Object], list[Cause]]


@dataclass(frozen=True, slots=True)
class Strategy:
    """What a kind adds to create and update, named as upstream's `RESTCreateStrategy` and `RESTUpdateStrategy`.

    All are pure but for changing `obj` in place, and see the hub's form.  `default` runs first, on every
    write; `validate` and `validate_update` return every field error; ObjectMeta is checked by the server.
    """

    default: Callable[[Object], None] = _nothing
    prepare_for_create: Callable[[Object], None] = _nothing  # drop status, set generation
    prepare_for_update: Callable[[Object, Object], None] = _no_update  # keep status; generation is the server's
    validate: Callable[[Object], list[Cause]] = _valid
    validate_create: Callable[[Object], list[Cause]] = _valid  # after validate: what only a new object may not have
    validate_update: Callable[[Object, Object], list[Cause]] = _valid_update
    validate_status: Callable[[Object, Object], list[Cause]] = _valid_update
    warnings: Callable[[Object], list[str]] = _no_warnings
    warnings_on_create: Callable[[Object], list[str]] = _no_warnings  # before the others
    allow_create_on_update: bool = False
    allow_unconditional_update: bool = True
    has_generation: bool = True  # metadata.generation counts changes outside metadata and status
    annotations_count: bool = False  # so it does changes of annotations (Deployments)
    graceful: bool = False  # Pods: deletion waits for the kubelet
    views: Mapping[str, View] = field(default_factory=dict)  # by subresource; the status has validate_status


@dataclass(frozen=True, slots=True)
class Column:
    """A Table column (meta/v1 TableColumnDefinition)."""

    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Age:
    """A cell that depends on the clock: filled in when sent.  `text` has {} where the age stands: "3 ({} ago)"."""

    since: str  # RFC 3339; "" shows <unknown>
    text: str = "{}"


Cell = str | int | bool | float | None | Age


@dataclass(frozen=True, slots=True)
class Printer:
    """Columns and the pure function that makes an object's cells (one a column, in order).

    A resource's printer is given the hub's form whatever version was asked for, so that a row is made once
    an object version; a version's own printer is given that version's form.
    """

    columns: tuple[Column, ...]
    cells: Callable[[Object], Sequence[Cell]]
    conditions: Callable[[Object], list[dict[str, str]]] | None = None  # TableRow.conditions: Completed Pods and Jobs


@dataclass(frozen=True, slots=True)
class Version:
    """One served version.  Converters are given the other form's dict and return this one's (None: same form).

    They leave what they are given as it is.  `apiVersion` is the server's to write, after either of them.
    """

    name: str
    schema: str  # definition name of the kind, e.g. io.k8s.api.apps.v1.Deployment
    group: str | None = None  # when served in another group than the resource's own (events.k8s.io)
    from_hub: Callable[[Object], Object] | None = None
    to_hub: Callable[[Object], Object] | None = None
    deprecation: str = ""  # the text of the `Warning:` header
    printer: Printer | None = None  # when it differs from the resource's
    preferred: bool = True  # False: never the preferred version of its group, nor its group before others
    # this version's names of selectable fields -> the resource's own (None: the same names)
    field_labels: Mapping[str, str] | None = None
    # what a write in this version is held to beside the strategy; it sees the hub's form
    validate_create: Callable[[Object], list[Cause]] = _valid
    validate_update: Callable[[Object, Object], list[Cause]] = _valid_update
    # a deletion that does not say what becomes of what the object owns leaves it behind; and what it is told then
    orphans: bool = False
    orphans_warning: str = ""


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource as discovery shows it: `kind` and its group/version where they differ from the parent's."""

    name: str
    kind: str
    verbs: tuple[str, ...] = ("get", "patch", "update")
    group: str | None = None
    version: str | None = None


VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """A row of the table of resources."""

    plural: str
    kind: str
    group: str
    versions: tuple[Version, ...]
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    subresources: tuple[Subresource, ...] = ()
    strategy: Strategy = Strategy()
    printer: Printer | None = None  # None: NAME and AGE
    # by the name in a field selector; metadata.name and metadata.namespace are always there
    selectable_fields: dict[str, SelectableField] = field(default_factory=dict)
    ttl: float | None = None  # seconds an object lives after a write (Events)
    acted_on: bool = True  # False: nothing acts on it yet, so a write is answered with a Warning
    name_rule: str = "subdomain"  # subdomain | label | path (RBAC) | label1035 (Service) | ip (IPAddress)
    virtual: bool = False  # never stored: a review, a binding; its handler is code of the API server

    @property
    def hub(self) -> Version:
        return self.versions[0]
