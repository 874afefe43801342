"""PersistentVolumes and their claims."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.claims import (
    VOLUME_MODES,
    validate_access_modes,
    validate_claim_spec,
    validate_storage_amount,
)
from wherry.api.strategy.pod.defaults import azure_disk, default_claim_spec, host_path, iscsi, rbd, scale_io
from wherry.api.strategy.pod.scheduling import validate_node_selector
from wherry.api.strategy.pod.volumes import validate_csi_driver_name, validate_host_path
from wherry.api.strategy.pod.volumes_cloud import CLOUD, Check
from wherry.api.strategy.rules import Causes, dns_subdomain, immutable, round_up_to_milli, sorted_items, supported_if_set
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid, not_supported, required
from wherry.apimachinery.quantity import compare, parse

Dict = dict[str, Any]
RECLAIM = ("Delete", "Recycle", "Retain")
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


# --- claims ------------------------------------------------------------------------------------


def default_claim(obj: Dict) -> None:
    default_claim_spec(spec_of(obj))
    fill(obj, status={})
    if not obj["status"].get("phase"):
        obj["status"]["phase"] = "Pending"


def _normalize_data_sources(spec: Dict) -> None:
    """A source told in the old field or the new means both, as far as the old can tell it."""
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and ref is None:
        spec["dataSourceRef"] = dict(source)
    elif ref is not None and source is None and not ref.get("namespace"):
        core = not ref.get("apiGroup") and ref.get("kind") == "PersistentVolumeClaim"
        snapshot = ref.get("apiGroup") == "snapshot.storage.k8s.io" and ref.get("kind") == "VolumeSnapshot"
        if core or snapshot:
            spec["dataSource"] = dict(ref)


def prepare_claim_for_create(obj: Dict) -> None:
    obj["status"] = {"phase": "Pending"}
    _normalize_data_sources(obj["spec"])


def prepare_claim_for_update(obj: Dict, old: Dict) -> None:
    _normalize_data_sources(obj["spec"])


def validate_claim(obj: Dict) -> list[Cause]:
    errs: Causes = []
    validate_claim_spec(obj.get("spec") or {}, "spec", errs)
    return errs


def validate_claim_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    new, before = dict(obj["spec"]), dict(old["spec"])
    if not before.get("volumeName"):
        # The binder may fill the volume in.
        new.pop("volumeName", None)
        before.pop("volumeName", None)
    bound = (old.get("status") or {}).get("phase") == "Bound"
    sizes = [((s.get("resources") or {}).get("requests") or {}).get("storage", "0") for s in (new, before)]
    held = ((old.get("status") or {}).get("capacity") or {}).get("storage", "0")
    if bound and compare(sizes[0], sizes[1]) < 0 and compare(sizes[0], held) <= 0:
        errs.append(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
    if bound:
        new["resources"] = before.get("resources")
    for name in ("storageClassName", "volumeAttributesClassName"):
        if before.get(name) is None:
            new.pop(name, None)
        elif name == "volumeAttributesClassName" and new.get(name):
            new[name] = before[name]
    if new != before:
        words = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        errs.append(forbidden("spec", words))
    immutable(obj["spec"].get("volumeMode"), old["spec"].get("volumeMode"), "volumeMode", errs)
    return errs


def validate_claim_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    for name, amount in sorted_items((obj.get("status") or {}).get("capacity")):
        if parse(amount).nanos < 0:
            errs.append(invalid(f"status.capacity[{name}]", parse(amount).value(), "must be a valid resource quantity"))
    return errs


PERSISTENT_VOLUME_CLAIM = Strategy(
    default=default_claim,
    prepare_for_create=prepare_claim_for_create,
    prepare_for_update=prepare_claim_for_update,
    validate=validate_claim,
    validate_update=validate_claim_update,
    validate_status=validate_claim_status,
    has_generation=False,
)


# --- volumes -----------------------------------------------------------------------------------

_DEFAULTS = {"hostPath": host_path, "iscsi": iscsi, "rbd": rbd, "azureDisk": azure_disk, "scaleIO": scale_io}


def default_volume(obj: Dict) -> None:
    spec = spec_of(obj)
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    fill(spec, volumeMode="Filesystem")
    round_up_to_milli(spec.get("capacity"))
    for name, default in _DEFAULTS.items():
        if spec.get(name) is not None:
            default(spec[name])
    fill(obj, status={})
    if not obj["status"].get("phase"):
        obj["status"]["phase"] = "Pending"


def prepare_volume_for_create(obj: Dict) -> None:
    obj["status"] = {"phase": "Pending"}
    created = (obj.get("metadata") or {}).get("creationTimestamp")
    if created:
        obj["status"]["lastPhaseTransitionTime"] = created


def _local(source: Dict, path: str, errs: Causes) -> None:
    if not source.get("path"):
        errs.append(required(f"{path}.path"))
    elif ".." in source["path"].split("/"):
        errs.append(invalid(f"{path}.path", source["path"], "must not contain '..'"))


def _csi(source: Dict, path: str, errs: Causes) -> None:
    validate_csi_driver_name(source.get("driver") or "", f"{path}.driver", errs)
    if not source.get("volumeHandle"):
        errs.append(required(f"{path}.volumeHandle"))
    for name in (
        "controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef", "nodeStageSecretRef",
    ):
        ref = source.get(name)
        if ref is not None:
            errs.extend(required(f"{path}.{name}.{key}") for key in ("name", "namespace") if not ref.get(key))


_SOURCES: dict[str, Check] = {
    "hostPath": validate_host_path, **CLOUD, "local": _local, "csi": _csi,
}


def _source(spec: Dict, errs: Causes) -> None:
    found = False
    for name, check in _SOURCES.items():
        if spec.get(name) is None:
            continue
        if found:
            errs.append(forbidden(f"spec.{name}", "may not specify more than 1 volume type"))
        else:
            found = True
            check(spec[name], f"spec.{name}", errs)
    if not found:
        errs.append(required("spec", "must specify a volume type"))


def validate_volume(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        errs.append(required("spec.accessModes"))
    validate_access_modes(spec.get("accessModes") or [], "spec.accessModes", errs)
    capacity = spec.get("capacity") or {}
    if not capacity:
        errs.append(required("spec.capacity"))
    elif list(capacity) != ["storage"]:
        errs.append(not_supported("spec.capacity", capacity, ("storage",)))
    for name, amount in sorted_items(capacity):
        validate_storage_amount(amount, f"spec.capacity[{name}]", errs)
    supported_if_set(spec.get("persistentVolumeReclaimPolicy"), RECLAIM, "spec.persistentVolumeReclaimPolicy", errs)
    affinity = (spec.get("nodeAffinity") or {}).get("required")
    if affinity is not None:
        validate_node_selector(affinity, "spec.nodeAffinity.required", errs)
    elif spec.get("local") is not None:
        errs.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    _source(spec, errs)
    path = (spec.get("hostPath") or {}).get("path") or ""
    if path and path.rstrip("/") == "" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        errs.append(forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"))
    if spec.get("storageClassName"):
        dns_subdomain(spec["storageClassName"], "spec.storageClassName", errs)
    supported_if_set(spec.get("volumeMode"), VOLUME_MODES, "spec.volumeMode", errs)
    return errs


def validate_volume_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    new, before = obj["spec"], old["spec"]
    if any(new.get(name) != before.get(name) for name in _SOURCES):
        errs.append(forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"))
    immutable(new.get("volumeMode"), before.get("volumeMode"), "volumeMode", errs)
    if before.get("nodeAffinity") is not None:
        immutable(new.get("nodeAffinity"), before["nodeAffinity"], "nodeAffinity", errs)
    return errs


PERSISTENT_VOLUME = Strategy(
    default=default_volume,
    prepare_for_create=prepare_volume_for_create,
    validate=validate_volume,
    validate_update=validate_volume_update,
    has_generation=False,
)
