"""Validation of what a PersistentVolumeClaim asks for: of claims, of ephemeral volumes, of StatefulSets' templates."""

from __future__ import annotations

from typing import Any

from wherry.api.strategy.rules import Causes, annotation_values, dns_subdomain, label_selector, labels, supported_if_set
from wherry.apimachinery import names
from wherry.apimachinery.fielderrors import forbidden, invalid, not_supported, required
from wherry.apimachinery.quantity import parse

Dict = dict[str, Any]
ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_META = ("annotations", "labels", "creationTimestamp")


def validate_claim_template_metadata(meta: Dict, path: str, errs: Causes) -> None:
    """The metadata of an ephemeral volume's claim: labels and annotations alone."""
    annotation_values(meta.get("annotations"), f"{path}.annotations", errs)
    labels(meta.get("labels"), f"{path}.labels", errs)
    for name, value in meta.items():
        if name not in _META and value:
            errs.append(forbidden(f"{path}.{name}", "cannot be set for an ephemeral volume"))


def validate_access_modes(modes: list[str], path: str, errs: Causes) -> None:
    for mode in modes:
        if mode not in ACCESS_MODES:
            errs.append(not_supported(path, mode, ACCESS_MODES))
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        errs.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))


def validate_storage_amount(amount: str, path: str, errs: Causes) -> None:
    """More than nothing."""
    if parse(amount).nanos <= 0:
        errs.append(invalid(path, amount, "must be greater than zero"))


def _data_source(spec: Dict, name: str, path: str, errs: Causes) -> None:
    source = spec.get(name)
    if source is None:
        return
    where = f"{path}.{name}"
    for key in ("name", "kind"):
        if not source.get(key):
            errs.append(required(f"{where}.{key}"))
    group = source.get("apiGroup") or ""
    if not group and source.get("kind") != "PersistentVolumeClaim":
        words = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errs.append(invalid(where, source.get("kind") or "", words))
    elif group:
        dns_subdomain(group, f"{where}.apiGroup", errs)
    if name == "dataSource" and source.get("namespace"):
        errs.append(forbidden(f"{where}.namespace", "may not be specified"))


def validate_claim_spec(spec: Dict, path: str, errs: Causes) -> None:
    """ValidatePersistentVolumeClaimSpec."""
    modes = spec.get("accessModes")
    if not modes:
        errs.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    label_selector(spec.get("selector"), f"{path}.selector", errs)
    validate_access_modes(modes or [], f"{path}.accessModes", errs)
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if storage is None:
        errs.append(required(f"{path}.resources[storage]"))
    else:
        validate_storage_amount(storage, f"{path}.resources[storage]", errs)
    storage_class = spec.get("storageClassName")
    if storage_class:
        for fault in names.is_dns1123_subdomain(storage_class):
            errs.append(invalid(f"{path}.storageClassName", storage_class, fault))
    supported_if_set(spec.get("volumeMode"), VOLUME_MODES, f"{path}.volumeMode", errs)
    for name in ("dataSource", "dataSourceRef"):
        _data_source(spec, name, path, errs)
    attributes = spec.get("volumeAttributesClassName")
    if attributes:
        dns_subdomain(attributes, f"{path}.volumeAttributesClassName", errs)

