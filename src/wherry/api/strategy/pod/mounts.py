"""Validation of volume mounts and devices, and of the paths in volumes."""

from __future__ import annotations

from typing import Any

from wherry.api.strategy.rules import Causes, supported_if_set
from wherry.apimachinery.fielderrors import forbidden, invalid, not_found, not_supported, required

Dict = dict[str, Any]
PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def no_backsteps(text: str, path: str, errs: Causes) -> None:
    if ".." in text and ".." in text.split("/"):
        errs.append(invalid(path, text, "must not contain '..'"))


def local_descending_path(text: str, path: str, errs: Causes) -> None:
    if text.startswith("/"):
        errs.append(invalid(path, text, "must be a relative path"))
    no_backsteps(text, path, errs)


def local_non_reserved_path(text: str, path: str, errs: Causes) -> None:
    local_descending_path(text, path, errs)
    if text.startswith("..") and not text.startswith("../"):
        errs.append(invalid(path, text, "must not start with '..'"))


def validate_mounts(
    mounts: list[Dict], devices: list[Dict], volumes: dict[str, Dict], container: Dict, path: str, errs: Causes,
) -> None:
    device_names = {device.get("name") for device in devices}
    device_paths = {device.get("devicePath") for device in devices}
    points = set()
    for i, mount in enumerate(mounts):
        name, point = mount.get("name") or "", mount.get("mountPath") or ""
        where = f"{path}[{i}]"
        if not name:
            errs.append(required(f"{where}.name"))
        if name not in volumes:
            errs.append(not_found(f"{where}.name", name))
        if not point:
            errs.append(required(f"{where}.mountPath"))
        if point in points:
            errs.append(invalid(f"{where}.mountPath", point, "must be unique"))
        points.add(point)
        if name in device_names:
            errs.append(invalid(f"{where}.name", name, "must not already exist in volumeDevices"))
        if point in device_paths:
            errs.append(invalid(f"{where}.mountPath", point, "must not already exist as a path in volumeDevices"))
        _mount_details(mount, container, where, path, errs)


def _mount_details(mount: Dict, container: Dict, where: str, path: str, errs: Causes) -> None:
    # Upstream words these paths without the index.
    sub_path, expression = mount.get("subPath"), mount.get("subPathExpr")
    if sub_path:
        local_descending_path(sub_path, f"{path}.subPath", errs)
    if expression:
        if sub_path:
            errs.append(invalid(f"{where}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive"))
        local_descending_path(expression, f"{path}.subPathExpr", errs)
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        supported_if_set(propagation, PROPAGATIONS, f"{path}.mountPropagation", errs)
        if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
            words = "Bidirectional mount propagation is available only to privileged containers"
            errs.append(forbidden(f"{path}.mountPropagation", words))
    recursive = mount.get("recursiveReadOnly")
    if recursive is None:
        return
    if recursive not in RECURSIVE:
        errs.append(not_supported(f"{path}.recursiveReadOnly", recursive, RECURSIVE))
    elif recursive != "Disabled":
        if not mount.get("readOnly"):
            errs.append(forbidden(f"{path}.recursiveReadOnly", "may only be specified when readOnly is true"))
        if propagation not in (None, "None"):
            words = "may only be specified when mountPropagation is None or not specified"
            errs.append(forbidden(f"{path}.recursiveReadOnly", words))


def validate_devices(devices: list[Dict], mounts: list[Dict], volumes: dict[str, Dict], path: str, errs: Causes) -> None:
    mount_names = {mount.get("name") for mount in mounts}
    mount_paths = {mount.get("mountPath") for mount in mounts}
    device_names: set[str] = set()
    device_paths: set[str] = set()
    for i, device in enumerate(devices):
        where, name, point = f"{path}[{i}]", device.get("name") or "", device.get("devicePath") or ""
        volume = volumes.get(name)
        if not name:
            errs.append(required(f"{where}.name"))
        if name in device_names:
            errs.append(invalid(f"{where}.name", name, "must be unique"))
        if volume is None:
            errs.append(not_found(f"{where}.name", name))
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            words = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errs.append(invalid(f"{where}.name", name, words))
        if not point:
            errs.append(required(f"{where}.devicePath"))
        if point in device_paths:
            errs.append(invalid(f"{where}.devicePath", point, "must be unique"))
        if ".." in point.split("/"):
            errs.append(invalid(f"{where}.devicePath", point, "can not contain backsteps ('..')"))
        else:
            device_paths.add(point)
        if name in mount_names:
            errs.append(invalid(f"{where}.name", name, "must not already exist in volumeMounts"))
        if point in mount_paths:
            errs.append(invalid(f"{where}.devicePath", point, "must not already exist as a path in volumeMounts"))
        if name:
            device_names.add(name)
