"""Plugins for volumes: protection of those in use, the default class, and who may grow."""

from __future__ import annotations

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.quantity import parse
from wherry.apiserver.admission.interface import Attributes, Reader
from wherry.apiserver.codec import decode_json

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
_PROTECTED = {"persistentvolumeclaims": "kubernetes.io/pvc-protection", "persistentvolumes": "kubernetes.io/pv-protection"}


class StorageObjectInUseProtection:
    """Claims and volumes get a finalizer, which the protection controllers take away when nothing uses them.
    https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#storageobjectinuseprotection"""

    name = "StorageObjectInUseProtection"

    def handles(self, attributes: Attributes) -> bool:
        resource = attributes.resource
        return attributes.operation == "CREATE" and not resource.group and resource.plural in _PROTECTED and not attributes.subresource

    async def admit(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        meta, finalizer = attributes.obj["metadata"], _PROTECTED[attributes.resource.plural]
        if finalizer not in (meta.get("finalizers") or ()):
            meta["finalizers"] = [*(meta.get("finalizers") or ()), finalizer]


class DefaultStorageClass:
    """A claim that names no class gets the default one, the newest if there are several.
    https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#defaultstorageclass"""

    name = "DefaultStorageClass"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def handles(self, attributes: Attributes) -> bool:
        return attributes.operation == "CREATE" and attributes.is_for("", "persistentvolumeclaims")

    async def admit(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        meta, spec = attributes.obj["metadata"], attributes.obj["spec"]
        if spec.get("storageClassName") is not None or OLD_CLASS in (meta.get("annotations") or {}):
            return
        classes = [decode_json(cached.value) for cached in self._reader.cached_list("storage.k8s.io", "storageclasses")]
        defaults = [each["metadata"] for each in classes if (each["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"]
        if defaults:
            newest = max(each["creationTimestamp"] for each in defaults)
            spec["storageClassName"] = min(each["name"] for each in defaults if each["creationTimestamp"] == newest)


class PersistentVolumeClaimResize:
    """A bound claim grows only where its class says that it may.
    https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#persistentvolumeclaimresize"""

    name = "PersistentVolumeClaimResize"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def handles(self, attributes: Attributes) -> bool:
        return attributes.operation == "UPDATE" and attributes.is_for("", "persistentvolumeclaims")

    async def validate(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        assert attributes.old is not None
        before, after = _storage(attributes.old), _storage(attributes.obj)
        if not before or not after or not parse(before) < parse(after):
            return
        name = attributes.old["spec"].get("storageClassName") or (attributes.old["metadata"].get("annotations") or {}).get(OLD_CLASS)
        found = self._reader.read("storage.k8s.io", "storageclasses", "", name) if name else None
        if (attributes.old.get("status") or {}).get("phase") != "Bound":
            why = "Only bound persistent volume claims can be expanded"
        elif found is None or not found.get("allowVolumeExpansion"):
            why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
        else:
            return
        raise errors.forbidden("", "persistentvolumeclaims", attributes.name, why)


def _storage(claim: Object) -> str:
    return str(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage") or "")
