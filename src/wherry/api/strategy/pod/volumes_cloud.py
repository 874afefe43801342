"""Validation of the volume kinds of storage systems and clouds, of Pods and of PersistentVolumes.

Their drivers left Kubernetes' tree or never acted here, but the API still has the fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from wherry.api.strategy.rules import Causes, between, supported_if_set
from wherry.apimachinery.fielderrors import invalid, not_supported, required

Dict = dict[str, Any]
Check = Callable[[Dict, str, Causes], None]

_IQN = re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$", re.ASCII)
_EUI = re.compile(r"eui.[A-Za-z0-9]{16}$")
_NAA = re.compile(r"naa.[A-Za-z0-9]{32}$")


def _requires(*names: str) -> Check:
    def check(source: Dict, path: str, errs: Causes) -> None:
        for name in names:
            if not source.get(name):
                errs.append(required(f"{path}.{name}"))

    return check


def _disk(name: str) -> Check:
    def check(source: Dict, path: str, errs: Causes) -> None:
        if not source.get(name):
            errs.append(required(f"{path}.{name}"))
        partition = source.get("partition") or 0
        if not 0 <= partition <= 255:
            errs.append(invalid(f"{path}.partition", partition, between(1, 255)))

    return check


def _nfs(source: Dict, path: str, errs: Causes) -> None:
    _requires("server", "path")(source, path, errs)
    if not (source.get("path") or "").startswith("/"):
        errs.append(invalid(f"{path}.path", source.get("path") or "", "must be an absolute path"))


def _initiator(name: str, path: str, errs: Causes) -> None:
    rule = {"iqn": _IQN, "eui": _EUI, "naa": _NAA}.get(name[:3])
    if rule is None:
        errs.append(invalid(path, name, "must be valid format starting with iqn, eui, or naa"))
    elif rule.match(name) is None:
        errs.append(invalid(path, name, "must be valid format"))


def _lun(lun: int, path: str, errs: Causes) -> None:
    if not 0 <= lun <= 255:
        errs.append(invalid(path, lun, between(0, 255)))


def _iscsi(source: Dict, path: str, errs: Causes) -> None:
    if not source.get("targetPortal"):
        errs.append(required(f"{path}.targetPortal"))
    if not source.get("iqn"):
        errs.append(required(f"{path}.iqn"))
    else:
        _initiator(source["iqn"], f"{path}.iqn", errs)
    _lun(source.get("lun") or 0, f"{path}.lun", errs)
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        errs.append(required(f"{path}.secretRef"))
    if source.get("initiatorName") is not None:
        _initiator(source["initiatorName"], f"{path}.initiatorname", errs)


def _flocker(source: Dict, path: str, errs: Causes) -> None:
    name, uuid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    if not name and not uuid:
        errs.append(required(path, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        errs.append(invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"))
    if "/" in name:
        errs.append(invalid(f"{path}.datasetName", name, "must not contain '/'"))


def _quobyte(source: Dict, path: str, errs: Causes) -> None:
    registry, words = source.get("registry") or "", "must be a host:port pair or multiple pairs separated by commas"
    if not registry:
        errs.append(required(f"{path}.registry", words))
    elif len(source.get("tenant") or "") >= 65:
        errs.append(required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters"))
    else:
        errs.extend(invalid(f"{path}.registry", registry, words) for pair in registry.split(",") if ":" not in pair)
    if not source.get("volume"):
        errs.append(required(f"{path}.volume"))


def _cinder(source: Dict, path: str, errs: Causes) -> None:
    _requires("volumeID")(source, path, errs)
    if source.get("secretRef") is not None and not source["secretRef"].get("name"):
        errs.append(required(f"{path}.secretRef.name"))


def _fc(source: Dict, path: str, errs: Causes) -> None:
    targets, ids, lun = source.get("targetWWNs"), source.get("wwids"), source.get("lun")
    if not targets and not ids:
        errs.append(required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both"))
    if targets and ids:
        errs.append(invalid(f"{path}.targetWWNs", targets, "targetWWNs and wwids can not be specified simultaneously"))
    if targets and lun is None:
        errs.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif targets and lun is not None:
        _lun(lun, f"{path}.lun", errs)


def _flex(source: Dict, path: str, errs: Causes) -> None:
    _requires("driver")(source, path, errs)
    for key in source.get("options") or ():
        domain = "." + key.partition("/")[0].lower()
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            errs.append(invalid(f"{path}.options[{key}]", key, "kubernetes.io and k8s.io namespaces are reserved"))


def _azure_disk(source: Dict, path: str, errs: Causes) -> None:
    _requires("diskName", "diskURI")(source, path, errs)
    supported_if_set(source.get("cachingMode"), ("None", "ReadOnly", "ReadWrite"), f"{path}.cachingMode", errs)
    kind, uri = source.get("kind"), source.get("diskURI") or ""
    supported_if_set(kind, ("Dedicated", "Managed", "Shared"), f"{path}.kind", errs)
    managed = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
    blob = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        errs.append(not_supported(f"{path}.diskURI", uri, (managed,)))
    if kind not in (None, "Managed") and not uri.startswith("https://"):
        errs.append(not_supported(f"{path}.diskURI", uri, (blob,)))


def _storage_os(source: Dict, path: str, errs: Causes) -> None:
    _requires("volumeName")(source, path, errs)
    if source.get("secretRef") is not None and not source["secretRef"].get("name"):
        errs.append(required(f"{path}.secretRef.name"))


CLOUD: dict[str, Check] = {
    "gcePersistentDisk": _disk("pdName"), "awsElasticBlockStore": _disk("volumeID"), "nfs": _nfs, "iscsi": _iscsi,
    "glusterfs": _requires("endpoints", "path"), "flocker": _flocker, "rbd": _requires("monitors", "image"), "cinder": _cinder,
    "cephfs": _requires("monitors"), "quobyte": _quobyte, "fc": _fc, "flexVolume": _flex,
    "azureFile": _requires("secretName", "shareName"), "vsphereVolume": _requires("volumePath"),
    "photonPersistentDisk": _requires("pdID"), "portworxVolume": _requires("volumeID"), "azureDisk": _azure_disk,
    "storageos": _storage_os, "scaleIO": _requires("gateway", "system", "volumeName"),
}
