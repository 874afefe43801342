"""StorageClasses, CSI drivers and what nodes say of them, VolumeAttachments."""

from __future__ import annotations

from functools import partial
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.volumes import validate_csi_driver_name
from wherry.api.strategy.rules import Causes, dns_subdomain, immutable, one_of, qualified_name, supported_if_set, unique
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, required

Dict = dict[str, Any]


# --- StorageClass ------------------------------------------------------------------------------


def default_class(obj: Dict) -> None:
    fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _topologies(terms: list[Dict], errs: Causes) -> None:
    """Where volumes may be made; a term or a key given twice says nothing more."""
    seen: list[dict[str, set[str]]] = []
    for i, term in enumerate(terms):
        path, found = f"allowedTopologies[{i}].matchLabelExpressions", dict[str, set[str]]()
        for j, each in enumerate(term.get("matchLabelExpressions") or ()):
            where, key, values = f"{path}[{j}]", each.get("key") or "", each.get("values") or []
            if not values:
                errs.append(required(f"{where}.values"))
            unique(values, partial("{}.values[{}]".format, where), errs)
            qualified_name(key, f"{where}.key", errs)
            if key in found:
                errs.append(duplicate(f"{where}.key", key))
            found[key] = set(values)
        if found in seen:
            errs.append(duplicate(path, ""))
        seen.append(found)


def validate_class(obj: Dict) -> list[Cause]:
    errs: Causes = []
    provisioner = obj.get("provisioner") or ""
    if not provisioner:
        errs.append(required("provisioner"))
    else:
        qualified_name(provisioner.lower(), "provisioner", errs)
    parameters = obj.get("parameters") or {}
    if "" in parameters:
        errs.append(required("parameters", "field can not be empty."))
    supported_if_set(obj.get("reclaimPolicy"), ("Delete", "Retain"), "reclaimPolicy", errs)
    one_of(obj.get("volumeBindingMode"), ("Immediate", "WaitForFirstConsumer"), "volumeBindingMode", errs)
    _topologies(obj.get("allowedTopologies") or [], errs)
    return errs


def validate_class_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    for name in ("parameters", "provisioner", "reclaimPolicy"):
        if (obj.get(name) or {}) != (old.get(name) or {}):
            errs.append(forbidden(name, f"updates to {name} are forbidden."))
    immutable(obj.get("volumeBindingMode"), old.get("volumeBindingMode"), "volumeBindingMode", errs)
    return errs


STORAGE_CLASS = Strategy(
    default=default_class, validate=validate_class, validate_update=validate_class_update, has_generation=False,
)


# --- CSIDriver, CSINode ------------------------------------------------------------------------


def default_driver(obj: Dict) -> None:
    spec = spec_of(obj)
    fill(
        spec, attachRequired=True, podInfoOnMount=False, storageCapacity=False, fsGroupPolicy="ReadWriteOnceWithFSType",
        requiresRepublish=False, seLinuxMount=False,
    )
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def validate_driver(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    validate_csi_driver_name((obj.get("metadata") or {}).get("name") or "", "metadata.name", errs)
    for name in ("attachRequired", "podInfoOnMount", "storageCapacity"):
        if spec.get(name) is None:
            errs.append(required(f"spec.{name}"))
    policies = ("File", "None", "ReadWriteOnceWithFSType")
    supported_if_set(spec.get("fsGroupPolicy"), policies, "spec.fsGroupPolicy", errs)
    for mode in spec.get("volumeLifecycleModes") or ():
        supported_if_set(mode, ("Ephemeral", "Persistent"), "spec.volumeLifecycleModes", errs)
    seen: set[str] = set()
    for i, request in enumerate(spec.get("tokenRequests") or ()):
        audience = request.get("audience") or ""
        if audience in seen:
            errs.append(duplicate(f"spec.tokenRequests[{i}].audience", audience))
        seen.add(audience)
    return errs


CSI_DRIVER = Strategy(default=default_driver, validate=validate_driver, has_generation=False, allow_unconditional_update=False)


def validate_node(obj: Dict) -> list[Cause]:
    errs: Causes = []
    seen: set[str] = set()
    for i, driver in enumerate((obj.get("spec") or {}).get("drivers") or ()):
        path, name = f"spec.drivers[{i}]", driver.get("name") or ""
        validate_csi_driver_name(name, f"{path}.name", errs)
        if not driver.get("nodeID"):
            errs.append(required(f"{path}.nodeID"))
        if name in seen:
            errs.append(duplicate(f"{path}.name", name))
        seen.add(name)
        for key in driver.get("topologyKeys") or ():
            qualified_name(key, path, errs)
    return errs


CSI_NODE = Strategy(validate=validate_node, has_generation=False, allow_unconditional_update=False)


# --- VolumeAttachment --------------------------------------------------------------------------


def default_attachment(obj: Dict) -> None:
    fill(obj, status={"attached": False})


def prepare_attachment_for_create(obj: Dict) -> None:
    obj["status"] = {"attached": False}


def validate_attachment(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    validate_csi_driver_name(spec.get("attacher") or "", "spec.attacher", errs)
    source = spec.get("source") or {}
    given = [name for name in ("persistentVolumeName", "inlineVolumeSpec") if source.get(name) is not None]
    if not given:
        errs.append(required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
    elif len(given) > 1:
        errs.append(forbidden("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
    elif given == ["persistentVolumeName"] and not source["persistentVolumeName"]:
        errs.append(required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName"))
    if not spec.get("nodeName"):
        errs.append(required("spec.nodeName"))
    else:
        dns_subdomain(spec["nodeName"], "spec.nodeName", errs)
    return errs


def validate_attachment_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj.get("spec"), old.get("spec"), "spec", errs)
    return errs


VOLUME_ATTACHMENT = Strategy(
    default=default_attachment, prepare_for_create=prepare_attachment_for_create, validate=validate_attachment,
    validate_update=validate_attachment_update, has_generation=False,
    allow_unconditional_update=False,
)
