"""Volumes, claims, classes and drivers."""

from __future__ import annotations

from wherry.api.printers.text import AGE, NAME, UNSET, age, column, deleting, name, part, wide
from wherry.api.resource import Cell, Column, Object, Printer

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_CLASS_ANNOTATIONS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_ATTRIBUTES_ANNOTATION = ("volumeattributesclass.storage.kubernetes.io/is-default-class",)
_VOLUME_MODE = wide("VolumeMode", "Filesystem or Block.")
_ATTRIBUTES = column("VolumeAttributesClass", "The class of its attributes.")


def _access_modes(modes: list[str] | None) -> str:
    return ",".join(short for mode, short in _MODES.items() if mode in (modes or ()))


def _phase(obj: Object) -> str:
    return "Terminating" if deleting(obj) else str(part(obj, "status").get("phase", ""))


def _class(obj: Object) -> str:
    older = part(obj, "metadata", "annotations").get("volume.beta.kubernetes.io/storage-class")
    return str(older or part(obj, "spec").get("storageClassName") or "")


def _claim(obj: Object) -> list[Cell]:
    spec, status = part(obj, "spec"), part(obj, "status")
    bound = bool(spec.get("volumeName"))
    return [
        name(obj), _phase(obj), spec.get("volumeName", ""), part(status, "capacity").get("storage", "0") if bound else "",
        _access_modes(status.get("accessModes")) if bound else "", _class(obj),
        spec.get("volumeAttributesClassName") or UNSET, age(obj), spec.get("volumeMode") or UNSET,
    ]


def _volume(obj: Object) -> list[Cell]:
    spec = part(obj, "spec")
    claim = part(spec, "claimRef")
    return [
        name(obj), part(spec, "capacity").get("storage", "0"), _access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""), _phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "", _class(obj),
        spec.get("volumeAttributesClassName") or UNSET, part(obj, "status").get("reason", ""), age(obj),
        spec.get("volumeMode") or UNSET,
    ]


def _marked(obj: Object, annotations: tuple[str, ...]) -> str:
    """The name, with a mark when it is the default."""
    given = part(obj, "metadata", "annotations")
    return name(obj) + (" (default)" if any(given.get(each) == "true" for each in annotations) else "")


def _storage_class(obj: Object) -> list[Cell]:
    return [
        _marked(obj, _CLASS_ANNOTATIONS), obj.get("provisioner", ""), obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "Immediate", bool(obj.get("allowVolumeExpansion")), age(obj),
    ]


def _driver(obj: Object) -> list[Cell]:
    spec = part(obj, "spec")
    audiences = [each.get("audience", "") for each in spec.get("tokenRequests") or ()]
    return [
        name(obj), spec.get("attachRequired", True), spec.get("podInfoOnMount", False), spec.get("storageCapacity", False),
        ",".join(audiences) or UNSET, spec.get("requiresRepublish", False),
        ",".join(spec.get("volumeLifecycleModes") or ()) or UNSET, age(obj),
    ]


def _attachment(obj: Object) -> list[Cell]:
    spec = part(obj, "spec")
    return [
        name(obj), spec.get("attacher", ""), part(spec, "source").get("persistentVolumeName", ""), spec.get("nodeName", ""),
        part(obj, "status").get("attached", False), age(obj),
    ]


def _migration(obj: Object) -> list[Cell]:
    resource = part(obj, "spec", "resource")
    return [name(obj), ".".join(resource.get(each, "") for each in ("resource", "version", "group") if each in resource)]


PERSISTENT_VOLUME_CLAIM = Printer(
    (
        NAME, column("Status", "Whether it has a volume."), column("Volume", "Its volume."), column("Capacity", "Its size."),
        column("Access Modes", "How it may be mounted."), column("StorageClass", "Its class."), _ATTRIBUTES, AGE, _VOLUME_MODE,
    ),
    _claim,
)
PERSISTENT_VOLUME = Printer(
    (
        NAME, column("Capacity", "Its size."), column("Access Modes", "How it may be mounted."),
        column("Reclaim Policy", "What becomes of it after its claim."), column("Status", "Whether a claim has it."),
        column("Claim", "The claim that has it."), column("StorageClass", "Its class."), _ATTRIBUTES,
        column("Reason", "Why it is in this state."), AGE, _VOLUME_MODE,
    ),
    _volume,
)
STORAGE_CLASS = Printer(
    (
        NAME, column("Provisioner", "Who makes its volumes."), column("ReclaimPolicy", "What becomes of them."),
        column("VolumeBindingMode", "When they are made."), column("AllowVolumeExpansion", "Whether they may grow."), AGE,
    ),
    _storage_class,
)
VOLUME_ATTRIBUTES_CLASS = Printer(
    (NAME, column("DriverName", "The driver that it is for."), AGE),
    lambda obj: [_marked(obj, _ATTRIBUTES_ANNOTATION), obj.get("driverName", ""), age(obj)],
)
CSI_DRIVER = Printer(
    (
        NAME, column("AttachRequired", "Whether volumes are attached first.", "boolean"),
        column("PodInfoOnMount", "Whether it is told of the Pod.", "boolean"),
        column("StorageCapacity", "Whether it reports its capacity.", "boolean"),
        column("TokenRequests", "Audiences of the tokens that it wants."),
        column("RequiresRepublish", "Whether mounts are told again and again.", "boolean"),
        column("Modes", "Kinds of volumes that it has."), AGE,
    ),
    _driver,
)
CSI_NODE = Printer(
    (NAME, column("Drivers", "How many drivers the node has.", "integer"), AGE),
    lambda obj: [name(obj), len(part(obj, "spec").get("drivers") or ()), age(obj)],
)
CSI_STORAGE_CAPACITY = Printer(
    (NAME, column("StorageClassName", "The class that it is for."), column("Capacity", "What is left.")),
    lambda obj: [name(obj), obj.get("storageClassName", ""), obj.get("capacity") or UNSET],
)
VOLUME_ATTACHMENT = Printer(
    (
        NAME, Column("Attacher", format="name", description="Who attaches it."), column("PV", "The volume."),
        column("Node", "The node."), column("Attached", "Whether it is there.", "boolean"), AGE,
    ),
    _attachment,
)
STORAGE_VERSION_MIGRATION = Printer(
    (column("Name", "The name."), column("Resource", "The resource to migrate, in full.")), _migration,
)
